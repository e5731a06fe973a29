"""What operations have in common: their operands, and what they do where nothing more is known.

An activation depends on others; a weight is a table of its own, or its role becomes unknown.
"""

from collections.abc import Iterable, Sequence

import torch

from .aten_call import AtenCall
from .graph import Graph
from .memory import Dimension, Trait
from .records import Node
from .uses import UseKind


def operands_of(graph: Graph, tensors: Iterable[torch.Tensor]) -> list[tuple[torch.Tensor, Node]]:
    """Return the tensors that depend on parameters or inputs, with what is known of them."""
    return [(t, node) for t in tensors if (node := graph.node(t)) is not None]


def use_as_table(
    graph: Graph,
    node: Node,
    dimensions: Sequence[Dimension],
    kind: UseKind = UseKind.ADDED,
    *,
    along: Sequence[Dimension] | None = None,
) -> frozenset[str]:
    """Record the use of a weight as an activation of its own; return the makers of that.

    Rows that indices picked before make it a table: their dimension is contracted with a one-hot.
    Not so where each row meets a matrix of its own, as the bias of an expert does.

    Arguments:
        graph: Where the use is written down.
        node: What is known of the weight.
        dimensions: Its dimensions.
        kind: What is done with it.
        along: The dimensions of the activation that it shifts or scales.
    """
    met = along if along is not None else [Dimension()] * len(dimensions)
    repeated = [d for d, m in zip(dimensions, met, strict=True) if Trait.REPEATED in m.traits]
    others = [d for d, m in zip(dimensions, met, strict=True) if Trait.REPEATED not in m.traits]
    rows = [d for d in others if any((i.parameter, i.dim) in node.lookups for i in d.labels)]
    if rows:
        columns = [dimension for dimension in dimensions if dimension not in rows]
        graph.use(node, UseKind.LOOKUP, contracted=rows, produced=columns)
    else:
        features = [d for d, m in zip(dimensions, met, strict=True) if Trait.PRODUCED in m.traits]
        graph.use(
            node,
            kind,
            produced=others,
            batch=repeated,
            features=features if along is not None else None,
        )
    return node.parameters if kind is UseKind.ADDED else frozenset()


def derive(graph: Graph, call: AtenCall, dimensions: Sequence[Dimension] | None = None) -> None:
    """Record activations that an operation computes from others."""
    operands = operands_of(graph, call.tensors)
    for tensor, _ in operands:
        graph.consume(tensor)
    for index, out in enumerate(call.outs):
        graph.put_activation(out, [n for _, n in operands], dimensions if index == 0 else None)


def mark_unread(graph: Graph, call: AtenCall) -> None:
    """Mark every weight that an operation without a rule consumes: nothing is guessed."""
    for _, node in operands_of(graph, call.tensors):
        if node.is_weight:
            for name in node.parameters:
                graph.mark_unknown(name, f"goes into {call.name} in module {graph.module!r}")
    derive(graph, call)
