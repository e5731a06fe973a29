"""What grows with width, read from counts at several widths: the role of each tensor.

A recipe knows the roles of its tensors better; these serve where there is none.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from ..parametrization.rules import Role
from .quantities import ModelMeasurements

# Between the exponents 0, 1 and 2 of a count that grows with no, one or two sides.
_ONE_SIDE, _TWO_SIDES = 0.5, 1.5


def exponent(widths: Sequence[int], values: Sequence[float]) -> float:
    """Return the least-squares exponent of positive values."""
    x, y = np.log2(np.asarray(widths)), np.log2(np.asarray(values))
    x = x - x.mean()
    return float(x @ y / (x @ x))


def grows(widths: Sequence[int], counts: Sequence[int]) -> bool:
    """Return whether a count grows with width.

    Example:
        >>> grows([64, 128], [640, 1280]), grows([64, 128], [10, 10])
        (True, False)
    """
    return exponent(widths, counts) > _ONE_SIDE


def growing_roles(runs: Mapping[int, ModelMeasurements]) -> dict[str, Role]:
    """Return the role of each tensor from one run at each width.

    Biases and gains cannot be told from first layers by growth: both are `INPUT`.
    """
    widths = list(runs)
    narrowest = runs[widths[0]]
    layer_of: dict[str, str] = {}
    for layer, tensors in narrowest.layers.items():
        for tensor in tensors:
            layer_of.setdefault(tensor, layer)
    return {
        tensor: _role(
            exponent(widths, [runs[w].tensors[tensor].entries for w in widths]),
            output_grows=tensor not in layer_of
            or grows(widths, [runs[w].outputs[layer_of[tensor]] for w in widths]),
        )
        for tensor in narrowest.tensors
    }


def _role(entries: float, *, output_grows: bool) -> Role:
    if entries > _TWO_SIDES:
        return Role.HIDDEN
    if entries < _ONE_SIDE:
        return Role.SCALAR
    return Role.INPUT if output_grows else Role.OUTPUT
