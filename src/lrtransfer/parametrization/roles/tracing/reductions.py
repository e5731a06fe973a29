"""Sums, means and norms over dimensions: a sum after a product is a contraction."""

import math
from dataclasses import replace

from .aten_call import AtenCall
from .defaults import derive
from .derivations import derive_statistic
from .graph import Graph
from .memory import Dimension

_SUMS = {"sum", "mean"}


def reduce(graph: Graph, call: AtenCall) -> None:
    """Record a reduction; a sum settles the products before it."""
    source = call.tensors[0]
    node = graph.node(source)
    if node is None:
        derive(graph, call)
        return
    dims = _find_reduced(call, source.ndim)
    dimensions = graph.dimensions(source)
    summed = {i.product for d in dims for i in dimensions[d].labels if i.product}
    left = [
        Dimension() if d in dims else _without(dimension, summed)
        for d, dimension in enumerate(dimensions)
        if d not in dims or call.arguments.get("keepdim")
    ]
    count = math.prod(source.shape[d] for d in dims)
    derivation = derive_statistic(graph, call, node, count)
    if node.is_weight:
        graph.consume(source)
        for result in call.outs:
            graph.put_weight(result, left, [node], derivation=derivation)
        return
    graph.consume(source, dims if call.name in _SUMS else ())
    if call.name == "mean":
        graph.take_mean(summed, count)
    if call.name not in _SUMS:
        left = [dimension.drop_labels() for dimension in left]
    for result in call.outs:
        graph.put_activation(result, [node], left, derivation=derivation)


def _find_reduced(call: AtenCall, ndim: int) -> set[int]:
    dims = call.arguments.get("dim")
    if dims is None or dims == []:
        return set(range(ndim))
    return (
        {d % ndim for d in (dims if isinstance(dims, list | tuple) else [dims])} if ndim else set()
    )


def _without(dimension: Dimension, products: set[int]) -> Dimension:
    labels = frozenset(label for label in dimension.labels if label.product not in products)
    return replace(dimension, labels=labels)
