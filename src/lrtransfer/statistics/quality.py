r"""How good a transfer is on three axes: fit, robustness of extrapolation, asymptotic penalty.

The axes are named after arXiv 2605.21486; the definitions are ours. With :math:`x_i` the optima of
W sizes and :math:`\hat x_W` the value at the largest size of the line through the others,

.. math:: \text{fit } \tau: x_i \sim N(a + b L_i,\, s_i^2 + \tau^2), \qquad
          \text{robustness } \frac{f_W(\hat x_W) - \min f_W}{\ell_{best}}, \qquad
          \text{penalty } E\Big[\frac{f_{8n}(x_1) - \min f_{8n}}{\ell_{best}}\Big]

for the largest size n. Small is good on all three.
"""

from collections.abc import Sequence

import numpy as np

from .answer import Quality, Regret
from .axis import AxisName
from .curves.fit import SizeFit
from .drift import fit_scatter
from .expected import expected_regret
from .prediction import predict
from .regret import RateUsed, decide_transfer

PENALTY_DOUBLINGS = 3  # beyond the largest size


def rate_quality(
    used: RateUsed | None,
    fits: Sequence[SizeFit],
    *,
    tolerance: float,
    rng: np.random.Generator,
    absolute: bool = False,
    axis: AxisName = "width",
) -> Quality:
    """Rate the transfer of one scheme.

    Arguments:
        used: The base's optimum, if there is one.
        fits: Fits of all sizes, by increasing size.
        tolerance: Largest regret of a rate that transfers, for the results to name.
        rng: Source of draws.
        absolute: Whether the tolerance is in units of the loss.
        axis: What is varied.

    Returns:
        The three axes.
    """
    largest = fits[-1].columns.size
    far = largest * 2**PENALTY_DOUBLINGS
    penalty = None
    if used is not None:
        penalty = expected_regret(
            used, fits, size=far, tolerance=tolerance, rng=rng, absolute=absolute, axis=axis
        )
    return Quality(
        scatter=fit_scatter([fit.optimum for fit in fits]),
        extrapolation=_extrapolate(fits, tolerance, absolute=absolute, axis=axis),
        penalty=penalty,
    )


def _extrapolate(
    fits: Sequence[SizeFit], tolerance: float, *, absolute: bool, axis: AxisName
) -> Regret | None:
    """Return the regret at the largest size of what the smaller sizes predict for it."""
    *smaller, largest = fits
    prediction = predict(smaller, size=largest.columns.size, axis=axis)
    if prediction is None:
        return None
    used = RateUsed.exactly(smaller[-1].columns.size, float(np.log2(prediction.lr)))
    decision = decide_transfer(
        used, largest, tolerance=tolerance, at_target=True, absolute=absolute
    )
    return decision.regret
