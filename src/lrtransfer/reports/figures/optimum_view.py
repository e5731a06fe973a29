"""What the figure of the optima shows: its colours, its sizes, and the range of its rates."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...statistics.answer import Optimum, SchemeAnswer, axis_of
from ..notation import compute_log2
from ..plotly.colours import assign_colours

ARROW = 0.7  # octaves
_FARTHEST = 5.0  # octaves by which an interval may widen the axis; longer ones leave the panel


@dataclass(frozen=True)
class OptimumView:
    """The answers shown, and what their panels share.

    Attributes:
        answers: One per panel.
        colours: Colour of every measured size.
        sizes: Those measured and predicted, and the target, increasing.
        target: Size the learning rate is wanted for.
        low_y: Lower end of the learning rates shown, as log2.
        high_y: Upper end.
        size_name: What a size is called.
    """

    answers: tuple[SchemeAnswer, ...]
    colours: dict[int, str]
    sizes: tuple[int, ...]
    target: int
    low_y: float
    high_y: float
    size_name: str


def make_optimum_view(answers: Sequence[SchemeAnswer], target: int) -> OptimumView:
    """Return what the figure of the optima shows.

    Arguments:
        answers: What was concluded for each scheme.
        target: Size the learning rate is wanted for.
    """
    measured = {optimum.size for answer in answers for optimum in answer.optima}
    predicted = {answer.prediction.size for answer in answers if answer.prediction is not None}
    low, high = _choose_rates(answers)
    return OptimumView(
        answers=tuple(answers),
        colours=assign_colours(measured),
        sizes=tuple(sorted(measured | predicted | {target})),
        target=target,
        low_y=low,
        high_y=high,
        size_name=axis_of(answers).name,
    )


def _choose_rates(answers: Sequence[SchemeAnswer]) -> tuple[float, float]:
    estimates = [y for answer in answers for y in list_estimates(answer) if math.isfinite(y)]
    if not estimates:
        return -1.0, 1.0
    ends = [y for answer in answers for y in _list_ends(answer) if math.isfinite(y)]
    low = max(min([*estimates, *ends]), min(estimates) - _FARTHEST)
    high = min(max([*estimates, *ends]), max(estimates) + _FARTHEST)
    return low - 0.5, high + 0.5


def list_estimates(answer: SchemeAnswer) -> Iterator[float]:
    """Yield every learning rate that a panel shows, as log2.

    Arguments:
        answer: What was concluded for a scheme.
    """
    for optimum in answer.optima:
        if optimum.log2_lr is not None:
            yield optimum.log2_lr
    if answer.prediction is not None:
        yield compute_log2(answer.prediction.lr)
    if answer.regret is not None:
        yield answer.regret.log2_lr


def _list_ends(answer: SchemeAnswer) -> Iterator[float]:
    for optimum in answer.optima:
        yield from (end for end in (optimum.low, optimum.high) if end is not None)
        if optimum.status == "edge":
            yield from (start + way * ARROW for start, way in place_arrows(optimum))
    if answer.prediction is not None:
        yield compute_log2(answer.prediction.low)
        yield compute_log2(answer.prediction.high)


def place_arrows(optimum: Optimum) -> list[tuple[float, int]]:
    """Return where arrows start and which way they point: from each bound, or else both ways.

    Arguments:
        optimum: An optimum at an edge.
    """
    bounds = [(optimum.low, 1), (optimum.high, -1)]
    arrows = [(bound, way) for bound, way in bounds if bound is not None]
    if arrows or optimum.log2_lr is None:
        return arrows
    return [(optimum.log2_lr, 1), (optimum.log2_lr, -1)]
