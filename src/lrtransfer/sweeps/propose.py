"""Which runs to add next, given what is known: the one arrow back from the statistics.

An optimum at the end of the rates tried is only a bound: rates are added beyond it until it has
neighbours on both sides, or until the search has gone far enough to say so. An adaptive design adds
besides what narrows its answer most (`statistics.design`), in a limited number of rounds.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..models.configs import TransformerConfig
from ..statistics.answer import SchemeAnswer
from ..statistics.axis import AXES
from ..statistics.curves.optimum import SizeFit
from ..statistics.design import (
    Addition,
    Criterion,
    CurveKey,
    CurveState,
    RateCriterion,
    RegretCriterion,
    choose,
)
from ..statistics.drift import octaves_either_way, target_leverage
from ..statistics.evidence import open_edges
from ..statistics.regret import format_power
from ..statistics.transfer import Judgement
from .plan import Cell, Cells, curve_key
from .sections import GridConfig
from .study import Study

STEP_OCTAVES = 2  # added at once: an optimum just outside gets a neighbour on its other side
REACH_OCTAVES = 6  # beyond the first grid; farther out the study's grid is wrong, not short
# Rounds of an adaptive design, at most. The verdict's error is shared between its looks, so that
# they are few; how narrow a prediction is says nothing of where it lies, so that it may be looked
# at often.
ROUNDS = {"regret": 10, "octaves": 24}


@dataclass(frozen=True)
class Proposal:
    """State what to try next, and why.

    Attributes:
        cells: All cells wanted; those given where nothing is to be added.
        reasons: One line per choice, then why the design stops, if it does.
    """

    cells: Cells
    reasons: tuple[str, ...]


def looks(study: Study) -> int:
    """Return how often a study may end because of what its verdicts say, at most."""
    by_verdict = study.design == "adaptive" and study.goal.kind == "regret"
    return ROUNDS["regret"] if by_verdict else 1


def propose(study: Study, cells: Cells, judgement: Judgement, *, look: int) -> Proposal:
    """Propose the cells of a study's next round.

    Arguments:
        study: Its settings.
        cells: What was tried so far.
        judgement: What is concluded from it.
        look: How many times it was judged, from 1.

    Returns:
        The cells of the next round; equal to `cells` when the study is done.

    Example:
        >>> from ..statistics.simulation import loss_shape
        >>> from ..statistics.table import Observation, RunTable
        >>> from ..statistics.transfer import judge
        >>> from .plan import first_cells
        >>> from .study import load
        >>> study = load(None, {"schemes": ("mup",), "design": "adaptive"})
        >>> runs = [(w, study.lattice.rate(i)) for (_, w), c in first_cells(study).items()
        ...         for i, _ in c]
        >>> x = np.log2([lr for _, lr in runs])
        >>> table = RunTable(tuple(Observation("mup", w, lr, 0, 3 + loss) for (w, lr), loss
        ...                        in zip(runs, loss_shape("skew", x + 6.2), strict=True)))
        >>> found = judge(table, target=256, looks=looks(study))
        >>> reason = propose(study, first_cells(study), found, look=1).reasons[0]
        >>> reason.partition(", expected to narrow")[0]
        'mup, width 128: 2^-6.5 with seed 0'
    """
    if study.design == "grid":
        return _extended(study, cells, judgement)
    return _adapted(study, cells, judgement, look)


def _extended(study: Study, cells: Cells, answers: Mapping[str, SchemeAnswer]) -> Proposal:
    """Add rates, with all seeds, where an optimum of a grid lies at an edge."""
    extended, reasons = dict(cells), []
    for scheme, answer in answers.items():
        for width, side in open_edges(answer):
            indices = sorted({index for index, _ in extended[scheme, width]})
            added = _beyond(indices, side, study.grid)
            if added:
                new = tuple((index, seed) for index in added for seed in range(study.seeds))
                extended[scheme, width] = (*extended[scheme, width], *new)
                reasons.append(_edge_reason(study, scheme, width, added))
    return Proposal(extended, tuple(reasons))


def _beyond(indices: Sequence[int], side: str, grid: GridConfig) -> list[int]:
    """Return the lattice indices up to two octaves beyond an edge, as far as the search goes."""
    first, step = grid.indices(), STEP_OCTAVES * grid.per_octave
    reach = REACH_OCTAVES * grid.per_octave
    if side == "low":
        return list(range(max(indices[0] - step, first[0] - reach), indices[0]))
    return list(range(indices[-1] + 1, min(indices[-1] + step, first[-1] + reach) + 1))


def _edge_reason(study: Study, name: str, size: int, added: Iterable[int]) -> str:
    rates = ", ".join(format_power(math.log2(study.lattice.rate(index))) for index in added)
    return (
        f"{name}, {AXES[study.along].name} {size}: {rates}, because the optimum may lie beyond the "
        "rates tried"
    )


def _adapted(study: Study, cells: Cells, judgement: Judgement, look: int) -> Proposal:
    """Add what narrows the open answers most, as far as looks and budget go."""
    still_open = [name for name, answer in judgement.items() if not _is_settled(study, answer)]
    if not still_open:
        return Proposal(cells, ("done: the answer is as narrow as was asked for",))
    rounds = ROUNDS[study.goal.kind]
    if look >= rounds:
        return Proposal(cells, (f"stopped: after {rounds} rounds, the most there are",))
    spent, limit = cost_of(study, cells), study.limit.amount
    left = limit - spent
    if left < min(run_cost(study, size) for size in study.measured):
        return Proposal(cells, (f"stopped: the budget, {limit:g} {study.limit.unit}, is spent",))
    # Rounds grow by a constant factor, so that the last look sees the whole budget spent.
    allowance = min(left, spent * ((limit / spent) ** (1 / (rounds - look)) - 1))
    wanted, reasons = _open_sides(study, cells, judgement, still_open)
    if cost_of(study, wanted) > limit:
        wanted, reasons = dict(cells), []
    allowance -= cost_of(study, wanted) - spent
    for addition in _additions(study, wanted, judgement, still_open, allowance):
        more = _with(study, wanted, addition)
        if cost_of(study, more) <= limit:
            wanted = more
            reasons.append(_reason(study, addition))
    if wanted == cells:
        return Proposal(cells, ("stopped: there is nothing left to try that the budget buys",))
    return Proposal(wanted, tuple(reasons))


def _is_settled(study: Study, answer: SchemeAnswer) -> bool:
    if study.goal.kind == "regret":
        return answer.verdict != "inconclusive"
    half = octaves_either_way(answer.prediction)
    return half is not None and half <= study.goal.value


def _open_sides(
    study: Study, cells: Cells, judgement: Judgement, still_open: Sequence[str]
) -> tuple[Cells, list[str]]:
    """Add two rates an octave apart where the lowest loss is at the end of the rates tried."""
    lattice, wanted, reasons = study.lattice, dict(cells), []
    for scheme in still_open:
        for width, side in open_edges(judgement[scheme]):
            indices = sorted({index for index, _ in cells[scheme, width]})
            if not _is_at_end(judgement.fits[scheme], width, side):
                continue
            added = _beyond(indices, side, lattice)
            added = (
                added[lattice.per_octave - 1 :: lattice.per_octave]
                if side == "high"
                else (added[:: lattice.per_octave])
            )
            if added:
                addition = tuple((index, 0) for index in added)
                wanted = _add(study, wanted, curve_key(study, scheme, width), addition)
                reasons.append(_edge_reason(study, scheme, width, added))
    return wanted, reasons


def _is_at_end(fits: Sequence[SizeFit], width: int, side: str) -> bool:
    """Tell whether the lowest loss, not the uncertainty alone, is at the end of the rates."""
    (column,) = [fit.columns for fit in fits if fit.columns.size == width]
    if len(column.log2_lr) < 3:
        return True
    best = int(column.loss.argmin())
    return best <= 1 if side == "low" else best >= len(column.loss) - 2


def _additions(
    study: Study, cells: Cells, judgement: Judgement, still_open: Sequence[str], allowance: float
) -> tuple[Addition, ...]:
    arms = {
        curve_key(study, scheme, fit.columns.size): CurveState(
            draws=fit.draws,
            tried=_made(study, cells[scheme, fit.columns.size]),
            rates=_rates(study.lattice, cells[scheme, fit.columns.size]),
            cost=run_cost(study, fit.columns.size),
        )
        for scheme in still_open
        for fit in judgement.fits[scheme]
        if fit.draws is not None
    }
    goals = [_goal(study, scheme) for scheme in still_open]
    rng = np.random.default_rng([study.study_seed, sum(map(len, cells.values()))])
    return choose(arms, goals, allowance=allowance, rng=rng)


def _goal(study: Study, scheme: str) -> Criterion:
    if study.goal.kind == "octaves":
        leverage = target_leverage(study.measured, target=study.target)
        keys = (curve_key(study, scheme, size) for size in sorted(study.measured))
        return RateCriterion(dict(zip(keys, leverage, strict=True)), study.goal.value)
    others = [size for size in study.measured if size != study.base]
    largest = study.target if study.target in others else max(others)
    return RegretCriterion(
        curve_key(study, scheme, study.base), curve_key(study, scheme, largest), study.tolerance
    )


def _made(study: Study, chosen: Sequence[Cell]) -> dict[int, frozenset[float]]:
    seeds = {seed for _, seed in chosen}
    return {
        seed: frozenset(_log2(study.lattice, index) for index, s in chosen if s == seed)
        for seed in seeds
    }


def _rates(lattice: GridConfig, chosen: Sequence[Cell]) -> np.ndarray:
    indices = {index for index, _ in chosen}
    return np.array([_log2(lattice, i) for i in range(min(indices), max(indices) + 1)])


def _log2(lattice: GridConfig, index: int) -> float:
    return math.log2(lattice.rate(index))


def _with(study: Study, cells: Cells, addition: Addition) -> Cells:
    per_octave = study.lattice.per_octave
    new = tuple((round(x * per_octave), addition.seed) for x in addition.log2_lr)
    return _add(study, cells, addition.key, new)


def _add(
    study: Study, cells: Cells, key: CurveKey, new: tuple[Cell, ...]
) -> dict[CurveKey, tuple[Cell, ...]]:
    """Add cells to a curve, for every arm whose curve it is."""
    wanted, size = dict(cells), key[1]
    for arm in study.arms:
        if curve_key(study, arm.name, size) == key:
            present = wanted[arm.name, size]
            wanted[arm.name, size] = (*present, *(cell for cell in new if cell not in present))
    return wanted


def cost_of(study: Study, cells: Cells) -> float:
    """Return what all cells cost, shared ones once, in units of the budget."""
    unique = {
        (curve_key(study, scheme, width), cell)
        for (scheme, width), chosen in cells.items()
        for cell in chosen
    }
    return sum(run_cost(study, width) for (_, width), _ in unique)


def run_cost(study: Study, size: int) -> float:
    """Return what a run costs, in units of the budget; the costliest where values are varied."""
    if study.limit.unit == "runs":
        return 1.0
    return max(training_flops(study.at(arm, size), study.width_at(size)) for arm in study.arms)


def training_flops(study: Study, width: int) -> float:
    """Return the floating-point operations of a run of our transformer."""
    assert isinstance(study.model, TransformerConfig)
    training = study.training
    tokens = training.steps * training.batch * study.model.context
    return tokens * study.model.training_flops(width)


def _reason(study: Study, addition: Addition) -> str:
    name, size = addition.key
    rates = ", ".join(map(format_power, addition.log2_lr))
    less = 100 * (1 - addition.after / addition.before)
    return (
        f"{name}, {AXES[study.along].name} {size}: {rates} with seed {addition.seed}, expected to "
        f"narrow the answer's spread by {less:.0f} %"
    )
