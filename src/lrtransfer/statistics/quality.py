r"""How good a transfer is on three axes: fit, robustness of extrapolation, asymptotic penalty.

The axes are named after arXiv 2605.21486; the definitions are ours. With :math:`x_i` the optima of
W sizes and :math:`\hat x_W` the value at the widest size of the line through the others,

.. math:: \text{fit } \tau: x_i \sim N(a + b L_i,\, s_i^2 + \tau^2), \qquad
          \text{robustness } \frac{f_W(\hat x_W) - \min f_W}{\ell_{best}}, \qquad
          \text{penalty } E\Big[\frac{f_{8n}(x_1) - \min f_{8n}}{\ell_{best}}\Big]

for the widest size n. Small is good on all three.
"""

from collections.abc import Sequence

import numpy as np

from .answer import Quality, Regret
from .drift import predict, scatter_of
from .expected import expected_regret
from .optimum import SizeFit
from .regret import RateUsed, decide

PENALTY_DOUBLINGS = 3  # beyond the widest size


def rate_quality(
    used: RateUsed | None, fits: Sequence[SizeFit], *, tolerance: float, rng: np.random.Generator
) -> Quality:
    """Rate the transfer of one scheme.

    Arguments:
        used: The base's optimum, if it is known.
        fits: Fits of all sizes, by increasing size.
        tolerance: Largest regret of a rate that transfers, for the record.
        rng: Source of draws.

    Returns:
        The three axes.
    """
    widest = fits[-1].columns.size
    far = widest * 2**PENALTY_DOUBLINGS
    penalty = None
    if used is not None:
        penalty = expected_regret(used, fits, size=far, tolerance=tolerance, rng=rng)
    return Quality(
        scatter=scatter_of([fit.optimum for fit in fits]),
        extrapolation=_extrapolation(fits, tolerance),
        penalty=penalty,
    )


def _extrapolation(fits: Sequence[SizeFit], tolerance: float) -> Regret | None:
    *narrower, wide = fits
    found = predict([fit.optimum for fit in narrower], size=wide.columns.size)
    if found is None:
        return None
    x = float(np.log2(found.lr))
    used = RateUsed(narrower[-1].columns.size, x, x, x)
    return decide(used, wide, tolerance=tolerance, at_target=True).regret
