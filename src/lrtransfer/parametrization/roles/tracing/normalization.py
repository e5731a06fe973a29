"""Normalised activations, scaled by gains, and normalised weights."""

from dataclasses import replace

from .alignment import as_gain, broadcast, merge
from .call import Call
from .defaults import operands_of
from .graph import Graph
from .records import Kind


def normalize(graph: Graph, call: Call) -> None:
    """Record a normalisation and its gains."""
    source = call.arguments["input"]
    sides = [replace(s, labels=frozenset()) for s in graph.sides(source)]
    operands = operands_of(graph, call.tensors)
    for tensor, node in operands:
        graph.consume(tensor)
        if node.is_weight and tensor is not source:
            graph.use(node, Kind.SCALED, produced=graph.sides(tensor))
    for index, out in enumerate(call.outs):
        own = sides if index == 0 and out.shape == source.shape else None
        graph.put_activation(out, [n for _, n in operands], own)


def weight_norm(graph: Graph, call: Call) -> None:
    """Record a weight that is a direction times a gain."""
    rows = [broadcast(graph, call.arguments[name], call.outs[0]) for name in ("v", "g")]
    sources = [n for _, n in operands_of(graph, call.tensors)]
    merged = merge([rows[0], as_gain(rows[1])], call.outs[0].ndim)
    graph.put_weight(call.outs[0], merged, sources)
