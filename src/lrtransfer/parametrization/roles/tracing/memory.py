"""What is known of each dimension of a view, from its strides alone.

A block of memory has axes: the dimensions of the tensor that filled it. A view into it (transposed,
split, sliced, expanded) is a start and one stride per dimension: dimension k walks an axis if
stepping along k changes the coordinate on it. So no view operation needs a rule of its own. Labels,
origins, parts and pieces: see the package's docstring.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch


class Label(NamedTuple):
    """One dimension of a parameter, as walked by a dimension of a tensor.

    Attributes:
        parameter: Name of the parameter.
        dim: Its dimension.
        is_gain: Whether the tensor only scales others along it.
        product: Number of the open product with an activation; 0 while in a weight.
    """

    parameter: str
    dim: int
    is_gain: bool = False
    product: int = 0

    def __repr__(self) -> str:
        """Write it as the package's docstring does."""
        gain = " as gain" if self.is_gain else ""
        return f"{self.parameter}.{self.dim}{gain}" + (
            f" in product {self.product}" if self.product else ""
        )


class Origin(NamedTuple):
    """Where index 0 of a dimension is on a dimension of a parameter.

    Attributes:
        parameter: Name of the parameter.
        dim: Its dimension.
        start: The index there.
    """

    parameter: str
    dim: int
    start: int

    def __repr__(self) -> str:
        """Write it as the package's docstring does."""
        return f"{self.parameter}.{self.dim}[{self.start}:]"


class Part(NamedTuple):
    """A stretch of a parameter's dimension that the model uses by itself."""

    start: int
    size: int
    contiguous: bool


@dataclass(frozen=True)
class Dimension:
    """What is known about one dimension of a tensor.

    Attributes:
        labels: Dimensions of parameters that it walks.
        origins: Those with which its indices agree up to a shift.
        pieces: Sizes of the tensors concatenated along it.
    """

    labels: frozenset[Label] = frozenset()
    origins: frozenset[Origin] = frozenset()
    pieces: tuple[int, ...] = ()

    def drop_labels(self) -> "Dimension":
        """Return the same without labels: no product is open behind it."""
        return replace(self, labels=frozenset())


@dataclass(frozen=True)
class MemoryAxis:
    """One axis of a block of memory; the stride counts bytes."""

    size: int
    stride: int
    dimension: Dimension


def labels_of(dimensions: Iterable[Dimension]) -> frozenset[Label]:
    """Return the labels of several dimensions."""
    return frozenset(label for dimension in dimensions for label in dimension.labels)


def origins_of(labels: Iterable[Label]) -> frozenset[Origin]:
    """Return the origins of a dimension that starts where those of its labels do."""
    return frozenset(Origin(label.parameter, label.dim, 0) for label in labels)


def axes_of(tensor: torch.Tensor, dimensions: Sequence[Dimension]) -> tuple[MemoryAxis, ...]:
    """Return the axes of a tensor that fills its memory."""
    strides = (stride * tensor.element_size() for stride in tensor.stride())
    return tuple(MemoryAxis(*axis) for axis in zip(tensor.shape, strides, dimensions, strict=True))


def dimensions_of(view: torch.Tensor, axes: Sequence[MemoryAxis]) -> tuple[Dimension, ...]:
    """Return what is known about each dimension of a view."""
    walks = _walks(view, axes)
    return tuple(_dimension(view, dim, axes, walks) for dim in range(view.ndim))


def factors_of(
    view: torch.Tensor, dim: int, axes: Sequence[MemoryAxis]
) -> list[tuple[int, Dimension]]:
    """Return sizes and dimensions of the axes that one of a view walks whole, outermost first."""
    walked = [axes[index] for index in _walks(view, axes)[dim]]
    if not walked or math.prod(axis.size for axis in walked) != view.shape[dim]:
        return [(view.shape[dim], dimensions_of(view, axes)[dim])]
    return [(axis.size, axis.dimension) for axis in sorted(walked, key=lambda axis: -axis.stride)]


def parts_of(view: torch.Tensor, axes: Sequence[MemoryAxis]) -> Iterator[tuple[Origin, Part]]:
    """Yield the parameters' dimensions of which a view sees a part only, and that part."""
    walks = _walks(view, axes)
    for index, axis in enumerate(axes):
        dims = [dim for dim, walked in enumerate(walks) if index in walked]
        if any(len(walks[dim]) > 1 for dim in dims):
            continue
        size = math.prod(view.shape[dim] for dim in dims)
        if size < axis.size:
            contiguous = all(_stride(view, dim) == axis.stride for dim in dims)
            for origin in axis.dimension.origins:
                yield origin, Part(origin.start + _start(view, axis), size, contiguous)


def _walks(view: torch.Tensor, axes: Sequence[MemoryAxis]) -> list[set[int]]:
    return [
        {index for index, axis in enumerate(axes) if _does_walk(view, dim, axis)}
        for dim in range(view.ndim)
    ]


def _does_walk(view: torch.Tensor, dim: int, axis: MemoryAxis) -> bool:
    size, stride = view.shape[dim], _stride(view, dim)
    return (
        size > 1
        and axis.size > 1
        and (size - 1) * stride >= axis.stride
        and stride % (axis.stride * axis.size) != 0
    )


def _dimension(
    view: torch.Tensor, dim: int, axes: Sequence[MemoryAxis], walks: Sequence[set[int]]
) -> Dimension:
    labels = labels_of(axes[index].dimension for index in walks[dim])
    alone = [index for index in walks[dim] if sum(index in walked for walked in walks) == 1]
    if len(walks[dim]) != 1 or not alone or _stride(view, dim) != axes[alone[0]].stride:
        return Dimension(labels)
    axis = axes[alone[0]]
    start = _start(view, axis)
    origins = frozenset(o._replace(start=o.start + start) for o in axis.dimension.origins)
    return Dimension(labels, origins, axis.dimension.pieces if view.shape[dim] == axis.size else ())


def _start(view: torch.Tensor, axis: MemoryAxis) -> int:
    return (view.storage_offset() * view.element_size() // max(axis.stride, 1)) % max(axis.size, 1)


def _stride(view: torch.Tensor, dim: int) -> int:
    return view.stride(dim) * view.element_size()
