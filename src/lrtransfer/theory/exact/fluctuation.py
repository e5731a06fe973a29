r"""How the optimum of a draw scatters around the limit, width by width.

Two things make a finite width differ from the limit: the spread between draws, which falls as
:math:`n^{-1/2}`, and the bias of their mean, which falls faster. Draws come in pairs, with V and
with −V, because part of the noise cancels in the mean of a pair (antithetic variates).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import UserError
from ...scaling import Exponent, FloatArray, fit_power_law, fit_signed_power_law
from ..largest import require_bearable
from ..minima import LrInterval
from .deep_linear import Problem
from .finite_optimum import draw_optimum
from .finite_width import draw_weights
from .first_step_variance import first_step_variance
from .optimum import limit_optimum

LIMIT_MULTIPLES = 3  # upper end of the search after more than one step, in optima of the limit


@dataclass(frozen=True, eq=False)
class Scatter:
    """Optimal learning rates of all draws at one width.

    Attributes:
        width: n.
        lrs: Optimal learning rates, shape (S, 2): of V and of −V.
        at_edge: Number of optima at an end of the searched interval.
        limit: Optimum in the limit.
    """

    width: int
    lrs: FloatArray
    at_edge: int
    limit: float

    @property
    def bias(self) -> float:
        """Mean minus the limit."""
        return float(self.lrs.mean()) - self.limit

    @property
    def bias_error(self) -> float:
        """Standard error of the bias, from the means of pairs."""
        return float(self.lrs.mean(axis=1).std(ddof=1)) / math.sqrt(len(self.lrs))

    @property
    def sd(self) -> float:
        """Standard deviation between draws."""
        return math.sqrt(self._squares.mean() * len(self.lrs) / (len(self.lrs) - 1))

    @property
    def sd_error(self) -> float:
        """Standard error of the standard deviation."""
        error = float(self._squares.std(ddof=1)) / math.sqrt(len(self.lrs))
        return error / (2 * self.sd)

    @property
    def _squares(self) -> FloatArray:
        squares: FloatArray = ((self.lrs - self.lrs.mean()) ** 2).mean(axis=1)
        return squares


@dataclass(frozen=True, eq=False)
class Fluctuation:
    r"""How the spread and the bias of optima scale with width.

    Attributes:
        scatters: Optima of all draws, one entry per width.
        spread: Exponent of the standard deviation between draws.
        bias: Exponent of the bias.
        variance: Limit of the variance of :math:`\sqrt n\,(η_n - η)` in closed form; None where
            there is no formula.
    """

    scatters: tuple[Scatter, ...]
    spread: Exponent
    bias: Exponent
    variance: float | None

    @property
    def limit(self) -> float:
        """Optimum in the limit."""
        return self.scatters[0].limit

    def sd_at(self, width: int) -> float:
        r"""Return the standard deviation :math:`\sqrt{v/n}`; v by formula or from the widest draws.

        Arguments:
            width: n.
        """
        widest = self.scatters[-1]
        variance = self.variance or widest.sd**2 * widest.width
        return math.sqrt(variance / width)

    def band(self, width: int, *, level: float = 0.95) -> LrInterval:
        """Return an interval that contains the optimum of a draw with a given probability.

        The bias is assumed to be c/n, with c fitted to the draws. The probability holds as n grows:
        a draw is normal in the limit, with heavier tails at small widths.

        Arguments:
            width: n.
            level: Probability.

        Returns:
            Lower and upper end.

        Raises:
            UserError: If the width is not positive or the level not between 0 and 1.
        """
        if width < 1 or not 0 < level < 1:
            raise UserError(
                f"band: got width {width} and level {level}, wanted a width from 1 and a level "
                "between 0 and 1."
            )
        from scipy.special import ndtri  # here, because scipy takes long to load

        centre = self.limit + self._bias_times_width / width
        half = float(ndtri((1 + level) / 2)) * self.sd_at(width)
        return centre - half, centre + half

    @property
    def _bias_times_width(self) -> float:
        n, bias, error = (
            np.array([getattr(s, name) for s in self.scatters])
            for name in ("width", "bias", "bias_error")
        )
        return float((bias / n / error**2).sum() / (1 / (n * error) ** 2).sum())


def fluctuation(
    problem: Problem,
    *,
    steps: int,
    widths: Sequence[int],
    seeds: int,
    interval: LrInterval | None = None,
    level: float = 0.95,
) -> Fluctuation:
    r"""Measure spread and bias of the optimum over widths, without a grid of learning rates.

    Arguments:
        problem: Data, depth, trained roles, optimizer; under μP.
        steps: t, at least 1.
        widths: At least three different widths.
        seeds: Number S of pairs of draws at each width, at least 2.
        interval: Learning rates to search; by default from 0 to four times the optimum of the
            draw's linearized first step at t = 1, and to three times the limit later.
        level: Coverage of the intervals of the exponents.

    Returns:
        The optima at every width, and the exponents of their spread and bias.

    Raises:
        UserError: If an argument is out of range, or the limit has several minimisers: then draws
            would jump between them.

    Example:
        >>> problem = Problem(Regression([[1.0], [2.0]], [2.0, 4.0]), depth=1)
        >>> result = fluctuation(problem, steps=1, widths=[32, 64, 128, 256], seeds=40)
        >>> result.spread.low < -0.5 < result.spread.high
        True
    """
    require_bearable(steps=steps, seeds=seeds, width=max(widths, default=1))
    if len(set(widths)) < 3 or min(widths) < 1 or seeds < 2:
        raise UserError(
            f"fluctuation: got widths {list(widths)} and {seeds} seeds, wanted at least three "
            "different widths and 2 seeds, such as --widths 64,128,256,512 --seeds 40."
        )
    limit = limit_optimum(problem, steps=steps, interval=interval)
    if limit.unique is False:
        rates = ", ".join(f"{m.low:.6g}" for m in limit.minimisers)
        raise UserError(
            f"fluctuation: got a limit with several minimisers, {rates}, wanted one: draws jump "
            "between them at every width. Give an interval around one."
        )
    if interval is None and steps > 1:
        interval = (0.0, LIMIT_MULTIPLES * limit.lr)
    scatters = tuple(
        _scatter(problem, width, seeds=seeds, steps=steps, interval=interval, limit=limit.lr)
        for width in sorted(set(widths))
    )
    for scatter in scatters:
        if scatter.at_edge == scatter.lrs.size:
            raise UserError(
                f"interval: got {interval}, at an end of which every optimum of width "
                f"{scatter.width} lies, wanted one that holds them. Widen it."
            )
    n = [s.width for s in scatters]
    spread = fit_power_law(
        n, [s.sd for s in scatters], relative_sd=[s.sd_error / s.sd for s in scatters], level=level
    )
    bias = fit_signed_power_law(
        n, [s.bias for s in scatters], sd=[s.bias_error for s in scatters], level=level
    )
    return Fluctuation(
        scatters=scatters,
        spread=Exponent(spread.slope, spread.slope_low, spread.slope_high),
        bias=bias,
        variance=first_step_variance(problem) if steps == 1 else None,
    )


def _scatter(
    problem: Problem,
    width: int,
    *,
    seeds: int,
    steps: int,
    interval: LrInterval | None,
    limit: float,
) -> Scatter:
    pairs = []
    for seed in range(seeds):
        weights = draw_weights(problem, width=width, seed=seed)
        pairs.append([
            draw_optimum(problem, draw, steps=steps, interval=interval).lr
            for draw in (weights, weights.mirror())
        ])
    lrs = np.array(pairs)
    at_edge = 0 if interval is None else int(np.isin(lrs, interval).sum())
    return Scatter(width, lrs, at_edge, limit)
