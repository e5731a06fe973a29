"""The limit loss as an exact polynomial in the learning rate; the float64 data count as exact."""

from dataclasses import dataclass, field

import flint
import numpy as np

from ...scaling import FloatArray
from ..regression import Numbers
from .budget import Deadline, OutOfBudgetError
from .deep_linear import Problem
from .degrees import limit_degree
from .limit import chain_of, trajectory

MAX_EXACT_DEGREE = 600  # of the loss, whose coefficients have up to some 100 bits per degree
MAX_ENTRIES = 10**6  # entries of X
MAX_INPUTS = 100  # d


@dataclass(frozen=True, eq=False)
class ExactLoss:
    """The limit loss and the weights behind it, as polynomials.

    Attributes:
        weights: End-to-end weights of the inputs in powers of η, shape (d, k).
        polynomial: Limit loss in powers of η.
        floor: Loss of the best linear function: a lower bound.
    """

    weights: Numbers
    polynomial: flint.fmpq_poly
    floor: flint.fmpq


def exact_loss(problem: Problem, *, steps: int, deadline: Deadline) -> ExactLoss:
    r"""Return the limit loss under μP after t steps in exact arithmetic.

    Arguments:
        problem: Data, depth, trained roles, optimizer.
        steps: t.
        deadline: End of the time budget.

    Returns:
        Polynomials with rational coefficients.

    Raises:
        OutOfBudgetError: Past the deadline, or if the degree or the data are too large.

    Example:
        >>> problem = Problem(Regression([[1.0], [2.0]], [2.0, 4.0]), depth=2)
        >>> exact_loss(problem, steps=1, deadline=Deadline()).polynomial  # (1 − 5η)² · 5
        125*x^2 + (-50)*x + 5
    """
    data, degree = problem.data, 2 * limit_degree(problem, steps=steps)
    if degree > MAX_EXACT_DEGREE or data.inputs.size > MAX_ENTRIES or data.dimension > MAX_INPUTS:
        raise OutOfBudgetError
    chain = chain_of(problem, features=data.dimension, number=to_rational)
    lrs = np.empty(1, object)
    lrs[0] = flint.fmpq_poly([0, 1])
    phi = trajectory(chain, _ExactSamples(problem, deadline), lrs, steps=steps)[-1][0]
    moments = _moments(problem, np.arange(data.count))
    return ExactLoss(phi, moments.loss(phi), moments.floor)


def to_rational(x: float) -> flint.fmpq:
    """Return the rational number equal to a float."""
    return flint.fmpq(*float(x).as_integer_ratio())


@dataclass(frozen=True, eq=False)
class _Moments:
    r"""Second moments of the samples, which determine the loss.

    .. math:: \tfrac12 \langle φ, Aφ \rangle - \langle φ, c \rangle + e
    """

    second: Numbers  # A = XᵀX / N
    mixed: Numbers  # c = Xᵀy / N
    energy: flint.fmpq  # e = ‖y‖² / 2N

    def gradient(self, phi: Numbers) -> Numbers:
        gradient: Numbers = self.second @ phi - self.mixed
        return gradient

    def loss(self, phi: Numbers) -> flint.fmpq_poly:
        loss = (phi * (self.second @ phi / 2 - self.mixed)).sum() + self.energy
        return flint.fmpq_poly(loss)

    @property
    def floor(self) -> flint.fmpq:
        """Loss at the solutions of A φ = c."""
        size, outputs = self.mixed.shape
        rows = np.hstack([self.second, self.mixed])
        reduced, rank = flint.fmpq_mat(rows.tolist()).rref()
        best = np.full((size, outputs), flint.fmpq(0), object)
        for i in range(rank):
            pivot = next(j for j in range(size) if reduced[i, j] != 0)
            best[pivot] = [reduced[i, size + k] for k in range(outputs)]
        gain: flint.fmpq = (best * self.mixed).sum() / 2
        return self.energy - gain


def _moments(problem: Problem, samples: Numbers) -> _Moments:
    data, count = problem.data, len(samples)
    x, y = _matrix(data.inputs[samples]), _matrix(data.targets[samples])
    return _Moments(
        second=_array(x.transpose() * x) / count,
        mixed=_array(x.transpose() * y) / count,
        energy=_array(y.transpose() * y).trace() / (2 * count),
    )


def _matrix(values: FloatArray) -> flint.fmpq_mat:
    """Return the values as a FLINT matrix, whose products use one common denominator."""
    return flint.fmpq_mat([[to_rational(x) for x in row] for row in values.tolist()])


def _array(matrix: flint.fmpq_mat) -> Numbers:
    array: Numbers = np.array(matrix.tolist(), object)
    return array


@dataclass(frozen=True, eq=False)
class _ExactSamples:
    problem: Problem
    deadline: Deadline
    moments: dict[bytes, _Moments] = field(default_factory=dict)  # of the batches so far

    def gradient(self, step: int, phi: Numbers) -> Numbers:
        self.deadline.check()
        samples = self.problem.batch(step).samples
        key = samples.tobytes()
        if key not in self.moments:
            self.moments[key] = _moments(self.problem, samples)
        return self.moments[key].gradient(phi)
