"""The protocol of designs: which runs come first, and which next.

A design is the one arrow back from the statistics to the plan. For example:

- `grid.GridDesign` begins with the whole grid, and adds rates only beyond the ends of those tried
  (`edges`);
- `adaptive.AdaptiveDesign` begins with a coarse grid of one seed, and adds the runs that narrow the
  answer most;
- a golden-section search would begin with three rates, and add one between them at a time.
"""

from dataclasses import dataclass
from typing import Protocol

from ...statistics.transfer import Judgement
from ..plan import Plan


@dataclass(frozen=True)
class Proposal:
    """What to try next, and why.

    Attributes:
        plan: All that is to be tried; the present plan where nothing is to be added.
        reasons: One line per choice, then why the design stops, if it does.
    """

    plan: Plan
    reasons: tuple[str, ...] = ()


class Design(Protocol):
    """A way to choose the runs of a study."""

    @property
    def looks(self) -> int:
        """How often a study may end because of what its verdicts say, at most.

        The word is that of group-sequential analyses: the error of a verdict is shared between its
        looks at a growing table.
        """

    def first(self) -> Plan:
        """Return what is tried first.

        Raises:
            ConfigError: If the budget does not pay for it.
        """

    def next(self, plan: Plan, judgement: Judgement, *, round: int) -> Proposal:
        """Return what to try next.

        Arguments:
            plan: What was tried so far.
            judgement: What is concluded from it.
            round: How many times it was judged, from 1.
        """
