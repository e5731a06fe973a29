"""What the statistics answer: plain frozen data, read by the command line and the reports.

x = log2 learning rate; an octave is a factor of two in learning rate, a doubling a factor of two
in size: the width of a model, or what else is varied (`axis`). A bound that is not known is None,
never NaN.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from .axis import AXES, Axis, AxisName
from .table import FloatArray

VerdictName = Literal["transfers", "does not transfer", "inconclusive"]
OptimumStatus = Literal["ok", "edge", "none"]
Side = Literal["low", "high"]


@dataclass(frozen=True)
class Interval:
    """State an estimate with its 95 % interval."""

    estimate: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Optimum:
    """State where the loss of one size is lowest.

    Attributes:
        size: Size n.
        log2_lr: Estimate of x*; at an edge, the rate of the lowest loss; None without a minimum.
        low: Lower end of the 95 % interval of x*; None where there is no lower bound.
        high: Upper end; None where there is no upper bound.
        status: `ok`; `edge` when the lowest loss lies at the end of the rates tried, so that
            only a bound is known; `none` when fewer than three rates gave a finite loss.
    """

    size: int
    log2_lr: float | None
    low: float | None
    high: float | None
    status: OptimumStatus


@dataclass(frozen=True, eq=False)
class CurveFit:
    """Hold the fitted loss curve of one size with its 95 % band, all of shape (G,)."""

    size: int
    log2_lr: FloatArray
    loss: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True)
class Regret:
    """State what the narrow size's optimum costs at a wider one, as a share of the best loss.

    Attributes:
        size: Size at which the price is paid.
        measured: Whether runs were made at that size; else it is expected from the prediction.
        estimate: (loss at the rate used - best loss) / best loss; where the rate is only bounded,
            that of the best rate within the bound.
        low: Lower end of its interval.
        high: Upper end; None when the rate used lies outside the rates tried there.
        quantiles: Which quantiles `low` and `high` are: 0.01 and 0.95 of a measured regret, farther
            out where several looks share the error; 0.025 and 0.975 of an expected one. A `low` of
            0 says that the rate used may itself be the best.
        tolerance: The share up to which the rate is said to transfer.
        log2_lr: The rate used: the optimum of the base size (or the narrowest measured).
        best_loss: Lowest mean loss measured at the size, of which the shares are taken.
        outside: Side on which the rate used lies beyond the rates tried at `size`, or None;
            then `estimate` is the regret of the nearest rate tried.
    """

    size: int
    measured: bool
    estimate: float
    low: float | None
    high: float | None
    quantiles: tuple[float, float]
    tolerance: float
    log2_lr: float
    best_loss: float
    outside: Side | None = None


@dataclass(frozen=True)
class Prediction:
    """State the learning rate for the target size with its 95 % predictive interval.

    `lr`, `low` and `high` are learning rates, not logarithms.
    """

    size: int
    lr: float
    low: float
    high: float
    assumption: str


@dataclass(frozen=True)
class Quality:
    """Rate the transfer of a scheme on three axes, each None where the runs do not tell.

    Attributes:
        scatter: Fit: how far optima lie from a straight line over log2 size beyond their own
            intervals, a standard deviation in octaves.
        extrapolation: Robustness: the regret at the widest size of the rate that the narrower
            sizes predict for it.
        penalty: Asymptotic penalty: the regret expected of the base's optimum three doublings
            beyond the widest size.
    """

    scatter: float | None
    extrapolation: Regret | None
    penalty: Regret | None


@dataclass(frozen=True)
class Evidence:
    """Name runs that would settle an open answer.

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
        return f"{self.action}: {runs}, about {100 * self.cost:.2g} % of the training so far"


@dataclass(frozen=True)
class SchemeAnswer:
    """Gather everything that is concluded for one scheme.

    Attributes:
        scheme: Name of the scheme.
        verdict: Decided by the regret interval against the tolerance, by nothing else.
        reason: One sentence for people: what decided, or what is missing.
        covers: What the verdict speaks of, and what it does not.
        regret: Zero-shot regret at the target or the widest measured size, if it can be stated.
        regrets: Zero-shot regret at every measured size but the base, where it can be stated; last
            what is expected at a target beyond them.
        quality: Fit, robustness and asymptotic penalty of the transfer.
        drift: Slope of x* over log2 size, in octaves per doubling, if it can be stated.
        optima: One per size, by increasing size.
        prediction: Learning rate for the target, if it can be stated.
        fits: One fitted curve per size whose optimum is `ok`.
        evidence: What would settle an open answer, the most useful first.
        axis: What is varied: sizes, here and below, are sizes along it.
    """

    scheme: str
    verdict: VerdictName
    reason: str
    covers: str
    regret: Regret | None
    drift: Interval | None
    optima: tuple[Optimum, ...]
    prediction: Prediction | None
    fits: tuple[CurveFit, ...]
    evidence: tuple[Evidence, ...]
    regrets: tuple[Regret, ...] = ()
    quality: Quality = Quality(None, None, None)
    axis: AxisName = "width"


def axis_of(answers: Iterable[SchemeAnswer]) -> Axis:
    """Return the words for the axis that answers speak of; those for width if there is no answer.

    Example:
        >>> axis_of([]).most
        'widest'
    """
    return AXES[next((answer.axis for answer in answers), "width")]


@dataclass(frozen=True)
class Comparison:
    """State how one scheme differs from another, the reference: differences, this less that.

    All intervals of one table hold together with 95 %.

    Attributes:
        scheme: Name.
        reference: Name of the scheme that it is compared with.
        size: Widest size that both have, of which regret and best loss speak.
        drift: Difference of the drifts, in octaves per doubling, from sizes that both have.
        regret: Difference of the zero-shot regrets, as shares of the best losses.
        best_loss: Difference of the losses at the best rates, from seeds that both have.
    """

    scheme: str
    reference: str
    size: int
    drift: Interval | None
    regret: Interval | None
    best_loss: Interval | None
