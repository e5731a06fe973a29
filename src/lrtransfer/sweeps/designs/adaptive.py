"""The design that adds the runs that narrow its answer most, in a limited number of rounds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import ConfigError
from ...statistics.answer import SchemeAnswer, Side
from ...statistics.axis import AXES
from ...statistics.curves.fit import SizeFit
from ...statistics.design import (
    Addition,
    Criterion,
    CurveKey,
    CurveState,
    RateCriterion,
    RegretCriterion,
    choose,
)
from ...statistics.evidence import open_edges
from ...statistics.notation import format_power
from ...statistics.prediction import octaves_either_way
from ...statistics.transfer import Judgement
from ...statistics.trend import weigh_sizes
from ...study.search import AdaptiveSearch
from ...study.study import Study
from ..curves import Curves
from ..plan import GridPoint, Plan
from .design import Proposal
from .edges import explain_edge, list_beyond, list_indices

COARSE, FIRST_RATES = 2.0, 5  # the first round: octaves between rates at most, and rates at least
# Rounds, at most. The verdict's error is shared between its looks, so that they are few; how narrow
# a prediction is says nothing of where it lies, so that it may be looked at often.
ROUNDS = {"regret": 10, "octaves": 24}


@dataclass(frozen=True)
class AdaptiveDesign:
    """A coarse grid of one seed, then what narrows the open answers most.

    Attributes:
        study: Its settings.
        search: Those of its search.
        curves: Its curves.
    """

    study: Study
    search: AdaptiveSearch
    curves: Curves

    @property
    def looks(self) -> int:
        """How often the study may end because of what its verdicts say, at most."""
        return ROUNDS["regret"] if self.search.stopping_rule.kind == "regret" else 1

    def first(self) -> Plan:
        """Return evenly spread rates with the first seed, both ends of the grid among them.

        Raises:
            ConfigError: If the budget does not pay for them.
        """
        lattice = self.search.lattice
        indices = lattice.indices()
        octaves = (len(indices) - 1) / lattice.per_octave
        count = min(len(indices), max(FIRST_RATES, math.ceil(octaves / COARSE) + 1))
        spread = [indices[round(i * (len(indices) - 1) / (count - 1))] for i in range(count)]
        points = tuple(GridPoint(index, 0) for index in spread)
        plan = {
            (variant.name, size): points
            for variant in self.study.variants
            for size in self.study.measured_sizes
        }
        budget, least = self.search.budget, self.cost_plan(plan)
        if least > budget.amount:
            raise ConfigError(
                f"budget: got {budget.amount:g} {budget.unit}, wanted at least {least:g} for the "
                "first round of these widths and schemes. Give more, or fewer widths."
            )
        return plan

    def next(self, plan: Plan, judgement: Judgement, *, round: int) -> Proposal:
        """Return the plan with what narrows the open answers most, as far as the budget goes.

        Example:
            >>> from ...runs.digests import Digests
            >>> from ...statistics.simulation import loss_shape
            >>> from ...statistics.table import Observation, RunTable
            >>> from ...statistics.transfer import judge
            >>> from ...study.load import load
            >>> from .choose import make_design
            >>> study = load(None, {"schemes": ("mup",), "design": "adaptive"})
            >>> design = make_design(study, Curves(study, Digests()))
            >>> plan, rate = design.first(), study.search.lattice.rate
            >>> runs = [(n, rate(k)) for (_, n), points in plan.items() for k, _ in points]
            >>> x = np.log2([lr for _, lr in runs])
            >>> table = RunTable(tuple(Observation("mup", n, lr, 0, 3 + loss) for (n, lr), loss
            ...                        in zip(runs, loss_shape("skew", x + 6.2), strict=True)))
            >>> judgement = judge(table, target=256, looks=design.looks)
            >>> reason = design.next(plan, judgement, round=1).reasons[0]
            >>> reason.partition(", expected to narrow")[0]
            'base, width 32: 2^-5 with seed 0'
        """
        still_open = [name for name, answer in judgement.items() if not self._is_settled(answer)]
        if not still_open:
            return Proposal(plan, ("done: the answer is as narrow as was asked for",))
        rounds = ROUNDS[self.search.stopping_rule.kind]
        if round >= rounds:
            return Proposal(plan, (f"stopped: after {rounds} rounds, the most there are",))
        budget, spent = self.search.budget, self.cost_plan(plan)
        left = budget.amount - spent
        if left < min(map(self._cost_run, self.study.measured_sizes)):
            stop = f"stopped: the budget, {budget.amount:g} {budget.unit}, is spent"
            return Proposal(plan, (stop,))
        # Rounds grow by a constant factor, so that the last look sees the whole budget spent.
        allowance = min(left, spent * ((budget.amount / spent) ** (1 / (rounds - round)) - 1))
        larger, reasons = self._extend_edges(plan, judgement, still_open)
        if self.cost_plan(larger) > budget.amount:
            larger, reasons = plan, []
        allowance -= self.cost_plan(larger) - spent
        for addition in self._choose(larger, judgement, still_open, allowance):
            points = self._list_points(addition)
            still_larger = self._add(larger, addition.key, points)
            if self.cost_plan(still_larger) <= budget.amount:
                larger = still_larger
                reasons.append(self._explain(addition))
        if larger == plan:
            stop = "stopped: there is nothing left to try that the budget buys"
            return Proposal(plan, (stop,))
        return Proposal(larger, tuple(reasons))

    def cost_plan(self, plan: Plan) -> float:
        """Return what a plan costs, shared runs once, in units of the budget."""
        unique = dict.fromkeys(
            (self.curves[key].shared_key, point) for key, points in plan.items() for point in points
        )
        return sum(self._cost_run(size) for (_, size), _ in unique)

    def _cost_run(self, size: int) -> float:
        """Return what a run costs, in units of the budget; the costliest where values vary."""
        return 1.0 if self.search.budget.unit == "runs" else self.curves.flops_by_size[size]

    def _is_settled(self, answer: SchemeAnswer) -> bool:
        rule = self.search.stopping_rule
        if rule.kind == "regret":
            return answer.verdict != "inconclusive"
        octaves = octaves_either_way(answer.prediction)
        return octaves is not None and octaves <= rule.value

    def _extend_edges(
        self, plan: Plan, judgement: Judgement, still_open: Sequence[str]
    ) -> tuple[Plan, list[str]]:
        """Add two rates an octave apart where the lowest loss is at the end of the rates tried."""
        lattice, larger, reasons = self.search.lattice, plan, list[str]()
        for variant in still_open:
            for size, side in open_edges(judgement[variant]):
                if not _is_at_end(judgement.fits[variant], size, side):
                    continue
                beyond = list_beyond(list_indices(plan[variant, size]), side, lattice)
                start = lattice.per_octave - 1 if side == "high" else 0
                beyond = beyond[start :: lattice.per_octave]
                if beyond:
                    points = tuple(GridPoint(index, 0) for index in beyond)
                    key = variant, size
                    larger = self._add(larger, self.curves[key].shared_key, points)
                    reasons.append(explain_edge(self.study, key, beyond))
        return larger, reasons

    def _choose(
        self, plan: Plan, judgement: Judgement, still_open: Sequence[str], allowance: float
    ) -> tuple[Addition, ...]:
        states = {}
        for variant in still_open:
            for fit in judgement.fits[variant]:
                key = variant, fit.columns.size
                if fit.draws is not None:
                    states[self.curves[key].shared_key] = CurveState(
                        draws=fit.draws,
                        tried=self._list_rates_by_seed(plan[key]),
                        rates=self._list_rates_between(plan[key]),
                        cost=self._cost_run(fit.columns.size),
                    )
        criteria = [self._make_criterion(variant) for variant in still_open]
        rng = np.random.default_rng([self.study.study_seed, sum(map(len, plan.values()))])
        return choose(states, criteria, allowance=allowance, rng=rng)

    def _make_criterion(self, variant: str) -> Criterion:
        study, rule = self.study, self.search.stopping_rule
        if rule.kind == "octaves":
            leverage = weigh_sizes(study.measured_sizes, target=study.target, axis=study.along)
            keys = (self.curves[variant, n].shared_key for n in sorted(study.measured_sizes))
            return RateCriterion(dict(zip(keys, leverage, strict=True)), rule.value)
        others = [size for size in study.measured_sizes if size != study.base_size]
        largest = study.target if study.target in others else max(others)
        base, wide = (self.curves[variant, n].shared_key for n in (study.base_size, largest))
        return RegretCriterion(base, wide, self.search.tolerance, self.search.absolute)

    def _list_rates_by_seed(self, points: Sequence[GridPoint]) -> dict[int, frozenset[float]]:
        """Return the rates tried by each seed, as log2."""
        return {
            seed: frozenset(self._log2_rate(index) for index, s in points if s == seed)
            for seed in {point.seed for point in points}
        }

    def _list_rates_between(self, points: Sequence[GridPoint]) -> np.ndarray:
        """Return the rates of the lattice between the ends of those tried, as log2."""
        indices = list_indices(points)
        return np.array([self._log2_rate(k) for k in range(indices[0], indices[-1] + 1)])

    def _log2_rate(self, index: int) -> float:
        return math.log2(self.search.lattice.rate(index))

    def _list_points(self, addition: Addition) -> tuple[GridPoint, ...]:
        per_octave = self.search.lattice.per_octave
        return tuple(GridPoint(round(x * per_octave), addition.seed) for x in addition.log2_lr)

    def _add(self, plan: Plan, shared_key: CurveKey, points: Sequence[GridPoint]) -> Plan:
        """Return a plan with points added to a curve, for every variant whose curve it is."""
        larger = dict(plan)
        for key in self.curves.sharing[shared_key]:
            larger[key] = (*plan[key], *(point for point in points if point not in plan[key]))
        return larger

    def _explain(self, addition: Addition) -> str:
        variant, size = addition.key
        rates = ", ".join(map(format_power, addition.log2_lr))
        share = 100 * (1 - addition.after / addition.before)
        return (
            f"{variant}, {AXES[self.study.along].name} {size}: {rates} with seed {addition.seed}, "
            f"expected to narrow the answer's spread by {share:.0f} %"
        )


def _is_at_end(fits: Sequence[SizeFit], size: int, side: Side) -> bool:
    """Tell whether the lowest loss, not the uncertainty alone, is at the end of the rates."""
    (column,) = [fit.columns for fit in fits if fit.columns.size == size]
    if len(column.log2_lr) < 3:
        return True
    best = int(column.loss.argmin())
    return best <= 1 if side == "low" else best >= len(column.loss) - 2
