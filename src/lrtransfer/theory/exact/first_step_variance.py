r"""How far the optimum of a draw lies from the limit after one step: the variance in closed form.

With η the limit optimum, :math:`ρ = y/N`, :math:`a = Kρ`, :math:`φ = La`, the residual after the
step :math:`s = y - ηφ` and :math:`u = ηφ - s`, the optimum :math:`η_n` of a draw at width n under
μP has

.. math:: \sqrt n\,(η_n - η) \to N(0, v), \qquad \lVert φ \rVert^4 v = w^\top K w
    + 2 S η^2 ⟨a, φ⟩^2 + S \left( u^\top K u \cdot ρ^\top K ρ + ⟨u, a⟩^2 \right)
    + D η^4 \, ρ^\top K ρ \, ⟨a, φ⟩^2

.. math:: w = φ - η \tfrac{L}{N} Kφ + \tfrac{L}{N} K s + C η^2 ⟨a, φ⟩ ρ, \qquad
    S = \tfrac{L(L+1)(2L+1)}{6}, \quad C = \tfrac{L^3 - L}{6}, \quad
    D = \sum_{i, j \ge 1,\; i + j < L} i^2 j^2

The first term comes from the outputs before training, N(0, K/n): they add to the outputs and change
the residual. The terms with S come from the norms of the forward and backward vectors, whose
fluctuations add up over L layers; those with C and D come from the term of order η² in the outputs,
whose coefficient is of order :math:`n^{-1/2}`. This is derived here, for one output and hidden
matrices that train on all samples without weight decay; the tests compare it with draws.
"""

from ...scaling import FloatArray
from ..schemes import ABC_SCHEMES
from .deep_linear import Problem


def first_step_variance(problem: Problem) -> float | None:
    r"""Return v, the limit of the variance of :math:`\sqrt n\,(η_n - η)` after one step.

    Returns:
        v, in squared units of the learning rate; None outside the setting of the derivation.

    Example:
        >>> first_step_variance(Problem(Regression([[1.0], [2.0]], [2.0, 4.0]), depth=1))
        0.64
    """
    if not _is_plain(problem):
        return None
    terms = _Terms(problem)
    norms = problem.depth * (problem.depth + 1) * (2 * problem.depth + 1) / 6
    _, pairs = second_order(problem.depth)
    lr, w, u = terms.lr, terms.influence, terms.lr * terms.phi - terms.rest
    total = (
        w @ terms.kernel(w)
        + 2 * norms * (lr * terms.overlap) ** 2
        + norms * ((u @ terms.kernel(u)) * terms.energy + (u @ terms.a) ** 2)
        + pairs * lr**4 * terms.energy * terms.overlap**2
    )
    return float(total / (terms.phi @ terms.phi) ** 2)


def start_influence(problem: Problem) -> FloatArray:
    r"""Return w: the effect of the outputs f(0) before training on the optimum.

    To first order they move it by :math:`-⟨w, f(0)⟩ / ‖φ‖^2`.

    Arguments:
        problem: As in `first_step_variance`.

    Returns:
        w, shape (N,).
    """
    return _Terms(problem).influence


class _Terms:
    """Vectors and numbers in the formula of the module."""

    def __init__(self, problem: Problem) -> None:
        self.data, depth = problem.data, problem.depth
        y, count = self.data.targets[:, 0], self.data.count
        rho = y / count
        self.a = self.kernel(rho)
        self.phi = depth * self.a
        self.lr = float((y @ self.phi) / (self.phi @ self.phi))
        self.rest = y - self.lr * self.phi
        self.energy, self.overlap = float(rho @ self.a), float(self.a @ self.phi)
        cubic, _ = second_order(depth)
        self.influence: FloatArray = (
            self.phi
            + depth / count * self.kernel(self.rest - self.lr * self.phi)
            + cubic * self.lr**2 * self.overlap * rho
        )

    def kernel(self, v: FloatArray) -> FloatArray:
        """Return K v."""
        product: FloatArray = self.data.inputs @ (self.data.inputs.T @ v) / self.data.dimension
        return product


def second_order(depth: int) -> tuple[float, float]:
    r"""Return C and D, which give the coefficient of η² in the outputs.

    Its component along a is C ⟨ρ, f(0)⟩ plus noise that is independent of the outputs f(0) before
    training and has variance :math:`D\, ρ^\top K ρ / n`.

    Arguments:
        depth: L.

    Returns:
        C and D.

    Example:
        >>> second_order(4)
        (10.0, 9)
    """
    cubic = (depth**3 - depth) / 6
    return cubic, sum((i * j) ** 2 for i in range(1, depth) for j in range(1, depth - i))


def _is_plain(problem: Problem) -> bool:
    return (
        problem.scheme == ABC_SCHEMES["mup"]
        and problem.trained == ("hidden",)
        and problem.weight_decay == 0
        and problem.batches is None
        and problem.data.outputs == 1
        and problem.data.has_pull
    )
