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

from .curve import CurveDraws, IntArray
from .optimum import minima_of, rise_at
from .table import FloatArray

Key = tuple[str, int]  # scheme and size
Curves = Mapping[Key, CurveDraws]

DRAWS = 400  # curves per ensemble: enough to rank runs
MOST_RATES = 16  # candidates per size and seed
NEW_SEED_RATES = 3  # one run of a new seed only tells the seed's own shift
WORST = 4.0  # regrets beyond so many tolerances are all equally bad


@dataclass(frozen=True, eq=False)
class Arm:
    """Hold a curve that may be measured further.

    Attributes:
        draws: Curves drawn for it.
        made: Rates tried by each seed, as log2.
        rates: Rates that may be tried, as log2, increasing.
        cost: Cost of one run.
    """

    draws: CurveDraws
    made: Mapping[int, frozenset[float]]
    rates: FloatArray
    cost: float


@dataclass(frozen=True)
class Addition:
    """Name runs of one seed at one size that are chosen together.

    Attributes:
        key: Scheme and size.
        log2_lr: Their rates.
        seed: Their seed.
        before: Spread of the answer without them, as a share of what is wanted.
        after: Spread expected with them.
    """

    key: Key
    log2_lr: tuple[float, ...]
    seed: int
    before: float = field(compare=False)
    after: float = field(compare=False)


class Goal(Protocol):
    """Say what is to be narrowed."""

    @property
    def keys(self) -> tuple[Key, ...]:
        """The curves it depends on."""

    def spread(self, curves: Curves) -> float:
        """Return its standard deviation, in units of what is wanted."""

    def interest(self, curves: Curves, key: Key) -> tuple[float, float]:
        """Return between which rates runs of a curve tell something."""


@dataclass(frozen=True)
class RegretGoal:
    """Narrow the regret of the base's optimum at a wider size, up to a few tolerances."""

    base: Key
    wide: Key
    tolerance: float

    @property
    def keys(self) -> tuple[Key, ...]:
        """The curves it depends on."""
        return (self.base, self.wide)

    def spread(self, curves: Curves) -> float:
        """Return its standard deviation in tolerances."""
        wide = curves[self.wide]
        rise = rise_at(wide, minima_of(curves[self.base])) / wide.columns.best_loss
        worst = WORST * self.tolerance
        regret = np.minimum(np.nan_to_num(rise, nan=worst, posinf=worst), worst)
        return float(regret.std()) / self.tolerance

    def interest(self, curves: Curves, key: Key) -> tuple[float, float]:
        """Return the range of both optima at the wide size, of its own at the base."""
        ranges = [_range(curves[k]) for k in {key, self.base}]
        return min(low for low, _ in ranges), max(high for _, high in ranges)


@dataclass(frozen=True)
class RateGoal:
    """Narrow the learning rate predicted for the target, Σ h x*, to some octaves."""

    leverage: Mapping[Key, float]
    octaves: float

    @property
    def keys(self) -> tuple[Key, ...]:
        """The curves it depends on."""
        return tuple(self.leverage)

    def spread(self, curves: Curves) -> float:
        """Return its standard deviation, as a share of the octaves wanted."""
        variances = (h**2 * minima_of(curves[key]).var() for key, h in self.leverage.items())
        return float(np.sqrt(sum(variances))) / self.octaves

    def interest(self, curves: Curves, key: Key) -> tuple[float, float]:
        """Return the range of the optimum."""
        return _range(curves[key])


def choose(
    arms: Mapping[Key, Arm],
    goals: Sequence[Goal],
    *,
    allowance: float,
    rng: np.random.Generator,
) -> tuple[Addition, ...]:
    """Choose the runs that narrow the answers most per cost.

    Arguments:
        arms: Curves that may be measured further.
        goals: What is to be narrowed; those that depend on another curve are left out.
        allowance: Cost to be spent. The last choice may go beyond it.
        rng: Source of the noise of runs not yet made, the same for all candidates: else the luck of
            draws would choose between them.

    Returns:
        The runs, the most useful first; none where there is nothing left to try.
    """
    goals = [goal for goal in goals if all(key in arms for key in goal.keys)]
    wanted = {key for goal in goals for key in goal.keys}
    arms = {key: arm for key, arm in arms.items() if key in wanted}
    curves = {key: _thinned(arm.draws) for key, arm in arms.items()}
    chosen: list[Addition] = []
    spent = 0.0
    while goals and spent < allowance:
        noise = rng.standard_normal((DRAWS, NEW_SEED_RATES))
        best = _best(arms, curves, goals, noise)
        if best is None:
            break
        arm = arms[best.key]
        curves[best.key] = max(
            _outcomes(curves[best.key], best, arm, noise), key=lambda outcome: outcome[0]
        )[1]
        arms = arms | {best.key: _made(arm, best)}
        spent += len(best.log2_lr) * arm.cost
        chosen.append(best)
    return tuple(chosen)


def _best(
    arms: Mapping[Key, Arm], curves: Curves, goals: Sequence[Goal], noise: FloatArray
) -> Addition | None:
    """Return the addition that takes most off the spread per cost, None if there is none."""
    best, best_gain = None, -np.inf
    before = sum(goal.spread(curves) for goal in goals)
    for key, arm in arms.items():
        concerned = [goal for goal in goals if key in goal.keys]
        others = before - sum(goal.spread(curves) for goal in concerned)
        ranges = [goal.interest(curves, key) for goal in concerned]
        low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)
        for rates, seed in _candidates(arm, low, high):
            addition = Addition(key, rates, seed, before, before)
            after = others + sum(
                weight * sum(goal.spread({**curves, key: outcome}) for goal in concerned)
                for weight, outcome in _outcomes(curves[key], addition, arm, noise)
            )
            gain = (before - after) / (arm.cost * len(rates))
            if gain > best_gain:
                best, best_gain = replace(addition, after=after), gain
    return best


def _candidates(arm: Arm, low: float, high: float) -> list[tuple[tuple[float, ...], int]]:
    """Return rates and seeds that may be tried between the tried rates around [low, high]."""
    tried = arm.draws.columns.tried
    first = tried[max(0, int(np.searchsorted(tried, low, side="left")) - 1)]
    last = tried[min(len(tried) - 1, int(np.searchsorted(tried, high, side="right")))]
    within = arm.rates[(arm.rates >= first) & (arm.rates <= last)]
    main = max(arm.made, key=lambda seed: (len(arm.made[seed]), -seed))
    found: list[tuple[tuple[float, ...], int]] = []
    for seed, made in arm.made.items():
        # Another seed than the main one repeats; new rates come from the main one.
        rates = within if seed == main else np.array([x for x in within if x in arm.made[main]])
        fresh = [float(x) for x in rates if float(x) not in made]
        step = max(1, -(-len(fresh) // MOST_RATES))
        found += [((x,), seed) for x in fresh[::step]]
    centre = (low + high) / 2
    repeated = sorted(arm.made[main], key=lambda x: abs(x - centre))[:NEW_SEED_RATES]
    if len(repeated) == NEW_SEED_RATES:
        found.append((tuple(sorted(repeated)), max(arm.made) + 1))
    return found


def _outcomes(
    curves: CurveDraws, addition: Addition, arm: Arm, noise: FloatArray
) -> list[tuple[float, CurveDraws]]:
    """Return what the ensemble may become once the runs are made, with probabilities."""
    at = np.abs(curves.log2_lr[:, None] - np.array(addition.log2_lr)).argmin(axis=0)
    trains = np.isfinite(curves.loss[:, at]).all(axis=1)
    if trains.all():
        return [(1.0, _conditioned(curves, at, _covariance(addition, arm), noise))]
    # Beside a cliff the run tells above all on which side of the rate it lies.
    share = float(trains.mean())
    sides = ((share, np.flatnonzero(trains)), (1 - share, np.flatnonzero(~trains)))
    return [(weight, _subset(curves, rows)) for weight, rows in sides if weight > 0]


def _covariance(addition: Addition, arm: Arm) -> FloatArray:
    """Return the covariance of the runs' noise, that of the seed's shift included."""
    count, runs = len(addition.log2_lr), len(arm.made.get(addition.seed, ()))
    shift = 1e4 if runs == 0 else 1 / runs  # in noise variances
    covariance: FloatArray = arm.draws.noise**2 * (np.eye(count) + shift)
    return covariance


def _conditioned(
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


def _subset(curves: CurveDraws, rows: IntArray) -> CurveDraws:
    return replace(curves, loss=curves.loss[np.resize(rows, len(curves.loss))])


def _thinned(curves: CurveDraws) -> CurveDraws:
    rows = np.linspace(0, len(curves.loss) - 1, min(DRAWS, len(curves.loss))).astype(np.intp)
    return replace(curves, loss=curves.loss[rows])


def _made(arm: Arm, addition: Addition) -> Arm:
    made = arm.made.get(addition.seed, frozenset()) | set(addition.log2_lr)
    return replace(arm, made={**arm.made, addition.seed: made})


def _range(curves: CurveDraws) -> tuple[float, float]:
    low, high = np.quantile(minima_of(curves), (0.025, 0.975))
    return float(low), float(high)
