r"""Gradient descent with momentum and weight decay, as weights of what was before.

One step is :math:`u \leftarrow \mu u + G + \lambda W,\; W \leftarrow W - \eta u`. It is linear, so

.. math:: W(t) = p_t W(0) - \sum_{s<t} c_{ts}\, G(s)

with numbers p and c that depend on η, μ and λ alone. Without momentum and decay p = 1, c = η.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..regression import Numbers


@dataclass(frozen=True, eq=False)
class Descent:
    """Hold the weights of the past.

    Attributes:
        kept: p, shape (steps + 1, R) for R learning rates.
        moved: c, zero for s >= t, shape (steps + 1, steps, R).
    """

    kept: Numbers
    moved: Numbers


def descend(lrs: Numbers, *, steps: int, momentum: Any = 0.0, weight_decay: Any = 0.0) -> Descent:
    """Return the weights of the past at every step.

    Arguments:
        lrs: η, shape (R,), of any kind of number.
        steps: Last step t.
        momentum: μ.
        weight_decay: λ.

    Example:
        >>> descend(np.array([0.5]), steps=2, momentum=0.5).moved[2, :, 0]  # η(1 + μ), η
        array([0.75, 0.5 ])
    """
    kept = np.ones((steps + 1, len(lrs)), lrs.dtype)
    moved = np.zeros((steps + 1, steps, len(lrs)), lrs.dtype)
    u_kept, u_moved = np.zeros_like(kept[0]), np.zeros_like(moved[0])  # u = u_kept W(0) + …
    for t in range(steps):
        u_kept = momentum * u_kept + weight_decay * kept[t]
        u_moved = momentum * u_moved - weight_decay * moved[t]
        u_moved[t] = u_moved[t] + 1
        kept[t + 1] = kept[t] - lrs * u_kept
        moved[t + 1] = moved[t] + lrs * u_moved
    return Descent(kept, moved)
