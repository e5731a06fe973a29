"""Normalised activations, scaled by gains, and normalised weights."""

from .alignment import as_gain, broadcast, merge_dimensions
from .aten_call import AtenCall
from .defaults import operands_of
from .graph import Graph
from .uses import UseKind


def normalize(graph: Graph, call: AtenCall) -> None:
    """Record a normalisation and its gains."""
    source = call.arguments["input"]
    dimensions = [dimension.drop_labels() for dimension in graph.dimensions(source)]
    operands = operands_of(graph, call.tensors)
    for tensor, node in operands:
        graph.consume(tensor)
        if node.is_weight and tensor is not source:
            graph.use(node, UseKind.SCALED, produced=graph.dimensions(tensor))
    for index, out in enumerate(call.outs):
        is_normalized = index == 0 and out.shape == source.shape  # others are statistics
        graph.put_activation(out, [n for _, n in operands], dimensions if is_normalized else None)


def normalize_weight(graph: Graph, call: AtenCall) -> None:
    """Record a weight that is a direction times a gain."""
    rows = [broadcast(graph, call.arguments[name], call.outs[0]) for name in ("v", "g")]
    sources = [n for _, n in operands_of(graph, call.tensors)]
    merged = merge_dimensions([rows[0], as_gain(rows[1])], call.outs[0].ndim)
    graph.put_weight(call.outs[0], merged, sources)
