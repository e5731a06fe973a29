r"""The infinite-width limit of networks that stay linear in their weights (kernel regime).

With M trained matrices and p, c from `descent`, at a rate :math:`c\,n^{-E}`,

.. math:: φ(t) = p_t^M φ(0) - κ \sum_{s<t} c_{ts}\, (p_t p_s)^{M-1}\, q(s), \qquad
    κ = \frac{m}{d} + [\text{W}_0 \text{ moves}]

with q the gradient of the loss with respect to φ and m the number of other matrices that move.

References:
    Jacot, Gabriel, Hongler (2018). Neural Tangent Kernel. https://arxiv.org/abs/1806.07572
"""

import numpy as np

from ...scaling import FloatArray
from ..regression import Numbers
from .deep_linear import Problem
from .descent import descend
from .regime import CLOSE, Regime

_HALVINGS = 100
_TINY = 1e-300


def kernel_trajectory(
    problem: Problem,
    regime: Regime,
    start: Numbers,
    lrs: Numbers,
    *,
    steps: int,
) -> Numbers:
    """Return the end-to-end weights φ of every learning rate at steps 0 … t of gradient descent.

    Arguments:
        problem: Data, depth, trained roles, optimizer.
        regime: The roles that move.
        start: φ(0), shape (r, k).
        lrs: Learning rates in units of n^-E, shape (R,).
        steps: Last step t.

    Returns:
        φ in the basis of the data, shape (steps + 1, R, r, k).
    """
    decay = problem.weight_decay if regime.lr_power < CLOSE else 0.0
    descent = descend(lrs, steps=steps, momentum=problem.momentum, weight_decay=decay)
    p, power = descent.initial[:, :, None, None], _count(problem, problem.trained) - 1
    speed = _speed(problem, regime)
    phi = [p[0] * start]
    gradients: list[Numbers] = []
    for t in range(1, steps + 1):
        gradients.append(p[t - 1] ** power * problem.batch(t - 1).gradient(phi[-1]))
        update = np.einsum("sr,srak->rak", descent.gradients[t, :t], np.array(gradients))
        phi.append(p[t] ** (power + 1) * start - speed * p[t] ** power * update)
    return np.array(phi)


def kernel_optima(
    problem: Problem, regime: Regime, starts: FloatArray, *, steps: int
) -> FloatArray:
    r"""Return the optimal learning rates of plain gradient descent from many starts at once.

    Along each singular direction i of the inputs the residual shrinks independently, so that the
    loss is convex:

    .. math:: \ell(c) = \frac{1}{2N} \sum_i e_i^2 (1 - c λ_i)^{2t}, \qquad λ_i = κ s_i^2 / N

    Arguments:
        problem: A problem without momentum, weight decay and minibatches.
        regime: The roles that move.
        starts: φ(0), shape (draws, r, k).
        steps: t, at least 1.

    Returns:
        Learning rates c in units of n^-E, shape (draws,).
    """
    batch = problem.data.full_batch
    energy = (batch.residual(starts) ** 2).sum(axis=-1)
    decay = _speed(problem, regime) * np.diag(batch.rows) ** 2 / problem.data.count
    low, high = np.full(len(starts), 1 / decay.max()), np.full(len(starts), 1 / decay.min())
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        left = 1 - middle[:, None] * decay
        largest = np.where(energy > 0, np.abs(left), 0).max(axis=1, keepdims=True)
        shares = left / np.maximum(largest, _TINY)  # their high powers neither vanish nor overflow
        rises = (energy * decay * np.clip(shares, -1, 1) ** (2 * steps - 1)).sum(axis=1) < 0
        low, high = np.where(rises, low, middle), np.where(rises, middle, high)
    optima: FloatArray = (low + high) / 2
    return optima


def _speed(problem: Problem, regime: Regime) -> float:
    """Return κ."""
    others = tuple(role for role in regime.moving if role != "input")
    return _count(problem, others) / problem.data.dimension + ("input" in regime.moving)


def _count(problem: Problem, roles: tuple[str, ...]) -> int:
    return sum(problem.role(layer) in roles for layer in problem.layers)
