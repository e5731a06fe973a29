"""Which losses a plot shows, so that the valleys can be seen beside walls and plateaus."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from ..cells import Cell
from ..plotly.grid import numbers

_LOG_RATIO = 30.0  # a linear axis cannot show two valleys whose depths differ by more
_USUAL_QUANTILE = 0.6
_HEADROOM = 1.8


@dataclass(frozen=True)
class LossAxis:
    """State which losses a plot shows.

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
        return numbers(math.log10(end) for end in ends) if self.log else numbers(ends)

    def held(self, loss: float) -> float:
        """Return a loss, held within one height of the axis, so that lines leave it straight."""
        low, high = self.low, self.high
        if self.log:
            return min(max(loss, low * low / high), high * high / low)
        return min(max(loss, 2 * low - high), 2 * high - low)


def loss_axis(panels: Iterable[Sequence[Cell]]) -> LossAxis:
    """Return the losses to show, given the cells of every scheme.

    Let r be the way from the lowest loss up to a quantile of the medians, or to the highest of
    the widths' lowest medians if that is farther. The axis holds every loss within 1.8 r.

    Arguments:
        panels: The cells of each scheme.

    Example:
        >>> cells = [Cell(64, x, 2.0**x, ((0, 3 + x * x),), 0) for x in (-1.0, 0.0, 1.0)]
        >>> loss_axis([cells])
        LossAxis(low=2.95, high=4.05, log=False)
    """
    panels = [tuple(cells) for cells in panels]
    losses = [loss for cell in chain(*panels) for loss in cell.losses]
    if not losses:
        return LossAxis(0.0, 1.0)
    low, must = min(losses), max([min(losses), *_must_show(panels)])
    if low > 0 and must > _LOG_RATIO * low:
        ends = _ends([math.log10(loss) for loss in losses], math.log10(must))
        return LossAxis(10 ** ends[0], 10 ** ends[1], log=True)
    return LossAxis(*_ends(losses, must))


def _must_show(panels: Sequence[Sequence[Cell]]) -> list[float]:
    """Return the usual median and the lowest median of every scheme and width."""
    medians: dict[tuple[int, int], list[float]] = {}
    for i, cells in enumerate(panels):
        for cell in cells:
            if math.isfinite(cell.median):
                medians.setdefault((i, cell.width), []).append(cell.median)
    ordered = sorted(chain(*medians.values()))
    usual = ordered[math.ceil(_USUAL_QUANTILE * (len(ordered) - 1)) :][:1]
    return [*usual, *(min(curve) for curve in medians.values())]


def _ends(losses: Sequence[float], must: float) -> tuple[float, float]:
    low = min(losses)
    high = max(loss for loss in losses if loss <= low + _HEADROOM * (must - low))
    pad = 0.05 * (high - low) or max(0.05 * abs(low), 1e-12)
    return low - pad, high + pad
