"""What is known of the dimensions of operands, for the dimensions of their result."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from .graph import Graph
from .memory import Dimension, traits_of


def broadcast(graph: Graph, tensor: torch.Tensor, out: torch.Tensor) -> list[Dimension]:
    """Return what an operand says of each dimension of the result that it is broadcast to."""
    missing = [Dimension()] * (out.ndim - tensor.ndim)
    dimensions = [*missing, *graph.dimensions(tensor)[-out.ndim :]]
    sizes = (1,) * (out.ndim - tensor.ndim) + tuple(tensor.shape)
    return [
        dimension if size == out_size else Dimension()
        for dimension, size, out_size in zip(dimensions, sizes, out.shape, strict=False)
    ]


def merge_dimensions(rows: Sequence[Sequence[Dimension]], ndim: int) -> list[Dimension]:
    """Return for every dimension of a result what all of its operands say of it."""
    return [
        Dimension(
            frozenset(label for row in rows for label in row[dim].labels),
            frozenset(origin for row in rows for origin in row[dim].origins),
            next((row[dim].pieces for row in rows if row[dim].pieces), ()),
            traits_of(row[dim] for row in rows),
        )
        for dim in range(ndim)
    ]


def as_gain(row: Sequence[Dimension]) -> list[Dimension]:
    """Return dimensions of which every label is one of a gain."""
    return [
        replace(dimension, labels=frozenset(i._replace(is_gain=True) for i in dimension.labels))
        for dimension in row
    ]
