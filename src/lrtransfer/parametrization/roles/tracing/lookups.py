"""Rows of a tensor that indices pick or replace: a weight is then a table."""

from collections.abc import Sequence

import torch

from .aten_call import AtenCall
from .defaults import derive, mark_unread, operands_of, use_as_table
from .graph import Graph
from .memory import PRODUCED, Dimension, labels_of
from .uses import UseKind


def embed(graph: Graph, call: AtenCall) -> None:
    """Record rows of a table, looked up."""
    table, out = call.arguments["weight"], call.outs[0]
    node = graph.node(table)
    graph.consume(table)
    rows, columns = graph.dimensions(table)
    if node is not None and node.is_weight:
        graph.use(node, UseKind.LOOKUP, contracted=[rows], produced=[columns])
    names = node.parameters if node is not None else frozenset()
    sources = [n for _, n in operands_of(graph, call.tensors)]
    dimensions = [*[Dimension()] * (out.ndim - 1), Dimension(traits=PRODUCED)]
    graph.put_activation(out, sources, dimensions, makers=names)


def pick_rows(graph: Graph, call: AtenCall) -> None:
    """Record rows picked out of a tensor by indices."""
    source, out = call.arguments["self"], call.outs[0]
    node = graph.node(source)
    if node is None:
        derive(graph, call)
        return
    dimensions = graph.dimensions(source)
    picked, layout = _find_picked(call, source.ndim)
    if not node.is_weight:
        _pick_part(graph, call, picked)
        kept = [Dimension() if d is None else dimensions[d].drop_labels() for d in layout]
        derive(graph, call, kept if len(kept) == out.ndim else None)
        return
    graph.consume(source)
    rows = Dimension(labels_of(dimensions[d] for d in picked))
    lookups = frozenset((label.parameter, label.dim) for label in rows.labels)
    new = [rows if d is None else Dimension(dimensions[d].labels) for d in layout]
    new = new if len(new) == out.ndim else [Dimension()] * out.ndim
    graph.put_weight(out, new, [node], lookups)


def _pick_part(graph: Graph, call: AtenCall, picked: Sequence[int]) -> None:
    """Record which part of a parameter's dimension indices pick that are known."""
    if call.name == "gather" or len(picked) != 1:
        return
    index = call.arguments["index"] if "index" in call.arguments else None
    index = call.arguments["indices"][picked[0]] if index is None else index
    source, value = call.arguments["self"], graph.constants.value(index)
    if graph.node(index) is not None or value is None or value.dtype is torch.bool:
        return
    size = source.shape[picked[0]]
    graph.note_parts(source, {picked[0]: [int(i) % size for i in value.flatten()]})


def _find_picked(call: AtenCall, ndim: int) -> tuple[list[int], list[int | None]]:
    """Return the dimensions that are indexed, and for each of the result its source, or None."""
    if call.name != "index":
        dim = int(call.arguments["dim"]) % ndim
        return [dim], [None if d == dim else d for d in range(ndim)]
    indices = list(call.arguments["indices"])
    picked = [d for d, index in enumerate(indices) if index is not None]
    width = max(indices[d].ndim for d in picked)
    layout: list[int | None] = [d for d in range(ndim) if d not in picked]
    is_together = picked == list(range(picked[0], picked[-1] + 1))
    place = picked[0] if is_together else 0
    return picked, [*layout[:place], *[None] * width, *layout[place:]]


def put_rows(graph: Graph, call: AtenCall) -> None:
    """Record rows of an activation that a weight (a learned token) replaces."""
    target, values = call.arguments["self"], call.arguments["values"]
    node, source = graph.node(target), graph.node(values)
    if node is None or node.is_weight or source is None or not source.is_weight:
        mark_unread(graph, call)
        return
    graph.consume(target)
    graph.consume(values)
    makers = node.makers | use_as_table(graph, source, graph.dimensions(values))
    graph.put_activation(call.outs[0], [node], makers=makers)
