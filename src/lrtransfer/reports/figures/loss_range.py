"""Which losses a plot shows, so that the valleys can be seen beside walls and plateaus."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from ..plotly.figure import round_numbers
from ..rate_runs import RateRuns

_LOG_RATIO = 30.0  # a linear axis cannot show two valleys whose depths differ by more
_USUAL_QUANTILE = 0.6
_HEADROOM = 1.8


@dataclass(frozen=True)
class LossRange:
    """The losses that a plot shows.

    Attributes:
        low: Lower end.
        high: Upper end; losses above it are marked as off scale.
        log: Whether the axis is logarithmic.
    """

    low: float
    high: float
    log: bool = False

    @property
    def range(self) -> list[float | None]:
        """The range as plotly takes it."""
        ends = (self.low, self.high)
        return round_numbers(math.log10(end) for end in ends) if self.log else round_numbers(ends)

    def clamp(self, loss: float) -> float:
        """Return a loss, kept within one height of the axis, so that lines leave it straight."""
        low, high = self.low, self.high
        if self.log:
            return min(max(loss, low * low / high), high * high / low)
        return min(max(loss, 2 * low - high), 2 * high - low)


def choose_range(panels: Iterable[Sequence[RateRuns]]) -> LossRange:
    """Return the losses to show, given the runs of every scheme.

    Let r be the way from the lowest loss up to a quantile of the medians, or to the highest of
    the sizes' lowest medians if that is farther. The axis holds every loss within 1.8 r.

    Arguments:
        panels: The runs of each scheme.

    Example:
        >>> groups = [RateRuns(64, x, 2.0**x, ((0, 3 + x * x),), 0) for x in (-1.0, 0.0, 1.0)]
        >>> choose_range([groups])
        LossRange(low=2.95, high=4.05, log=False)
    """
    panels = [tuple(groups) for groups in panels]
    losses = [loss for group in chain(*panels) for loss in group.losses]
    if not losses:
        return LossRange(0.0, 1.0)
    low, reach = min(losses), max([min(losses), *_list_landmarks(panels)])
    if low > 0 and reach > _LOG_RATIO * low:
        ends = _choose_ends([math.log10(loss) for loss in losses], math.log10(reach))
        return LossRange(10 ** ends[0], 10 ** ends[1], log=True)
    return LossRange(*_choose_ends(losses, reach))


def _list_landmarks(panels: Sequence[Sequence[RateRuns]]) -> list[float]:
    """Return the losses that must be shown: a usual median, and the lowest of every curve."""
    medians: dict[tuple[int, int], list[float]] = {}
    for i, groups in enumerate(panels):
        for group in groups:
            if math.isfinite(group.median):
                medians.setdefault((i, group.size), []).append(group.median)
    ordered = sorted(chain(*medians.values()))
    usual = ordered[math.ceil(_USUAL_QUANTILE * (len(ordered) - 1)) :][:1]
    return [*usual, *(min(curve) for curve in medians.values())]


def _choose_ends(losses: Sequence[float], reach: float) -> tuple[float, float]:
    low = min(losses)
    high = max(loss for loss in losses if loss <= low + _HEADROOM * (reach - low))
    pad = 0.05 * (high - low) or max(0.05 * abs(low), 1e-12)
    return low - pad, high + pad
