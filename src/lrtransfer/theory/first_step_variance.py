r"""How far one draw's optimum lies from the limit after one step: the variance in closed form.

With η the limit optimum, :math:`ρ = y/N`, :math:`a = Kρ`, :math:`φ = La`, the residual after the
step :math:`s = y - ηφ` and :math:`u = ηφ - s`, the optimum :math:`η_n` of a draw at width n under
μP has

.. math:: \sqrt n\,(η_n - η) \to N(0, v), \qquad \lVert φ \rVert^4 v = w^\top K w
    + 2 S η^2 ⟨a, φ⟩^2 + S \left( u^\top K u \cdot ρ^\top K ρ + ⟨u, a⟩^2 \right)
    + D η^4 \, ρ^\top K ρ \, ⟨a, φ⟩^2

.. math:: w = φ - η \tfrac{L}{N} Kφ + \tfrac{L}{N} K s + C η^2 ⟨a, φ⟩ ρ, \qquad
    S = \tfrac{L(L+1)(2L+1)}{6}, \quad C = \tfrac{L^3 - L}{6}, \quad
    D = \sum_{i, j \ge 1,\; i + j < L} i^2 j^2

The first term comes from the outputs before training, N(0, K/n): they add to the outputs and move
the residual. Those with S come from the norms of the vectors that pass forward and backward, which
add up over L layers, and those with C and D from the square of the learning rate, whose coefficient
is of order :math:`n^{-1/2}`. Derived here, for one output and hidden matrices that train on all
samples without weight decay; the tests hold it to draws.
"""

import numpy as np

from .deep_linear import Problem
from .schemes import SCHEMES


def first_step_variance(problem: Problem) -> float | None:
    r"""Return v, the limit of the variance of :math:`\sqrt n\,(η_n - η)` after one step.

    Returns:
        v; None outside of the setting that it is derived for.

    Example:
        >>> first_step_variance(Problem(Regression([[1.0], [2.0]], [2.0, 4.0]), depth=1))
        0.64
    """
    if not _is_plain(problem):
        return None
    data, depth = problem.data, problem.depth
    y, count = data.targets[:, 0], data.count

    def kernel(v: np.ndarray) -> np.ndarray:
        product: np.ndarray = data.inputs @ (data.inputs.T @ v) / data.dimension
        return product

    rho = y / count
    a = kernel(rho)
    phi = depth * a
    lr = (y @ phi) / (phi @ phi)
    rest = y - lr * phi
    u = lr * phi - rest
    energy, overlap = rho @ a, a @ phi
    norms = depth * (depth + 1) * (2 * depth + 1) / 6
    cubic = (depth**3 - depth) / 6
    pairs = sum((i * j) ** 2 for i in range(1, depth) for j in range(1, depth - i))
    w = phi + depth / count * kernel(rest - lr * phi) + cubic * lr**2 * overlap * rho
    total = (
        w @ kernel(w)
        + 2 * norms * (lr * overlap) ** 2
        + norms * ((u @ kernel(u)) * energy + (u @ a) ** 2)
        + pairs * lr**4 * energy * overlap**2
    )
    return float(total / (phi @ phi) ** 2)


def _is_plain(problem: Problem) -> bool:
    return (
        problem.scheme == SCHEMES["mup"]
        and problem.trained == ("hidden",)
        and problem.weight_decay == 0
        and problem.batches is None
        and problem.data.outputs == 1
        and problem.data.has_pull
    )
