"""Operations that lay out what they are given: repeated, transformed, concatenated, diagonal."""

from collections.abc import Sequence
from dataclasses import replace

from .alignment import as_gain, merge
from .call import Call
from .defaults import default, operands_of, use_as_table
from .graph import Graph
from .memory import Side


def aligned(graph: Graph, call: Call) -> None:
    """Record an operation whose result has the dimensions of its first operand."""
    source, out = call.tensors[0], call.outs[0]
    node = graph.node(source)
    if node is None or not node.is_weight:
        default(graph, call, graph.sides(source) if source.shape == out.shape else None)
        return
    graph.consume(source)
    sides = [Side()] * (out.ndim - source.ndim) + [Side(s.labels) for s in graph.sides(source)]
    graph.put_weight(out, sides, [node])


def transform(graph: Graph, call: Call) -> None:
    """Record a Fourier transform: linear along its dimensions, so a sum after it still is one."""
    source, out = call.tensors[0], call.outs[0]
    node, sides = graph.node(source), [Side(side.labels) for side in graph.sides(source)]
    graph.note_parts(source)
    if node is not None and node.is_weight:
        graph.put_weight(out, sides, [node])
    elif node is not None:
        graph.put_activation(out, [node], sides)


def concatenate(graph: Graph, call: Call) -> None:
    """Record tensors put next to each other or stacked."""
    out = call.outs[0]
    operands = operands_of(graph, call.tensors)
    axis = int(call.arguments.get("dim", 0)) % max(out.ndim, 1)
    if call.name == "stack":
        rows = [_inserted(graph.sides(t), axis) for t, _ in operands]
    else:
        rows = [list(graph.sides(t)) for t, _ in operands if t.ndim == out.ndim]
    for tensor, _ in operands:
        graph.consume(tensor)
    if all(n.is_weight and not n.looked for _, n in operands):
        merged = merge(rows, out.ndim)
        merged[axis] = Side(merged[axis].labels)
        graph.put_weight(out, merged, [n for _, n in operands])
        return
    makers = frozenset(name for _, n in operands for name in n.makers)
    for tensor, node in operands:
        if node.is_weight:
            makers |= use_as_table(graph, node, graph.sides(tensor))
    merged = [replace(side, labels=frozenset()) for side in merge(rows, out.ndim)]
    merged[axis] = Side(pieces=_pieces(graph, call, axis) if call.name == "cat" else ())
    activations = [n for _, n in operands if not n.is_weight]
    scale = activations[0].scale if activations else 1.0
    logits = next((n.logits for n in activations if n.logits), None)
    graph.put_activation(out, activations, merged, makers=makers, scale=scale, logits=logits)


def _inserted(sides: Sequence[Side], axis: int) -> list[Side]:
    return [*sides[:axis], Side(), *sides[axis:]]


def _pieces(graph: Graph, call: Call, axis: int) -> tuple[int, ...]:
    pieces: list[int] = []
    for tensor in call.tensors:
        if tensor.numel():
            side = graph.sides(tensor)[axis]
            pieces += side.pieces or (tensor.shape[axis],)
    return tuple(pieces) if len(pieces) > 1 else ()


def diagonal(graph: Graph, call: Call) -> None:
    """Record a diagonal matrix: it scales what it is multiplied with."""
    source, node = call.arguments["self"], graph.node(call.arguments["self"])
    if node is None or not node.is_weight:
        default(graph, call)
        return
    *outer, last = as_gain(graph.sides(source))
    graph.put_weight(call.outs[0], [*outer, last, last], [node])
