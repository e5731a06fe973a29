"""What the statistics answer: plain frozen data, read by the command line and the reports.

x = log2 learning rate; an octave is a factor of two in learning rate, a doubling a factor of two
in size: the width of a model, or what else is varied (`axis`). A bound that is not known is None,
never NaN. Intervals hold the truth with 95 %, but for that of a regret, which names its quantiles.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Literal

from ..scaling import FloatArray
from .axis import AXES, Axis, AxisName
from .notation import format_percent

VerdictName = Literal["transfers", "does not transfer", "inconclusive"]
OptimumStatus = Literal["ok", "edge", "none"]
Side = Literal["low", "high"]

TAIL = 0.025  # share of the draws beyond either end of a 95 % interval
# Where the interval of a measured regret ends, so that it never disagrees with the verdict: the
# quantiles that "does not transfer" and "transfers" are decided by (`regret`).
LOW_QUANTILE, HIGH_QUANTILE = 0.01, 0.95


@dataclass(frozen=True)
class Interval:
    """Estimate with its 95 % interval; in a `Comparison`, one that holds together with the others.

    Attributes:
        estimate: The estimate.
        low: Lower end, None where there is no lower bound.
        high: Upper end, None where there is no upper bound.
    """

    estimate: float
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class Optimum:
    """Learning rate at which the loss of one size is lowest.

    Attributes:
        size: Size n.
        log2_lr: Estimate of x*; at an edge, the rate of the lowest loss; None without a minimum.
        low: Lower end of the 95 % interval of x*; None where there is no lower bound.
        high: Upper end; None where there is no upper bound.
        status: `ok`; `edge` when the lowest loss lies at the end of the rates tried, so that
            only a bound is known; `none` when fewer than two rates gave a finite loss.
    """

    size: int
    log2_lr: float | None
    low: float | None
    high: float | None
    status: OptimumStatus


@dataclass(frozen=True, eq=False, kw_only=True)
class CurveFit:
    """Fitted loss curve of one size with its pointwise 95 % band, all of shape (G,)."""

    size: int
    log2_lr: FloatArray
    loss: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, kw_only=True)
class Regret:
    """Cost of using the base size's optimum at a larger size, as a share of the best loss there.

    Where the tolerance was given in units of the loss and the best loss is no larger than it, a
    share of that loss would mean nothing: then all numbers are in units of the loss.

    The interval of a measured regret runs from its 1 % to its 95 % quantile, not over the middle
    95 %: these two decide the verdict. Where several looks at a growing table share the error of
    one, both go outwards. That of an expected regret runs from 2.5 % to 97.5 %.

    Attributes:
        size: Size at which the price is paid.
        measured: Whether runs were made at that size; else it is expected from the prediction.
        estimate: (loss at the rate used - best loss) / best loss; where the rate is only bounded,
            that of the best rate within the bound.
        low: Lower end of its interval; 0 where the rate used may itself be the best.
        high: Upper end; None when the rate used lies outside the rates tried there.
        tolerance: The share up to which the rate is said to transfer.
        log2_lr: The rate used: the optimum of the base size (or the smallest measured).
        best_loss: Lowest mean loss measured at the size, of which the shares are taken.
        outside: Side on which the rate used lies beyond the rates tried at `size`, or None;
            then `estimate` is the regret of the nearest rate tried.
        low_quantile: Quantile of the regret at which the interval begins, as a share.
        high_quantile: Quantile at which it ends.
        in_loss_units: Whether `estimate`, `low`, `high` and `tolerance` are in units of the loss.
        high_of_optimum: What `high` would be of the true optimum that the rate used is an estimate
            of, and that another sweep may find elsewhere; None where it has no bound.
    """

    size: int
    measured: bool
    estimate: float
    low: float | None
    high: float | None
    tolerance: float
    log2_lr: float
    best_loss: float
    outside: Side | None = None
    low_quantile: float = LOW_QUANTILE
    high_quantile: float = HIGH_QUANTILE
    in_loss_units: bool = False
    high_of_optimum: float | None = None

    @property
    def amount(self) -> float:
        """The estimate in units of the loss."""
        return self.estimate if self.in_loss_units else self.estimate * self.best_loss


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """Learning rate for the target size.

    Attributes:
        size: The target.
        lr: Learning rate (not its logarithm) of the least expected loss there.
        low: Lower end of the 95 % interval of the optimum there.
        high: Upper end.
        assumption: What the interval takes for granted.
        middle: Median of the optimum there; beside a wall `lr` is lower.
    """

    size: int
    lr: float
    low: float
    high: float
    assumption: str
    middle: float


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """One size predicted from the others, beside what its own runs show.

    Attributes:
        size: The size that was left out.
        predicted: What the other sizes, fitted without it, predict; None where they cannot.
        optimum: What was measured.
        octaves: Middle of the prediction minus measured optimum; None where one is not known.
        holds: Whether they lie no farther apart than their intervals, added in quadrature, reach
            towards each other; of a bound, False where the whole prediction lies beyond it. None
            where this cannot be told.
        regret: What the predicted rate costs on the size's own curve.
    """

    size: int
    predicted: Prediction | None
    optimum: Optimum
    octaves: float | None
    holds: bool | None
    regret: Regret | None


@dataclass(frozen=True)
class SecondOpinion:
    """How the method does on a table of one's own: every size predicted from the others.

    Attributes:
        sizes: One entry per size, the largest first.
    """

    sizes: tuple[LeftOut, ...]

    @property
    def judged(self) -> int:
        """How many predictions could be compared with a measured optimum."""
        return sum(one.holds is not None for one in self.sizes)

    @property
    def held(self) -> int:
        """How many of them held it."""
        return sum(one.holds is True for one in self.sizes)

    @property
    def miss(self) -> float | None:
        """Median distance in octaves; None where none is known."""
        misses = [abs(one.octaves) for one in self.sizes if one.octaves is not None]
        return median(misses) if misses else None


@dataclass(frozen=True)
class Quality:
    """Quality of a transfer on three axes, each None where the runs do not tell.

    Attributes:
        scatter: Fit: how far optima lie from a straight line over log2 size beyond what their own
            intervals explain, a standard deviation in octaves. 0 does not say that the optima lie
            on a line, but that they lie no farther from it than their intervals are wide.
        extrapolation: Robustness: the regret at the largest size of the rate that the smaller
            sizes predict for it.
        penalty: Asymptotic penalty: the regret expected of the base's optimum three doublings
            beyond the largest size.
    """

    scatter: float | None = None
    extrapolation: Regret | None = None
    penalty: Regret | None = None


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Runs that would settle an open answer.

    Attributes:
        action: What to do, for people.
        size: Size at which to train.
        log2_lr: Learning rates to be tried, as log2.
        runs: Number of runs, all seeds counted.
        cost: What they cost, as a share of what the scheme's runs so far cost, if equally long
            training costs in proportion to width squared (along another axis, to the size).
    """

    action: str
    size: int
    log2_lr: tuple[float, ...]
    runs: int
    cost: float

    def __str__(self) -> str:
        """Return what to do, how many runs it takes, and what they cost."""
        runs = "1 run" if self.runs == 1 else f"{self.runs} runs"
        return f"{self.action}: {runs}, about {format_percent(self.cost)} of the training so far"


@dataclass(frozen=True, kw_only=True)
class Narrowing:
    """Runs that narrow the prediction's interval most for what they cost.

    Attributes:
        runs: The runs.
        octaves: Total width of the interval now.
        expected: Width to be expected with these runs, if optima lie where the trend has them.
    """

    runs: Evidence
    octaves: float
    expected: float

    def __str__(self) -> str:
        """Return what to do and what it brings."""
        return f"{self.runs}; interval {self.octaves:.2g} -> {self.expected:.2g} octaves"


@dataclass(frozen=True, kw_only=True)
class SchemeAnswer:
    """Everything that is concluded for one scheme.

    Attributes:
        scheme: Name of the scheme.
        verdict: Decided by the interval of the regret against the tolerance, by nothing else:
            its 95 % quantile must not exceed it ("transfers"), its 1 % quantile must ("does not
            transfer"). Never "transfers" without a learning rate for the target.
        reason: One sentence for people: what decided, or what is missing.
        covers: What the verdict speaks of, and what it does not.
        regret: Zero-shot regret at the target or the largest measured size, if it can be stated.
        regrets: Zero-shot regret at every measured size but the base, where it can be stated; last
            what is expected at a target beyond them.
        quality: Fit, robustness and asymptotic penalty of the transfer.
        drift: Slope of x* over log2 size, in octaves per doubling, if it can be stated.
        optima: One per size, by increasing size.
        prediction: Learning rate for the target, if it can be stated.
        fits: One fitted curve per size whose optimum is `ok`.
        evidence: What would settle an open answer, the most useful first.
        axis: What is varied: sizes, here and below, are sizes along it.
        hangs_on: What might as well have come out otherwise and would turn the verdict, in words.
        narrowing: What would narrow the prediction most for its cost, if anything much would.
        left_out: Every size predicted from the others, if it was asked for (`Judgement.check`).
    """

    scheme: str
    verdict: VerdictName
    reason: str = ""
    covers: str = ""
    regret: Regret | None = None
    drift: Interval | None = None
    optima: tuple[Optimum, ...] = ()
    prediction: Prediction | None = None
    fits: tuple[CurveFit, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    regrets: tuple[Regret, ...] = ()
    quality: Quality = Quality()
    axis: AxisName = "width"
    hangs_on: str | None = None
    narrowing: Narrowing | None = None
    left_out: SecondOpinion | None = None


def axis_of(answers: Iterable[SchemeAnswer]) -> Axis:
    """Return the words for the axis that answers speak of; those for width if there is no answer.

    Example:
        >>> axis_of([]).largest
        'widest'
    """
    return AXES[next((answer.axis for answer in answers), "width")]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Differences between one scheme and another, the reference: this one's value minus that one's.

    All intervals of one table hold together with 95 %.

    Attributes:
        scheme: Name.
        reference: Name of the scheme that it is compared with.
        size: Largest size that both have, of which regret and best loss speak.
        drift: Difference of the drifts, in octaves per doubling, from sizes that both have.
        regret: Difference of the zero-shot regrets, as shares of the best losses.
        best_loss: Difference of the losses at the best rates, from seeds that both have.
        in_loss_units: Whether `regret` is in units of the loss, as in a `Regret`.
    """

    scheme: str
    reference: str
    size: int
    drift: Interval | None
    regret: Interval | None
    best_loss: Interval | None
    in_loss_units: bool = False
