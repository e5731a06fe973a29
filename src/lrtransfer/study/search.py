"""How a study searches its learning rates: the whole grid, or adaptively.

These are the settings of a search; `sweeps.designs` carries it out.
"""

from dataclasses import dataclass
from typing import ClassVar

from .grid import GridConfig
from .stopping import Budget, StoppingRule


@dataclass(frozen=True)
class GridSearch:
    """Every rate of the grid with every seed.

    Attributes:
        lattice: The rates that may be tried.
        tolerance: Regret, as a share of the best loss, up to which a rate transfers.
        absolute: Whether the tolerance is in units of the loss instead.
    """

    adds_seeds: ClassVar[bool] = False

    lattice: GridConfig
    tolerance: float
    absolute: bool


@dataclass(frozen=True)
class AdaptiveSearch:
    """The runs that narrow the answer most, until a rule is met or a budget is spent.

    Attributes:
        lattice: The rates that may be tried, finer than the grid's.
        tolerance: Regret, as a share of the best loss, up to which a rate transfers.
        absolute: Whether the tolerance is in units of the loss instead.
        stopping_rule: What is to be reached.
        budget: What may be spent.
    """

    adds_seeds: ClassVar[bool] = True

    lattice: GridConfig
    tolerance: float
    absolute: bool
    stopping_rule: StoppingRule
    budget: Budget
