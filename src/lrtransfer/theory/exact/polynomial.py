r"""Outputs and loss after t steps as polynomials in the learning rate.

In the limit the coefficients are exact, then rounded. At width n they are computed from values on a
circle of radius ρ in the complex plane, where the recursion runs as well because it contains no
division: with
:math:`\omega = e^{2\pi i/m}`

.. math:: c_j = \frac{\rho^{-j}}{m} \sum_{k<m} \omega^{-jk}\, p(\rho\, \omega^k)
"""

import time
from dataclasses import dataclass

import flint
import numpy as np

from ...errors import UserError
from ...scaling import FloatArray
from ..largest import require_bearable
from ..regression import Numbers
from .budget import Deadline, OutOfBudgetError
from .deep_linear import Problem
from .degrees import limit_degree, output_degree
from .exact_loss import exact_loss
from .finite_optimum import draw_optimum
from .finite_width import draw_weights, finite_trajectory
from .optimum import limit_optimum

MAX_WRITTEN_DEGREE = 500  # of the loss
BUDGET = 60  # seconds for exact coefficients


@dataclass(frozen=True, eq=False)
class LossPolynomial:
    """Coefficients of outputs and loss in the learning rate, lowest powers first.

    Attributes:
        output: Coefficients of every output of every sample, shape (D + 1, N, k).
        loss: Coefficients of the loss, shape (2D + 1,).
        radius: ρ, the optimal learning rate.
    """

    output: FloatArray
    loss: FloatArray
    radius: float

    @property
    def degree_output(self) -> int:
        """Degree of the outputs, D."""
        return len(self.output) - 1

    @property
    def degree_loss(self) -> int:
        """Degree of the loss, 2D."""
        return len(self.loss) - 1

    @property
    def condition(self) -> float:
        r"""Growth of rounding errors at ρ: :math:`\sum_j |c_j| \rho^j`, as a multiple of c_0."""
        with np.errstate(over="ignore"):
            powers = self.radius ** np.arange(len(self.loss))
            return float(np.abs(self.loss) @ powers / abs(self.loss[0]))


def loss_polynomial(
    problem: Problem, *, steps: int, width: int | None = None, seed: int = 0
) -> LossPolynomial:
    """Return the coefficients of outputs and loss after t steps.

    Arguments:
        problem: Data, depth, parametrization, optimizer.
        steps: t, at least 0.
        width: n, or None for the limit under μP.
        seed: Index of the draw at width n.

    Returns:
        The coefficients in float64.

    Raises:
        UserError: If the degree is too high, or there is no limit or no optimum.

    Example:
        >>> problem = Problem(Regression([[1.0], [2.0]], [2.0, 4.0]), depth=2)
        >>> loss_polynomial(problem, steps=1).loss.tolist()  # (1 − 5η)² · 5
        [5.0, -50.0, 125.0]

    References:
        Hayou (2025), proof of Theorem 3. A Proof of Learning Rate Transfer under μP.
        https://arxiv.org/abs/2511.01734
    """
    require_bearable(steps=steps, width=width or 1)
    if steps < 0 or (width is not None and width < 1):
        raise UserError(
            f"polynomial: got steps={steps}, width={width}, wanted steps >= 0, width >= 1 or None."
        )
    count = limit_degree if width is None else output_degree
    degree = count(problem, steps=steps)
    if 2 * degree > MAX_WRITTEN_DEGREE:
        raise UserError(
            f"steps: got {steps}, at which the loss has degree {_format_degree(2 * degree)} in the "
            f"learning rate, wanted a degree of at most {MAX_WRITTEN_DEGREE}. Lower --steps or "
            "--depth; theory curve and theory optimum need no coefficients."
        )
    if width is None:
        return _limit(problem, steps)
    weights = draw_weights(problem, width=width, seed=seed)
    radius = draw_optimum(problem, weights, steps=max(steps, 1)).lr
    circle = radius * np.exp(2j * np.pi * np.arange(degree + 1) / (degree + 1))
    with np.errstate(over="ignore", invalid="ignore"):
        phi = finite_trajectory(problem, weights, circle, steps=steps)[-1]
    return _from_circle(problem, phi, radius)


def _format_degree(degree: int) -> str:
    return f"{degree:,}" if degree < 10**12 else f"10^{len(str(degree)) - 1}"


def _limit(problem: Problem, steps: int) -> LossPolynomial:
    try:
        loss = exact_loss(problem, steps=steps, deadline=Deadline(time.monotonic() + BUDGET))
    except OutOfBudgetError:
        raise UserError(
            f"polynomial: got {steps} steps on data of shape {problem.data.inputs.shape}, whose "
            f"exact coefficients take more than {BUDGET} s, wanted fewer. Lower --steps."
        ) from None
    columns = [[_floats(p) for p in row] for row in loss.weights]
    size = 1 + limit_degree(problem, steps=steps)
    phi = np.array([[c + [0.0] * (size - len(c)) for c in row] for row in columns])
    radius = limit_optimum(problem, steps=max(steps, 1)).lr
    output = np.einsum("nd,dkj->jnk", problem.data.inputs, phi)
    return LossPolynomial(output, np.array(_floats(loss.polynomial)), radius)


def _floats(p: flint.fmpq_poly) -> list[float]:
    try:
        return [int(c.p) / int(c.q) for c in flint.fmpq_poly(p).coeffs()]
    except OverflowError:
        raise _out_of_range() from None


def _from_circle(problem: Problem, phi: Numbers, radius: float) -> LossPolynomial:
    """Return the coefficients from the values φ on the circle, shape (D + 1, r, k)."""
    if not np.isfinite(phi).all():
        raise _out_of_range()
    data = problem.data
    scaled = np.fft.fft(phi, axis=0).real / len(phi)  # c_j ρ^j
    residual = data.full_batch.rows @ scaled
    residual[0] -= data.full_batch.targets
    rows = residual.reshape(len(phi), -1).T
    loss = np.array([np.convolve(row, row) for row in rows]).sum(axis=0) / (2 * data.count)
    loss[0] += data.floor
    output = data.inputs @ (data.basis @ scaled)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        powers = radius ** np.arange(len(loss))
        output, loss = output / powers[: len(phi), None, None], loss / powers
    if not (np.isfinite(output).all() and np.isfinite(loss).all()):
        raise _out_of_range()
    return LossPolynomial(output, loss, radius)


def _out_of_range() -> UserError:
    return UserError(
        "polynomial: got coefficients beyond the range of float64, wanted smaller ones. Lower "
        "--steps, or scale the inputs: inputs c times as large make rates 1/c² as large."
    )
