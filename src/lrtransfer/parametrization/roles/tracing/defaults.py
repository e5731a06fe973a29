"""What operations have in common: their operands, and what they do where nothing more is known.

An activation depends on others; a weight is a table of its own, or its role becomes unknown.
"""

from collections.abc import Iterable, Sequence

import torch

from .call import Call
from .graph import Graph
from .memory import Side
from .records import Kind, Node


def operands_of(graph: Graph, tensors: Iterable[torch.Tensor]) -> list[tuple[torch.Tensor, Node]]:
    """Return the tensors that depend on parameters or inputs, with what is known of them."""
    return [(t, node) for t in tensors if (node := graph.node(t)) is not None]


def use_as_table(
    graph: Graph, node: Node, sides: Sequence[Side], kind: Kind = Kind.ADDED
) -> frozenset[str]:
    """Record the use of a weight as an activation of its own; return its makers."""
    looked = [s for s in sides if any((i.parameter, i.dim) in node.looked for i in s.labels)]
    if looked:
        graph.use(
            node, Kind.LOOKUP, contracted=looked, produced=[s for s in sides if s not in looked]
        )
    else:
        graph.use(node, kind, produced=sides)
    return node.names if kind is Kind.ADDED else frozenset()


def default(graph: Graph, call: Call, sides: Sequence[Side] | None = None) -> None:
    """Record activations that an operation computes from others."""
    operands = operands_of(graph, call.tensors)
    for tensor, _ in operands:
        graph.consume(tensor)
    for index, out in enumerate(call.outs):
        graph.put_activation(out, [n for _, n in operands], sides if index == 0 else None)


def unknown(graph: Graph, call: Call) -> None:
    """Mark every weight that an operation with no known sides consumes."""
    for _, node in operands_of(graph, call.tensors):
        if node.is_weight:
            for name in node.names:
                graph.mark_unknown(name, f"goes into {call.name} in module {graph.module!r}")
    default(graph, call)
