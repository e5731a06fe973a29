"""Sums, means and norms over dimensions: a sum after a product is a contraction."""

from dataclasses import replace

from .call import Call
from .defaults import default
from .graph import Graph
from .memory import Side

_SUMS = {"sum", "mean"}


def reduce(graph: Graph, call: Call) -> None:
    """Record a reduction; a sum settles the products before it."""
    source, out = call.tensors[0], call.outs[0]
    node = graph.node(source)
    if node is None:
        default(graph, call)
        return
    dims = _reduced(call, source.ndim)
    sides = graph.sides(source)
    summed = {i.product for d in dims for i in sides[d].labels if i.product}
    left = [
        Side() if d in dims else _without(side, summed)
        for d, side in enumerate(sides)
        if d not in dims or call.arguments.get("keepdim")
    ]
    if node.is_weight:
        graph.consume(source)
        graph.put_weight(out, left, [node])
        return
    graph.consume(source, dims if call.name in _SUMS else ())
    if call.name not in _SUMS:
        left = [replace(side, labels=frozenset()) for side in left]
    graph.put_activation(out, [node], left)


def _reduced(call: Call, ndim: int) -> set[int]:
    dims = call.arguments.get("dim")
    if dims is None or dims == []:
        return set(range(ndim))
    return (
        {d % ndim for d in (dims if isinstance(dims, list | tuple) else [dims])} if ndim else set()
    )


def _without(side: Side, products: set[int]) -> Side:
    return replace(side, labels=frozenset(i for i in side.labels if i.product not in products))
