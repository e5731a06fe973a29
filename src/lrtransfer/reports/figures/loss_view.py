"""What the loss figure shows: its panels, its colours, and the ranges of its axes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...statistics.answer import SchemeAnswer, axis_of
from ...statistics.table import RunTable
from ..plotly.colours import assign_colours
from ..rate_runs import RateRuns, group_by_rate
from .loss_range import LossRange, choose_range

OFF_SCALE, LOSS, OPTIMUM = PIECES = range(3)  # of a panel, from top to bottom
_ROW_HEIGHT = 12
_MOST_DOTS = 20_000  # above it a browser takes seconds per redraw


@dataclass(frozen=True)
class LossPanel:
    """One scheme: its answer and its runs."""

    answer: SchemeAnswer
    groups: tuple[RateRuns, ...]


@dataclass(frozen=True)
class LossView:
    """The panels of the loss figure, and what they share.

    Attributes:
        panels: One per scheme.
        colours: Colour of every size, increasing.
        losses: Which losses are shown.
        low_x: Left end of the learning rates shown, as log2.
        high_x: Right end.
        every_run: Whether there is a dot for every run.
        size_name: What a size is called.
    """

    panels: tuple[LossPanel, ...]
    colours: dict[int, str]
    losses: LossRange
    low_x: float
    high_x: float
    every_run: bool
    size_name: str

    @property
    def strip(self) -> int:
        """The height of a strip with one row per size, in pixels."""
        return _ROW_HEIGHT * len(self.colours) + 8

    def row(self, size: int) -> int:
        """Return the row of a size in a strip."""
        return list(self.colours).index(size)

    def axis(self, panel: int, piece: int) -> int:
        """Return the number of the y axis of a piece."""
        return panel + piece * len(self.panels)


def draws_every_run(groups: Iterable[RateRuns]) -> bool:
    """Return whether there is a dot for every run, or, of too many, for every rate and size.

    Arguments:
        groups: The runs of all schemes.
    """
    return sum(group.total for group in groups) <= _MOST_DOTS


def choose_losses(table: RunTable, answers: Sequence[SchemeAnswer]) -> LossRange:
    """Return the losses that the figure shows.

    Arguments:
        table: The runs of a study.
        answers: What was concluded for each scheme.
    """
    return choose_range(group_by_rate(table, answer.scheme) for answer in answers)


def make_loss_view(table: RunTable, answers: Sequence[SchemeAnswer]) -> LossView:
    """Return what the loss figure shows.

    Arguments:
        table: The runs of a study.
        answers: What was concluded for each scheme.
    """
    panels = tuple(LossPanel(answer, group_by_rate(table, answer.scheme)) for answer in answers)
    groups = [group for panel in panels for group in panel.groups]
    sizes = {group.size for group in groups} | {o.size for a in answers for o in a.optima}
    rates = [group.x for group in groups] or [0.0]
    return LossView(
        panels=panels,
        colours=assign_colours(sizes),
        losses=choose_range(panel.groups for panel in panels),
        low_x=min(rates) - 0.6,
        high_x=max(rates) + 0.6,
        every_run=draws_every_run(groups),
        size_name=axis_of(answers).name,
    )
