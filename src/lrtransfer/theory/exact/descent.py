r"""Gradient descent with momentum and weight decay, written out in all past gradients.

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
    """Coefficients of the initial weights and of all past gradients.

    Attributes:
        initial: p, of W(0), shape (steps + 1, R) for R learning rates.
        gradients: c, of G(s), zero for s >= t, shape (steps + 1, steps, R).
    """

    initial: Numbers
    gradients: Numbers


def descend(lrs: Numbers, *, steps: int, momentum: Any = 0.0, weight_decay: Any = 0.0) -> Descent:
    """Return the coefficients at every step.

    Arguments:
        lrs: η, shape (R,), of any kind of number.
        steps: Last step t.
        momentum: μ.
        weight_decay: λ.

    Returns:
        p and c in the same kind of number.

    Example:
        >>> descend(np.array([0.5]), steps=2, momentum=0.5).gradients[2, :, 0]  # η(1 + μ), η
        array([0.75, 0.5 ])
    """
    initial = np.ones((steps + 1, len(lrs)), lrs.dtype)
    gradients = np.zeros((steps + 1, steps, len(lrs)), lrs.dtype)
    u_initial, u_gradients = (
        np.zeros_like(initial[0]),
        np.zeros_like(gradients[0]),
    )  # u = u_initial W(0) + …
    for t in range(steps):
        u_initial = momentum * u_initial + weight_decay * initial[t]
        u_gradients = momentum * u_gradients - weight_decay * gradients[t]
        u_gradients[t] = u_gradients[t] + 1
        initial[t + 1] = initial[t] - lrs * u_initial
        gradients[t + 1] = gradients[t] + lrs * u_gradients
    return Descent(initial, gradients)
