"""What grows from the small run to the big one, and the words for it.

All statistics are per doubling of one size n. Numbers do not depend on what n counts; sentences do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..errors import TableError

AxisName = Literal["width", "depth", "batch", "steps"]


@dataclass(frozen=True)
class Axis:
    """Hold the words for sizes along one axis, as they stand within a sentence.

    Attributes:
        name: One size; `name` and a number name that size.
        plural: Several sizes.
        least: What the smallest measured is.
        most: What the largest measured is.
        less: What a size is beside a larger one.
        small: Where a learning rate is tuned.
        tuned: The same, after "the learning rate tuned".
        whole: What a learning rate is wanted for.
        cost_exponent: A run costs in proportion to this power of its size, all else being equal.

    Example:
        >>> f"at {AXES['batch'].name} 64, the {AXES['batch'].most} measured"
        'at batch size 64, the largest measured'
    """

    name: str
    plural: str
    least: str
    most: str
    less: str
    small: str
    tuned: str
    whole: str
    cost_exponent: int


AXES: Mapping[AxisName, Axis] = {
    "width": Axis(
        name="width",
        plural="widths",
        least="narrowest",
        most="widest",
        less="narrower",
        small="narrow width",
        tuned="on a small model",
        whole="width of the model",
        cost_exponent=2,
    ),
    "depth": Axis(
        name="depth",
        plural="depths",
        least="shallowest",
        most="deepest",
        less="shallower",
        small="shallow model",
        tuned="on a shallow model",
        whole="depth of the model",
        cost_exponent=1,
    ),
    "batch": Axis(
        name="batch size",
        plural="batch sizes",
        least="smallest",
        most="largest",
        less="smaller",
        small="small batch size",
        tuned="at a small batch size",
        whole="batch size",
        cost_exponent=1,
    ),
    "steps": Axis(
        name="training length",
        plural="training lengths",
        least="shortest",
        most="longest",
        less="shorter",
        small="short training length",
        tuned="in a short training",
        whole="training length in steps",
        cost_exponent=1,
    ),
}


def checked_axis(name: str, where: str) -> AxisName:
    """Return the name of an axis as one that is known.

    Arguments:
        name: The name.
        where: What asks, for the message.

    Raises:
        TableError: If there is no such axis.

    Example:
        >>> checked_axis("depth", "along")
        'depth'
    """
    for known in AXES:
        if name == known:
            return known
    raise TableError(
        f"{where}: got {name!r}, wanted the axis that grows: {', '.join(AXES)}. Choose one of them."
    )


def others(axis: AxisName) -> str:
    """Return what else a target may differ in from the runs along an axis.

    Example:
        >>> others("width"), others("batch")
        ('training length, batch size or depth', 'width, training length or depth')
    """
    order: tuple[AxisName, ...] = ("width", "steps", "batch", "depth")
    *first, last = (AXES[name].name for name in order if name != axis)
    return f"{', '.join(first)} or {last}"
