"""What is known of each dimension of a view, from its strides alone.

A block of memory has axes: the dimensions of the tensor that filled it. A view into it (transposed,
split, sliced, expanded) is a start and one stride per dimension: dimension k walks an axis if
stepping along k changes the coordinate on it. So no view operation needs a rule of its own. Labels,
origins, parts and pieces: see the package's docstring.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
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
    """The entries of a parameter's dimension that the model uses by themselves.

    Attributes:
        runs: Start and stop of every run of neighbours, in order.
    """

    runs: tuple[tuple[int, int], ...]

    @property
    def size(self) -> int:
        """Number of entries."""
        return sum(stop - start for start, stop in self.runs)

    @property
    def indices(self) -> frozenset[int]:
        """The entries."""
        return frozenset(i for start, stop in self.runs for i in range(start, stop))


def part_of(indices: Iterable[int]) -> Part:
    """Return the part that has some entries of a dimension.

    Example:
        >>> part_of([4, 0, 1, 2])
        Part(runs=((0, 3), (4, 5)))
    """
    runs: list[tuple[int, int]] = []
    for i in sorted(set(indices)):
        if runs and runs[-1][1] == i:
            runs[-1] = (runs[-1][0], i + 1)
        else:
            runs.append((i, i + 1))
    return Part(tuple(runs))


class Trait(Enum):
    """What operations said of a dimension of an activation."""

    PRODUCED = "a weight produced it"
    REPEATED = "a product with a weight was repeated along it"
    GATED = "a gate that is the same along other dimensions varies along it"


PRODUCED = frozenset({Trait.PRODUCED})


@dataclass(frozen=True)
class Dimension:
    """What is known about one dimension of a tensor.

    Attributes:
        labels: Dimensions of parameters that it walks.
        origins: Those with which its indices agree up to a shift.
        pieces: Sizes of the tensors concatenated along it.
        traits: Of an activation, what operations said of it.
    """

    labels: frozenset[Label] = frozenset()
    origins: frozenset[Origin] = frozenset()
    pieces: tuple[int, ...] = ()
    traits: frozenset[Trait] = frozenset()

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


def traits_of(dimensions: Iterable[Dimension]) -> frozenset[Trait]:
    """Return the traits of several dimensions."""
    return frozenset(trait for dimension in dimensions for trait in dimension.traits)


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


def parts_of(
    view: torch.Tensor, axes: Sequence[MemoryAxis], picked: Mapping[int, Sequence[int]]
) -> Iterator[tuple[Origin, Part]]:
    """Yield the parameters' dimensions of which a view sees a part only, and that part.

    Arguments:
        view: A tensor.
        axes: The axes of its memory.
        picked: The indices that are read, for the dimensions of which not all are.
    """
    walks = _walks(view, axes)
    for index, axis in enumerate(axes):
        dims = [dim for dim, walked in enumerate(walks) if index in walked]
        reads = {dim: picked.get(dim, range(view.shape[dim])) for dim in dims}
        is_alone = all(len(walks[dim]) == 1 for dim in dims)
        if not (axis.dimension.origins and is_alone):
            continue
        if math.prod(len(set(indices)) for indices in reads.values()) < axis.size:
            entries = {_start(view, axis)}
            for dim, indices in reads.items():
                step = _stride(view, dim) // axis.stride
                entries = {entry + i * step for entry in entries for i in indices}
            for origin in axis.dimension.origins:
                yield origin, part_of(origin.start + entry for entry in entries)


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
    walked = [axes[index].dimension for index in walks[dim]]
    labels, traits = labels_of(walked), traits_of(walked)
    alone = [index for index in walks[dim] if sum(index in others for others in walks) == 1]
    if len(walks[dim]) != 1 or not alone or _stride(view, dim) != axes[alone[0]].stride:
        return Dimension(labels, traits=traits)
    axis = axes[alone[0]]
    start = _start(view, axis)
    origins = frozenset(o._replace(start=o.start + start) for o in axis.dimension.origins)
    pieces = axis.dimension.pieces if view.shape[dim] == axis.size else ()
    return Dimension(labels, origins, pieces, traits)


def _start(view: torch.Tensor, axis: MemoryAxis) -> int:
    return (view.storage_offset() * view.element_size() // max(axis.stride, 1)) % max(axis.size, 1)


def _stride(view: torch.Tensor, dim: int) -> int:
    return view.stride(dim) * view.element_size()
