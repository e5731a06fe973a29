r"""Which runs narrow an open answer most.

The curves drawn for a size are an ensemble: a run not yet made, at rate c with noise σ, is seen on
each of them, and all are moved as if the run had given what the ensemble expects,

.. math:: f_d \leftarrow f_d + \frac{\mathrm{cov}(f, f(c))}{\mathrm{var} f(c) + \sigma^2}
          \big(\bar f(c) - f_d(c) - \varepsilon_d\big), \qquad \varepsilon_d \sim N(0, \sigma^2),

which leaves the spread that is left once the run is made (an ensemble Kalman update). The run that
takes most off the answer's spread per unit of cost is chosen, then the next one given the first.

References:
    Evensen (2003), The Ensemble Kalman Filter. https://doi.org/10.1007/s10236-003-0036-9
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from ..scaling import FloatArray
from .answer import TAIL
from .curves.columns import IntArray
from .curves.curve import CurveDraws, find_minima, rise_at

CurveKey = tuple[str, int]  # scheme and size
DrawnCurves = Mapping[CurveKey, CurveDraws]

ENSEMBLE = 400  # curves per ensemble: enough to rank runs
HIGHEST = 10.0  # valley heights above the lowest loss beyond which all losses are equal
MOST_RATES = 16  # candidates per size and seed
NEW_SEED_RATES = 3  # one run of a new seed only tells the seed's own shift
WORST = 4.0  # regrets beyond so many tolerances are all equally bad


@dataclass(frozen=True, eq=False, kw_only=True)
class CurveState:
    """State of a curve that may be measured further.

    Attributes:
        draws: Curves drawn for it.
        tried: Rates tried by each seed, as log2.
        rates: Rates that may be tried, as log2, increasing.
        cost: Cost of one run.
    """

    draws: CurveDraws
    tried: Mapping[int, frozenset[float]]
    rates: FloatArray
    cost: float


@dataclass(frozen=True, kw_only=True)
class Addition:
    """Runs of one seed at one size, to be made together.

    Attributes:
        key: Scheme and size.
        log2_lr: Their rates.
        seed: Their seed.
        before: Sum of the criteria's spreads without them.
        after: The same, expected with them.
    """

    key: CurveKey
    log2_lr: tuple[float, ...]
    seed: int
    before: float = field(compare=False)
    after: float = field(compare=False)


class Criterion(Protocol):
    """Quantity to be narrowed."""

    @property
    def keys(self) -> tuple[CurveKey, ...]:
        """The curves it depends on."""

    def spread(self, curves: DrawnCurves) -> float:
        """Return its standard deviation in units of what is allowed: a tolerance, some octaves."""

    def informative_range(self, curves: DrawnCurves, key: CurveKey) -> tuple[float, float]:
        """Return the lowest and highest log2 rate at which runs of a curve tell something."""


@dataclass(frozen=True)
class RegretCriterion:
    """Regret of the base's optimum at a larger size, to be narrowed to its tolerance.

    Beyond `WORST` tolerances all regrets are equally bad.
    """

    base: CurveKey
    destination: CurveKey
    tolerance: float
    absolute: bool = False  # in units of the loss

    @property
    def keys(self) -> tuple[CurveKey, ...]:
        """The curves it depends on."""
        return (self.base, self.destination)

    def spread(self, curves: DrawnCurves) -> float:
        """Return its standard deviation in tolerances."""
        destination = curves[self.destination]
        unit = 1.0 if self.absolute else destination.columns.best_loss
        rise = rise_at(destination, find_minima(curves[self.base])) / unit
        worst = WORST * self.tolerance
        regret = np.minimum(np.nan_to_num(rise, nan=worst, posinf=worst), worst)
        return float(regret.std()) / self.tolerance

    def informative_range(self, curves: DrawnCurves, key: CurveKey) -> tuple[float, float]:
        """Return the range of both optima at the large size, of its own optimum at the base."""
        ranges = [_find_range(curves[k]) for k in {key, self.base}]
        return min(low for low, _ in ranges), max(high for _, high in ranges)


@dataclass(frozen=True)
class RateCriterion:
    """Learning rate predicted for the target, Σ h x*, to be narrowed to some octaves."""

    leverage: Mapping[CurveKey, float]
    octaves: float

    @property
    def keys(self) -> tuple[CurveKey, ...]:
        """The curves it depends on."""
        return tuple(self.leverage)

    def spread(self, curves: DrawnCurves) -> float:
        """Return its standard deviation, as a share of the octaves allowed."""
        variances = (h**2 * find_minima(curves[key]).var() for key, h in self.leverage.items())
        return float(np.sqrt(sum(variances))) / self.octaves

    def informative_range(self, curves: DrawnCurves, key: CurveKey) -> tuple[float, float]:
        """Return the range of the optimum."""
        return _find_range(curves[key])


def choose(
    states: Mapping[CurveKey, CurveState],
    criteria: Sequence[Criterion],
    *,
    allowance: float,
    rng: np.random.Generator,
) -> tuple[Addition, ...]:
    """Choose the runs that narrow the answers most per cost.

    Arguments:
        states: Curves that may be measured further.
        criteria: What is to be narrowed; those that depend on another curve are left out.
        allowance: Cost to be spent. The last choice may go beyond it.
        rng: Source of the noise of runs not yet made, the same for all candidates: else the luck of
            draws would choose between them.

    Returns:
        The runs, the most useful first; none where there is nothing left to try.
    """
    criteria = [criterion for criterion in criteria if all(key in states for key in criterion.keys)]
    needed = {key for criterion in criteria for key in criterion.keys}
    states = {key: state for key, state in states.items() if key in needed}
    curves = {key: _thin(state.draws) for key, state in states.items()}
    additions: list[Addition] = []
    spent = 0.0
    while criteria and spent < allowance:
        noise = rng.standard_normal((ENSEMBLE, NEW_SEED_RATES))
        best = _find_best(states, curves, criteria, noise)
        if best is None:
            break
        state = states[best.key]
        curves[best.key] = max(
            _predict_outcomes(curves[best.key], best, state, noise), key=lambda outcome: outcome[0]
        )[1]
        states = states | {best.key: _add_runs(state, best)}
        spent += len(best.log2_lr) * state.cost
        additions.append(best)
    return tuple(additions)


def _find_best(
    states: Mapping[CurveKey, CurveState],
    curves: DrawnCurves,
    criteria: Sequence[Criterion],
    noise: FloatArray,
) -> Addition | None:
    """Return the addition that takes most off the spread per cost, None if there is none."""
    best, best_gain = None, -np.inf
    before = sum(criterion.spread(curves) for criterion in criteria)
    for key, state in states.items():
        concerned = [criterion for criterion in criteria if key in criterion.keys]
        others = before - sum(criterion.spread(curves) for criterion in concerned)
        ranges = [criterion.informative_range(curves, key) for criterion in concerned]
        low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)
        for rates, seed in _list_candidates(state, low, high):
            addition = Addition(key=key, log2_lr=rates, seed=seed, before=before, after=before)
            after = others + sum(
                weight * sum(criterion.spread({**curves, key: outcome}) for criterion in concerned)
                for weight, outcome in _predict_outcomes(curves[key], addition, state, noise)
            )
            gain = (before - after) / (state.cost * len(rates))
            if gain > best_gain:
                best, best_gain = replace(addition, after=after), gain
    return best


def _list_candidates(
    state: CurveState, low: float, high: float
) -> list[tuple[tuple[float, ...], int]]:
    """Return rates and seeds that may be tried between the tried rates around [low, high]."""
    tried = state.draws.columns.tried
    first = tried[max(0, int(np.searchsorted(tried, low, side="left")) - 1)]
    last = tried[min(len(tried) - 1, int(np.searchsorted(tried, high, side="right")))]
    within = state.rates[(state.rates >= first) & (state.rates <= last)]
    main = max(state.tried, key=lambda seed: (len(state.tried[seed]), -seed))
    candidates: list[tuple[tuple[float, ...], int]] = []
    for seed, rates_tried in state.tried.items():
        # Another seed than the main one repeats; new rates come from the main one.
        rates = within if seed == main else np.array([x for x in within if x in state.tried[main]])
        fresh = [float(x) for x in rates if float(x) not in rates_tried]
        step = max(1, -(-len(fresh) // MOST_RATES))
        candidates += [((x,), seed) for x in fresh[::step]]
    centre = (low + high) / 2
    repeated = sorted(state.tried[main], key=lambda x: abs(x - centre))[:NEW_SEED_RATES]
    if len(repeated) == NEW_SEED_RATES:
        candidates.append((tuple(sorted(repeated)), max(state.tried) + 1))
    return candidates


def _predict_outcomes(
    curves: CurveDraws, addition: Addition, state: CurveState, noise: FloatArray
) -> list[tuple[float, CurveDraws]]:
    """Return what the ensemble may become once the runs are made, with probabilities."""
    at = np.abs(curves.log2_lr[:, None] - np.array(addition.log2_lr)).argmin(axis=0)
    trains = np.isfinite(curves.loss[:, at]).all(axis=1)
    if trains.all():
        return [(1.0, _condition(curves, at, _compute_covariance(addition, state), noise))]
    # Beside a cliff the run tells above all on which side of the rate it lies.
    share = float(trains.mean())
    sides = ((share, np.flatnonzero(trains)), (1 - share, np.flatnonzero(~trains)))
    return [(weight, _select(curves, rows)) for weight, rows in sides if weight > 0]


def _compute_covariance(addition: Addition, state: CurveState) -> FloatArray:
    """Return the covariance of the runs' noise, that of the seed's shift included."""
    count, runs = len(addition.log2_lr), len(state.tried.get(addition.seed, ()))
    shift = 1e4 if runs == 0 else 1 / runs  # in noise variances
    covariance: FloatArray = state.draws.noise**2 * (np.eye(count) + shift)
    return covariance


def _condition(
    curves: CurveDraws, at: IntArray, covariance: FloatArray, noise: FloatArray
) -> CurveDraws:
    loss = curves.loss
    finite = np.isfinite(loss).all(axis=0)
    centred = loss[:, finite] - loss[:, finite].mean(axis=0)
    seen = loss[:, at] - loss[:, at].mean(axis=0)
    count = len(loss)
    gain = np.linalg.solve(seen.T @ seen / count + covariance, seen.T @ centred / count)
    error = noise[:count, : len(at)] @ np.linalg.cholesky(covariance).T
    moved = loss.copy()
    moved[:, finite] -= (seen + error) @ gain
    return replace(curves, loss=moved)


def _select(curves: CurveDraws, rows: IntArray) -> CurveDraws:
    return curves.take(np.resize(rows, len(curves.loss)))


def _thin(curves: CurveDraws) -> CurveDraws:
    """Return an ensemble of the curves between the rates tried: beyond, nothing is chosen."""
    rows = np.linspace(0, len(curves.loss) - 1, min(ENSEMBLE, len(curves.loss))).astype(np.intp)
    tried, x = curves.columns.tried, curves.log2_lr
    within = np.flatnonzero((x >= tried[0]) & (x <= tried[-1]))
    # What lies far above the lowest is as good as infinite, and would rule the covariances.
    most = curves.columns.loss.min() + HIGHEST * curves.columns.height
    loss = curves.loss[np.ix_(rows, within)]
    return replace(
        curves.take(rows),
        log2_lr=x[within],
        loss=np.where(np.isfinite(loss), np.minimum(loss, most), loss),
        at_columns=np.searchsorted(x[within], curves.columns.log2_lr),
    )


def _add_runs(state: CurveState, addition: Addition) -> CurveState:
    rates = state.tried.get(addition.seed, frozenset()) | set(addition.log2_lr)
    return replace(state, tried={**state.tried, addition.seed: rates})


def _find_range(curves: CurveDraws) -> tuple[float, float]:
    low, high = np.quantile(find_minima(curves), (TAIL, 1 - TAIL))
    return float(low), float(high)
