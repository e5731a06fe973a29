"""What grows from the small run to the big one, and the words for it.

All statistics are per doubling of one size n. Numbers do not depend on what n counts; sentences do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..errors import TableError

# What a study can vary, and what the sizes of a table may be besides.
StudyAxis = Literal["width", "depth", "batch", "steps"]
AxisName = Literal["width", "depth", "batch", "steps", "params", "tokens"]


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Words for the sizes along one axis, as they stand within a sentence.

    Attributes:
        name: One size: "at width 64".
        plural: Several sizes: "the measured widths 64 and 128".
        smallest: The least of the measured sizes: "the narrowest measured".
        largest: The greatest of the measured sizes: "width 512, the widest measured".
        smaller: Sizes beside a larger one: "the rate that narrower widths predict".
        small: Where a learning rate is tuned: "the rate carried over from the narrow width".
        tuned: The same after a participle: "the learning rate tuned on a small model".
        described: One size in full, for someone who must give it: "the width of the model".
        cost_exponent: A run costs in proportion to this power of its size, all else being equal.

    Example:
        >>> f"at {AXES['batch'].name} 64, the {AXES['batch'].largest} measured"
        'at batch size 64, the largest measured'
    """

    name: str
    plural: str
    smallest: str
    largest: str
    smaller: str
    small: str
    tuned: str
    described: str
    cost_exponent: int


AXES: Mapping[AxisName, Axis] = {
    "width": Axis(
        name="width",
        plural="widths",
        smallest="narrowest",
        largest="widest",
        smaller="narrower",
        small="narrow width",
        tuned="on a small model",
        described="width of the model",
        cost_exponent=2,
    ),
    "depth": Axis(
        name="depth",
        plural="depths",
        smallest="shallowest",
        largest="deepest",
        smaller="shallower",
        small="shallow model",
        tuned="on a shallow model",
        described="depth of the model",
        cost_exponent=1,
    ),
    "batch": Axis(
        name="batch size",
        plural="batch sizes",
        smallest="smallest",
        largest="largest",
        smaller="smaller",
        small="small batch size",
        tuned="at a small batch size",
        described="batch size",
        cost_exponent=1,
    ),
    "steps": Axis(
        name="training length",
        plural="training lengths",
        smallest="shortest",
        largest="longest",
        smaller="shorter",
        small="short training length",
        tuned="in a short training",
        described="training length in steps",
        cost_exponent=1,
    ),
    "params": Axis(
        name="model size",
        plural="model sizes",
        smallest="smallest",
        largest="largest",
        smaller="smaller",
        small="small model",
        tuned="on a small model",
        described="number of parameters of the model",
        cost_exponent=1,
    ),
    "tokens": Axis(
        name="number of tokens",
        plural="numbers of tokens",
        smallest="smallest",
        largest="largest",
        smaller="smaller",
        small="small number of tokens",
        tuned="on few tokens",
        described="training length in tokens",
        cost_exponent=1,
    ),
}


# What changes with an axis that is not itself a setting of one run.
_PARTS: Mapping[AxisName, set[AxisName]] = {"params": {"width", "depth"}, "tokens": {"steps"}}


def check_axis(name: str, where: str) -> AxisName:
    """Return the name of an axis, checked to be one.

    Arguments:
        name: The name.
        where: What asks, for the message.

    Raises:
        TableError: If there is no such axis.

    Example:
        >>> check_axis("depth", "along")
        'depth'
    """
    for axis in AXES:
        if name == axis:
            return axis
    raise TableError(
        f"{where}: got {name!r}, wanted the axis that grows: {', '.join(AXES)}. Choose one of them."
    )


def list_others(axis: AxisName) -> str:
    """Return what else a target may differ in from the runs along an axis.

    Example:
        >>> list_others("width"), list_others("batch")
        ('training length, batch size or depth', 'width, training length or depth')
        >>> list_others("params"), list_others("tokens")
        ('training length or batch size', 'width, batch size or depth')
    """
    order: tuple[AxisName, ...] = ("width", "steps", "batch", "depth")
    varied = _PARTS.get(axis, {axis})
    *first, last = (AXES[name].name for name in order if name not in varied)
    return f"{', '.join(first)} or {last}"
