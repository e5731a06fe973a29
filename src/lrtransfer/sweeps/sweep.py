"""A study made ready to be carried out: its data hashed, its curves tabled, its design chosen."""

from dataclasses import dataclass
from functools import cached_property

from ..runs.digests import Digests, compute_digests
from ..study.study import Study
from .curves import Curves
from .designs.choose import make_design
from .designs.design import Design
from .plan import Plan, PlannedRun, expand


@dataclass(frozen=True, eq=False)
class Sweep:
    """A study with all that follows from it before anything is trained.

    Attributes:
        study: The settings.
        digests: Hashes of its data and code, which are part of the identity of its runs.
    """

    study: Study
    digests: Digests

    @cached_property
    def curves(self) -> Curves:
        """The curves of the study."""
        return Curves(self.study, self.digests)

    @cached_property
    def design(self) -> Design:
        """How its runs are chosen."""
        return make_design(self.study, self.curves)

    def expand(self, plan: Plan) -> tuple[PlannedRun, ...]:
        """Return the runs of a plan, the costly ones first."""
        return expand(plan, self.curves, self.study.search.lattice)


def prepare_sweep(study: Study) -> Sweep:
    """Return a study with its digests, after checks that need more than its settings.

    Raises:
        UserError: If data or code cannot be used, or the budget does not pay the first round.
    """
    sweep = Sweep(study, compute_digests(study))
    sweep.design.first()
    return sweep
