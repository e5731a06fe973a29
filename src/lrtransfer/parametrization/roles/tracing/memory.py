"""Which original dimensions each dimension of a view walks, from its strides alone.

A block of memory has axes. A view into it (transposed, split, sliced, expanded) is a start and one
stride per dimension: dimension k walks an axis if stepping along k changes the coordinate on it.
So no view operation needs a rule of its own.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch


class Label(NamedTuple):
    """Name a dimension of a parameter; `gain` if it only scales others along that dimension."""

    parameter: str
    dim: int
    gain: bool = False
    product: int = 0  # which product with an activation, 0 while in a weight


class Origin(NamedTuple):
    """Say that index 0 of an axis is index `start` of a parameter's dimension."""

    parameter: str
    dim: int
    start: int


class Part(NamedTuple):
    """A stretch of a parameter's dimension that the model uses by itself."""

    start: int
    size: int
    contiguous: bool


@dataclass(frozen=True)
class Side:
    """What is known about one dimension.

    Attributes:
        labels: Dimensions of parameters that it walks.
        origins: Those with which its indices agree up to a shift.
        pieces: Sizes of the tensors concatenated along it.
    """

    labels: frozenset[Label] = frozenset()
    origins: frozenset[Origin] = frozenset()
    pieces: tuple[int, ...] = ()


@dataclass(frozen=True)
class Axis:
    """One axis of a block of memory; the stride counts bytes."""

    size: int
    stride: int
    side: Side


def axes_of(tensor: torch.Tensor, sides: Sequence[Side]) -> tuple[Axis, ...]:
    """Return the axes of a tensor that fills its memory."""
    strides = (stride * tensor.element_size() for stride in tensor.stride())
    return tuple(Axis(*axis) for axis in zip(tensor.shape, strides, sides, strict=True))


def sides_of(view: torch.Tensor, axes: Sequence[Axis]) -> tuple[Side, ...]:
    """Return what is known about each dimension of a view."""
    walks = _walks(view, axes)
    return tuple(_side(view, dim, axes, walks) for dim in range(view.ndim))


def factors_of(view: torch.Tensor, dim: int, axes: Sequence[Axis]) -> list[tuple[int, Side]]:
    """Return the sizes and sides of the axes that a dimension walks whole, outermost first."""
    own = [axes[index] for index in _walks(view, axes)[dim]]
    if not own or math.prod(axis.size for axis in own) != view.shape[dim]:
        return [(view.shape[dim], sides_of(view, axes)[dim])]
    return [(axis.size, axis.side) for axis in sorted(own, key=lambda axis: -axis.stride)]


def parts_of(view: torch.Tensor, axes: Sequence[Axis]) -> Iterator[tuple[Origin, Part]]:
    """Yield the parameters' dimensions of which a view sees a part only, and that part."""
    walks = _walks(view, axes)
    for index, axis in enumerate(axes):
        dims = [dim for dim, walked in enumerate(walks) if index in walked]
        if any(len(walks[dim]) > 1 for dim in dims):
            continue
        size = math.prod(view.shape[dim] for dim in dims)
        if size < axis.size:
            contiguous = all(_stride(view, dim) == axis.stride for dim in dims)
            for origin in axis.side.origins:
                yield origin, Part(origin.start + _start(view, axis), size, contiguous)


def _walks(view: torch.Tensor, axes: Sequence[Axis]) -> list[set[int]]:
    return [
        {index for index, axis in enumerate(axes) if _walked(view, dim, axis)}
        for dim in range(view.ndim)
    ]


def _walked(view: torch.Tensor, dim: int, axis: Axis) -> bool:
    size, stride = view.shape[dim], _stride(view, dim)
    return (
        size > 1
        and axis.size > 1
        and (size - 1) * stride >= axis.stride
        and stride % (axis.stride * axis.size) != 0
    )


def _side(view: torch.Tensor, dim: int, axes: Sequence[Axis], walks: Sequence[set[int]]) -> Side:
    labels = frozenset(label for index in walks[dim] for label in axes[index].side.labels)
    alone = [index for index in walks[dim] if sum(index in walked for walked in walks) == 1]
    if len(walks[dim]) != 1 or not alone or _stride(view, dim) != axes[alone[0]].stride:
        return Side(labels)
    axis = axes[alone[0]]
    start = _start(view, axis)
    origins = frozenset(o._replace(start=o.start + start) for o in axis.side.origins)
    return Side(labels, origins, axis.side.pieces if view.shape[dim] == axis.size else ())


def _start(view: torch.Tensor, axis: Axis) -> int:
    return (view.storage_offset() * view.element_size() // max(axis.stride, 1)) % max(axis.size, 1)


def _stride(view: torch.Tensor, dim: int) -> int:
    return view.stride(dim) * view.element_size()
