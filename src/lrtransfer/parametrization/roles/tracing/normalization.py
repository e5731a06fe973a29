"""Normalised activations, scaled by gains, and normalised weights."""

from .alignment import as_gain, broadcast, merge_dimensions
from .aten_call import AtenCall
from .defaults import operands_of
from .graph import Graph
from .records import Derivation, Direction
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
            if tensor is call.arguments.get("weight"):
                graph.norm_gains |= node.parameters
    is_plain = call.arguments.get("weight") is None and call.arguments.get("bias") is None
    for index, out in enumerate(call.outs):
        is_normalized = index == 0 and out.shape == source.shape  # others are statistics
        graph.put_activation(
            out,
            [n for _, n in operands],
            dimensions if is_normalized else None,
            derivation=Derivation(size=1.0) if is_plain and is_normalized else Derivation(),
        )


def normalize_weight(graph: Graph, call: AtenCall) -> None:
    """Record a weight that is a direction times a gain."""
    rows = [broadcast(graph, call.arguments[name], call.outs[0]) for name in ("v", "g")]
    sources = [n for _, n in operands_of(graph, call.tensors)]
    _note_direction(graph, call)
    merged = merge_dimensions([rows[0], as_gain(rows[1])], call.outs[0].ndim)
    graph.put_weight(call.outs[0], merged, sources)


def _note_direction(graph: Graph, call: AtenCall) -> None:
    """Write down which gain multiplies which direction, whose norm is 1 along all other sides."""
    whole, gain = call.arguments["v"], call.arguments["g"]
    direction, length = graph.node(whole), graph.node(gain)
    if direction is not None and length is not None:
        size = (whole.numel() / gain.numel()) ** -0.5
        for name in length.parameters:
            graph.directions[name] = Direction(direction.parameters, size)
