r"""Curves of all sizes of one scheme, fitted together.

Sizes have curves of one kind. What a size learns of models (`models`) counts half for the others,

.. math:: p_s(\text{model}) \propto p(\text{model})\, p(y_s | \text{model})
          \prod_{r \neq s} p(y_r | \text{model})^{1/2},

and in a second pass the curvature of the others is a further measurement: the logarithm of the
second difference over an octave either way scatters by 0.35 from size to size and by 0.25 per
doubling between them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..answer import Optimum
from ..table import LossCurve
from ..trend import Location, predict_optimum
from .columns import Columns, reduce_runs
from .curve import CurveDraws, cut_cliffs, find_minima, turn_up, value_at
from .models import list_rough
from .optimum import find_optimum, locate, state_none
from .posterior import (
    Bump,
    CurveData,
    ModelWeights,
    add_bump,
    find_evidence,
    log_prior,
    prepare,
)
from .sampling import draw_curves

FITTED_RATES = 2  # finite rates that a curve is fitted to
SHARED = 0.5  # how much the evidence of another size counts
FIRST_DRAWS, POSTERIOR_DRAWS = 160, 640
CURVATURE_SCATTER, CURVATURE_DRIFT = 0.35, 0.25  # of the log second difference: sd, per doubling
PLACED = 0.3  # sd of an optimum in octaves beyond which the other sizes help to place it


@dataclass(frozen=True, eq=False)
class SizeFit:
    """Fit of one size.

    Attributes:
        columns: Its columns.
        optimum: Its optimum.
        draws: The curves drawn; None with fewer than two finite rates.
        location: Where the optimum is for the trend over the sizes; None without curves.
    """

    columns: Columns
    optimum: Optimum
    draws: CurveDraws | None
    location: Location | None = None


def fit_sizes(
    curves: Sequence[LossCurve], *, seed: int = 0, any_sign: bool = False
) -> tuple[SizeFit, ...]:
    """Fit the curves of one scheme together.

    Arguments:
        curves: One loss curve per size.
        seed: Seed of the posterior draws.
        any_sign: Whether a constant added to all losses must change nothing. Else logarithms of
            losses are fitted, if all are positive.

    Returns:
        One fit per curve, in the order given.

    Example:
        >>> x = np.arange(-10.0, -2.0)
        >>> loss = 3 + (x + 6.3) ** 2 / 16 + np.array([[0.0], [0.02]])
        >>> (fit,) = fit_sizes([LossCurve(size=128, log2_lr=x, loss=loss)])
        >>> fit.optimum.status, round(fit.optimum.log2_lr, 1)
        ('ok', -6.3)
    """
    columns = [reduce_runs(curve) for curve in curves]
    logs = not any_sign and all(np.all(curve.loss[np.isfinite(curve.loss)] > 0) for curve in curves)
    in_logs = [reduce_runs(_take_logs(curve)) for curve in curves] if logs else columns
    usable = [i for i, column in enumerate(columns) if len(column.log2_lr) >= FITTED_RATES]
    thinned = [in_logs[i].thin() for i in usable]
    drawn = dict(zip(usable, _draw_together(thinned, seed), strict=True))
    fits = []
    for i, column in enumerate(columns):
        if i not in drawn:
            fits.append(SizeFit(column, state_none(column), None))
            continue
        draws = replace(drawn[i], columns=column)
        if logs:
            lowest = column.best_loss
            with np.errstate(over="ignore"):  # beyond the largest float a loss is infinite
                loss = np.exp(draws.loss)
            draws = replace(draws, loss=loss, noise=draws.noise * lowest)
        fits.append(SizeFit(column, find_optimum(draws), draws, locate(draws)))
    return tuple(fits)


def find_optima(curves: Sequence[LossCurve], *, seed: int = 0) -> tuple[Optimum, ...]:
    """Return the optimal learning rate of each size with its 95 % interval, or a bound.

    Arguments:
        curves: One loss curve per size, all of one scheme.
        seed: Seed of the posterior draws.

    Returns:
        One optimum per curve, in the order given.
    """
    return tuple(fit.optimum for fit in fit_sizes(curves, seed=seed))


def _take_logs(curve: LossCurve) -> LossCurve:
    with np.errstate(invalid="ignore"):
        error = None if curve.error is None else curve.error / curve.loss
        return replace(curve, loss=np.log(curve.loss), error=error)


def _draw_together(columns: Sequence[Columns], seed: int) -> list[CurveDraws]:
    if not columns:
        return []
    heights = np.array([column.height for column in columns])
    scales = np.sqrt(heights * np.median(heights))
    data = [prepare(c, scale=float(r)) for c, r in zip(columns, scales, strict=True)]
    evidences = [find_evidence(one) for one in data]
    weights = _share_evidence(data, evidences)
    bumps: list[Bump | None] = [None] * len(data)
    if len(data) > 1:
        first = [
            _draw(one, weight, bump=None, count=FIRST_DRAWS, rng=_stream(seed, one, 1))
            for one, weight in zip(data, weights, strict=True)
        ]
        bumps = _share_curvature(data, first)
        for i, bump in enumerate(bumps):
            if bump is not None:
                weights[i] = add_bump(data[i], weights[i], evidences[i], bump)
    return [
        _draw(one, weight, bump=bump, count=POSTERIOR_DRAWS, rng=_stream(seed, one, 2))
        for one, weight, bump in zip(data, weights, bumps, strict=True)
    ]


def _share_evidence(
    data: Sequence[CurveData], evidences: Sequence[ModelWeights]
) -> list[ModelWeights]:
    """Return log weights of every size: prior, own evidence and a share of the others'.

    A corner lies elsewhere in every size: the others say that there is one, not where.
    """
    pooled = [one.corners.pool(own.cornered) for one, own in zip(data, evidences, strict=True)]
    smooth = sum(own.smooth for own in evidences)
    cornered = sum(pooled)
    shared = []
    for one, own, anywhere in zip(data, evidences, pooled, strict=True):
        others = (cornered - anywhere)[..., one.corners.kind, :]
        known = ModelWeights(SHARED * (smooth - own.smooth), SHARED * others)
        shared.append(log_prior(one) + own + known)
    return shared


def _stream(seed: int, data: CurveData, which: int) -> np.random.Generator:
    return np.random.default_rng([seed, data.columns.size, which])


def _draw(
    data: CurveData,
    log_weights: ModelWeights,
    *,
    bump: Bump | None,
    count: int,
    rng: np.random.Generator,
) -> CurveDraws:
    weights = log_weights.normalise()
    drawn = draw_curves(data, weights, bump=bump, count=count, rng=rng)
    columns = data.columns
    u = turn_up(
        drawn.u,
        at=data.at,
        open_below=columns.diverged_below is None,
        open_above=columns.diverged_above is None,
    )
    loss = columns.loss.min() + data.scale * u
    cut_cliffs(loss, data.points, columns, rng)
    by_error = weights.smooth.sum(axis=(0, 2))
    draws = CurveDraws(
        columns=columns,
        log2_lr=data.points,
        loss=loss,
        at_columns=data.at,
        kinks=drawn.kinks,
        noise=float(data.scale * np.median(drawn.noise)),
        rough=0.0,
    )
    low, high = np.quantile(find_minima(draws), (0.025, 0.975))
    return replace(draws, rough=float(by_error[list_rough(columns.gap(low, high))].sum()))


def _share_curvature(data: Sequence[CurveData], draws: Sequence[CurveDraws]) -> list[Bump | None]:
    """Return what the other sizes say of the curvature of each."""
    measured = [_measure_curvature(one) for one in draws]
    places = [locate(one) for one in draws]
    bumps: list[Bump | None] = []
    for i, one in enumerate(data):
        others = [
            (m[0], m[1] ** 2 + CURVATURE_SCATTER**2 + (CURVATURE_DRIFT * doublings) ** 2)
            for j, m in enumerate(measured)
            if j != i
            and m is not None
            and (doublings := abs(np.log2(data[j].columns.size / one.columns.size))) >= 0
        ]
        if not others:
            bumps.append(None)
            continue
        logs, variances = np.array(others).T
        weight = (1 / variances).sum()
        bumps.append(
            Bump(
                centre=_place(
                    draws[i],
                    places[i],
                    [p for j, p in enumerate(places) if j != i and p is not None],
                ),
                log=float((logs / variances).sum() / weight - np.log(one.scale)),
                sd=min(1.0, float(np.sqrt(1 / weight + CURVATURE_SCATTER**2))),
            )
        )
    return bumps


def _place(draws: CurveDraws, own: Location | None, others: Sequence[Location]) -> float:
    """Return where the curvature of a size is compared: its minimum, as far as it is known."""
    if own is not None and own.sd <= PLACED:
        return own.log2_lr
    if not others:
        return float(np.median(find_minima(draws)))
    expected = predict_optimum(others, size=draws.columns.size)
    if own is None:
        return expected.mean
    a, b = own.sd**-2.0, expected.sd**-2.0
    return float((a * own.log2_lr + b * expected.mean) / (a + b))


def _measure_curvature(draws: CurveDraws) -> tuple[float, float] | None:
    """Return the log second difference of a size, with its standard deviation."""
    minima = find_minima(draws)
    sides = [value_at(draws, minima + side) for side in (-1.0, 1.0)]
    with np.errstate(invalid="ignore"):
        difference = sides[0] + sides[1] - 2 * draws.loss.min(axis=1)
    usable = difference[np.isfinite(difference) & (difference > 0)]
    if len(usable) < len(minima) / 2:
        return None
    low, middle, high = np.quantile(np.log(usable), (0.16, 0.5, 0.84))
    return float(middle), float(high - low) / 2
