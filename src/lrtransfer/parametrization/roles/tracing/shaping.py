"""Operations that lay out what they are given: repeated, transformed, concatenated, diagonal."""

from collections.abc import Sequence

from .alignment import as_gain, merge_dimensions
from .aten_call import AtenCall
from .defaults import derive, operands_of, use_as_table
from .graph import Graph
from .memory import Dimension


def rearrange(graph: Graph, call: AtenCall) -> None:
    """Record an operation whose result has the dimensions of its first operand."""
    source, out = call.tensors[0], call.outs[0]
    node = graph.node(source)
    if node is None or not node.is_weight:
        dimensions = list(graph.dimensions(source))
        if source.shape != out.shape:
            kept = [Dimension(traits=dimension.traits) for dimension in dimensions]
            dimensions = [Dimension()] * (out.ndim - source.ndim) + kept[-out.ndim :]
        derive(graph, call, dimensions if len(dimensions) == out.ndim else None)
        return
    graph.consume(source)
    labels = [Dimension(dimension.labels) for dimension in graph.dimensions(source)]
    dimensions = [Dimension()] * (out.ndim - source.ndim) + labels
    graph.put_weight(out, dimensions, [node])


def transform(graph: Graph, call: AtenCall) -> None:
    """Record a Fourier transform: linear along its dimensions, so a sum after it still is one."""
    source, out = call.tensors[0], call.outs[0]
    dimensions = [Dimension(d.labels, traits=d.traits) for d in graph.dimensions(source)]
    node = graph.node(source)
    graph.note_parts(source)
    if node is not None and node.is_weight:
        graph.put_weight(out, dimensions, [node])
    elif node is not None:
        graph.put_activation(out, [node], dimensions)


def concatenate(graph: Graph, call: AtenCall) -> None:
    """Record tensors put next to each other or stacked."""
    out = call.outs[0]
    operands = operands_of(graph, call.tensors)
    axis = int(call.arguments.get("dim", 0)) % max(out.ndim, 1)
    if call.name == "stack":
        rows = [_insert(graph.dimensions(t), axis) for t, _ in operands]
    else:
        rows = [list(graph.dimensions(t)) for t, _ in operands if t.ndim == out.ndim]
    for tensor, _ in operands:
        graph.consume(tensor)
    if all(n.is_weight and not n.lookups for _, n in operands):
        merged = merge_dimensions(rows, out.ndim)
        merged[axis] = Dimension(merged[axis].labels)
        graph.put_weight(out, merged, [n for _, n in operands])
        return
    makers = frozenset(name for _, n in operands for name in n.makers)
    for tensor, node in operands:
        if node.is_weight:
            makers |= use_as_table(graph, node, graph.dimensions(tensor))
    merged = [dimension.drop_labels() for dimension in merge_dimensions(rows, out.ndim)]
    pieces = _pieces(graph, call, axis) if call.name == "cat" else ()
    merged[axis] = Dimension(pieces=pieces, traits=merged[axis].traits)
    activations = [n for _, n in operands if not n.is_weight]
    scale = activations[0].scale if activations else 1.0
    logits = next((n.logits for n in activations if n.logits), None)
    graph.put_activation(out, activations, merged, makers=makers, scale=scale, logits=logits)


def _insert(dimensions: Sequence[Dimension], axis: int) -> list[Dimension]:
    return [*dimensions[:axis], Dimension(), *dimensions[axis:]]


def _pieces(graph: Graph, call: AtenCall, axis: int) -> tuple[int, ...]:
    pieces: list[int] = []
    for tensor in call.tensors:
        if tensor.numel():
            dimension = graph.dimensions(tensor)[axis]
            pieces += dimension.pieces or (tensor.shape[axis],)
    return tuple(pieces) if len(pieces) > 1 else ()


def make_diagonal(graph: Graph, call: AtenCall) -> None:
    """Record a diagonal matrix: it scales what it is multiplied with."""
    source, node = call.arguments["self"], graph.node(call.arguments["self"])
    if node is None or not node.is_weight:
        derive(graph, call)
        return
    *outer, last = as_gain(graph.dimensions(source))
    graph.put_weight(call.outs[0], [*outer, last, last], [node])
