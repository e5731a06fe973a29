"""The sides of operands, aligned with the dimensions of a result."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from .graph import Graph
from .memory import Side


def broadcast(graph: Graph, tensor: torch.Tensor, out: torch.Tensor) -> list[Side]:
    """Return the sides of an operand, aligned with the dimensions of the result."""
    sides = [Side()] * (out.ndim - tensor.ndim) + list(graph.sides(tensor))[-out.ndim :]
    sizes = (1,) * (out.ndim - tensor.ndim) + tuple(tensor.shape)
    return [
        side if size == wanted else Side()
        for side, size, wanted in zip(sides, sizes, out.shape, strict=False)
    ]


def merge(rows: Sequence[Sequence[Side]], ndim: int) -> list[Side]:
    """Return for every dimension of a result what all of its operands say of it."""
    return [
        Side(
            frozenset(label for row in rows for label in row[dim].labels),
            frozenset(origin for row in rows for origin in row[dim].origins),
            next((row[dim].pieces for row in rows if row[dim].pieces), ()),
        )
        for dim in range(ndim)
    ]


def as_gain(row: Sequence[Side]) -> list[Side]:
    """Return sides that only scale along the dimensions that they walk."""
    return [
        replace(side, labels=frozenset(i._replace(gain=True) for i in side.labels)) for side in row
    ]
