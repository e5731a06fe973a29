"""The optimal learning rate in the limit of infinite width, proved where that is affordable."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import flint

from ...errors import UserError
from ..largest import require_bearable
from ..minima import LrInterval, Minimum, check_interval
from ..regression import Numbers
from .budget import Deadline, OutOfBudgetError
from .certificate import Certificate, Enclosure, certify
from .deep_linear import Problem
from .exact_loss import ExactLoss, exact_loss, to_rational
from .limit import limit_trajectory
from .real_roots import enclose, isolate, root_bound, square_free_part
from .search import default_interval, lowest_minima


@dataclass(frozen=True)
class Minimiser:
    """An interval that contains one minimiser.

    Attributes:
        low: Lower end.
        high: Upper end.
        loss: Limit loss there.
    """

    low: float
    high: float
    loss: float


@dataclass(frozen=True)
class LimitOptimum:
    """The global minimisers of the limit loss on an interval.

    Attributes:
        minimisers: Minimisers by increasing learning rate. If certified, every global minimiser
            lies in one of these intervals; otherwise their errors are float64 estimates.
        unique: Whether there is only one, as Theorem 3 assumes; None where that is not decided.
        certified: Whether the above is proved, for the data as given.
        complete: Whether it is proved that beyond the interval the loss exceeds that at rate 0.
        interval: Learning rates searched.
        method: How the minimisers were computed, in words.
    """

    minimisers: tuple[Minimiser, ...]
    unique: bool | None
    certified: bool
    complete: bool
    interval: LrInterval
    method: str

    @property
    def lr(self) -> float:
        """Middle of the first minimiser."""
        first = self.minimisers[0]
        return (first.low + first.high) / 2


def limit_optimum(
    problem: Problem, *, steps: int, interval: LrInterval | None = None, budget: float = 30.0
) -> LimitOptimum:
    r"""Return the global minimisers over η of the limit loss under μP after t steps.

    Arguments:
        problem: Data, depth, trained roles, optimizer.
        steps: t, at least 1.
        interval: Learning rates to search. By default [0, b] with b the smallest bound beyond which
            the loss is proved to exceed that at rate 0; where no proof is affordable, four times
            the optimum of the first step.
        budget: Seconds for the proof; if they do not suffice, the result is a float64 one.

    Returns:
        The minimisers, and whether they are proved.

    Raises:
        UserError: If there is no limit or no optimum, or an argument is out of range.

    Example:
        >>> problem = Problem(Regression([[1.0], [2.0]], [2.0, 4.0]), depth=2)
        >>> optimum = limit_optimum(problem, steps=1)
        >>> round(optimum.lr, 12), optimum.unique, optimum.interval  # (1 − 5η)² · 5
        (0.2, True, (0.0, 0.4))

    References:
        Hayou (2025), Theorems 1 and 3. A Proof of Learning Rate Transfer under μP.
        https://arxiv.org/abs/2511.01734
    """
    require_bearable(steps=steps)
    if steps < 1:
        raise UserError(f"steps: got {steps}, wanted at least 1: at step 0 every rate is as good.")
    if interval is not None:
        check_interval(interval)

    def trajectory(lrs: Numbers, steps: int) -> Numbers:
        return limit_trajectory(problem, lrs, steps=steps)

    default = default_interval(problem, trajectory)
    deadline = Deadline(time.monotonic() + budget)
    try:
        loss = exact_loss(problem, steps=steps, deadline=deadline)
        low, high = interval or (0.0, _bound(loss, deadline) or default[1])
        return _certify_optimum(loss, low, high, is_complete=interval is None, deadline=deadline)
    except OutOfBudgetError:
        minima = lowest_minima(problem, trajectory, steps=steps, interval=interval or default)
        return _without_proof(minima, problem.data.floor, interval or default, budget)


def _certify_optimum(
    loss: ExactLoss, low: float, high: float, *, is_complete: bool, deadline: Deadline
) -> LimitOptimum:
    proof = certify(
        loss.polynomial, to_rational(low), to_rational(high), floor=loss.floor, deadline=deadline
    )
    return LimitOptimum(
        minimisers=tuple(_round_outwards(enclosure) for enclosure in proof.minimisers),
        unique=proof.unique,
        certified=True,
        complete=is_complete,
        interval=(low, high),
        method=_describe_method(loss, proof),
    )


def _describe_method(loss: ExactLoss, proof: Certificate) -> str:
    degree = loss.polynomial.degree()
    tie = "; equality of values undecided" if proof.unique is None else ""
    return f"all critical points of the exact polynomial of degree {degree}{tie}"


def _bound(loss: ExactLoss, deadline: Deadline) -> float | None:
    """Return the least float beyond which the loss exceeds that at 0; None if it does from 0 on."""
    p = loss.polynomial
    gain = square_free_part((p - p[0]) // flint.fmpq_poly([0, 1]))
    last = next(isolate(gain, flint.fmpq(0), root_bound(gain), deadline=deadline), None)
    return None if last is None else _round_up(enclose(gain, last, bits=60, deadline=deadline))


def _round_outwards(enclosure: Enclosure) -> Minimiser:
    low = -_round_up(-enclosure.lr)
    return Minimiser(low, _round_up(enclosure.lr), float(enclosure.loss.mid()))


def _round_up(x: flint.arb) -> float:
    """Return a float that is not below any number in the ball."""
    upper = x.upper()
    rounded = float(upper.mid())
    return rounded if flint.arb(rounded) >= upper else math.nextafter(rounded, math.inf)


def _without_proof(
    minima: Sequence[Minimum], floor: float, interval: LrInterval, budget: float
) -> LimitOptimum:
    lowest = minima[0]
    tied = [m for m in minima if m.loss <= lowest.loss + m.rounding + lowest.rounding]
    return LimitOptimum(
        minimisers=tuple(
            Minimiser(m.lr - m.error, m.lr + m.error, m.loss + floor)
            for m in sorted(tied, key=lambda m: m.lr)
        ),
        unique=None,
        certified=False,
        complete=False,
        interval=interval,
        method=f"float64 search; no proof within {budget:g} s",
    )
