"""Roles of tensors, inferred from how their number of entries grows with width.

The roles in a recipe are more reliable; these are used where there is no recipe.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from ..parametrization.rules import Role
from .quantities import ModelMeasurements

# Thresholds between the exponents 0, 1 and 2: none, one or two dimensions grow.
_ONE_DIMENSION, _TWO_DIMENSIONS = 0.5, 1.5


def fit_exponent(widths: Sequence[int], values: Sequence[float]) -> float:
    """Return the least-squares exponent b of positive values that scale as width to the power b."""
    x, y = np.log2(np.asarray(widths)), np.log2(np.asarray(values))
    x = x - x.mean()
    return float(x @ y / (x @ x))


def grows(widths: Sequence[int], counts: Sequence[int]) -> bool:
    """Return whether a count grows with width, at least as its square root.

    Example:
        >>> grows([64, 128], [640, 1280]), grows([64, 128], [10, 10])
        (True, False)
    """
    return fit_exponent(widths, counts) > _ONE_DIMENSION


def infer_roles(runs: Mapping[int, ModelMeasurements]) -> dict[str, Role]:
    """Return the role of each tensor, from one run at each width.

    Growth does not distinguish biases and gains from first layers: all of them are `INPUT`.

    Arguments:
        runs: Measurements by width.
    """
    widths = list(runs)
    narrowest = runs[widths[0]]
    layer_of: dict[str, str] = {}
    for layer, tensors in narrowest.layers.items():
        for tensor in tensors:
            layer_of.setdefault(tensor, layer)
    return {
        tensor: _role(
            fit_exponent(widths, [runs[w].tensors[tensor].entries for w in widths]),
            output_grows=tensor not in layer_of
            or grows(widths, [runs[w].outputs[layer_of[tensor]] for w in widths]),
        )
        for tensor in narrowest.tensors
    }


def _role(entries: float, *, output_grows: bool) -> Role:
    if entries > _TWO_DIMENSIONS:
        return Role.HIDDEN
    if entries < _ONE_DIMENSION:
        return Role.SCALAR
    return Role.INPUT if output_grows else Role.OUTPUT
