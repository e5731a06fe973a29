r"""Minima of a smooth loss in float64, without a grid of learning rates.

The interval is halved until Chebyshev interpolation resolves the loss on every piece; the minima of
the interpolants are refined by the secant method on the derivative, which a complex step gives to
machine precision: :math:`\ell'(x) = \mathrm{Im}\, \ell(x + ih) / h`.

References:
    Trefethen (2019). Approximation Theory and Approximation Practice. SIAM.
    Squire, Trapp (1998). Using complex variables to estimate derivatives of real functions.
    https://doi.org/10.1137/S003614459631241X
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.polynomial import chebyshev

from ..errors import UserError
from ..scaling import FloatArray
from .regression import Numbers

LrInterval = tuple[float, float]

NODES = 17  # per piece: a polynomial of degree 16 is resolved at once
RESOLVED = 1e-7  # of an interpolant: its last coefficients, relative to the largest
COARSE, FINEST = 5, 10  # halvings: of pieces where the loss is higher than at the start; at most
MAX_MINIMA = 8  # starting points that are refined
ROUNDING = 2e-16  # relative error of one operation in float64
_STEP = 1e-30
_CHUNK = 512  # learning rates evaluated at a time


LARGEST_RATE = 1e20  # powers of larger ones are no floats


@dataclass(frozen=True)
class Minimum:
    """A local minimum of the loss.

    Attributes:
        lr: Learning rate at the minimum.
        loss: Loss there.
        error: Estimated error of `lr`, valid where the second derivative is not 0.
        rounding: Estimated error of `loss`.
    """

    lr: float
    loss: float
    error: float
    rounding: float


@dataclass(frozen=True, eq=False)
class _Piece:
    low: float
    high: float
    level: int

    @property
    def nodes(self) -> FloatArray:
        x = np.cos(np.pi * np.arange(NODES) / (NODES - 1))
        nodes: FloatArray = (self.low + self.high) / 2 + (self.high - self.low) / 2 * x
        return nodes

    def halves(self) -> list["_Piece"]:
        middle = (self.low + self.high) / 2
        return [
            _Piece(self.low, middle, self.level + 1),
            _Piece(middle, self.high, self.level + 1),
        ]


def minimize(loss: Callable[[Numbers], Numbers], interval: LrInterval) -> tuple[Minimum, ...]:
    """Return the lowest local minima of a loss on an interval, at most 8, best first.

    A minimum can be missed if it is narrower than 1/17,000 of the interval; and if it is narrower
    than about 1/500 and the loss around it exceeds the loss at the lower end.

    Arguments:
        loss: Analytic function of real or complex learning rates, shape (R,) to (R,), a sum of
            squares.
        interval: Ends a < b; an end counts as a minimum if the loss falls towards it.

    Returns:
        The minima by increasing loss.

    Raises:
        UserError: If the interval is empty or infinite, or the loss is finite nowhere on it.

    Example:
        >>> best, other = minimize(lambda x: (x**2 - 1) ** 2 + 0.1 * x, (-2, 2))
        >>> round(best.lr, 9), round(other.lr, 9)
        (-1.012273131, 0.987257477)
    """
    low, high = check_interval(interval)
    starts = _search(loss, low, high)
    if not starts:
        raise UserError(
            f"interval: got {low} to {high}, on which the loss is nowhere finite, wanted one that "
            "holds rates at which training does not diverge. Lower its ends."
        )
    minima = _refine(loss, starts, interval)
    return tuple(sorted(_join(loss, minima), key=lambda m: m.loss))


def check_interval(interval: LrInterval) -> LrInterval:
    """Return the interval unchanged if it is not empty and its rates can be computed with.

    Raises:
        UserError: If it is empty, infinite or beyond 1e20.
    """
    low, high = interval
    if not (-LARGEST_RATE <= low < high <= LARGEST_RATE):
        raise UserError(
            f"interval: got {low} to {high}, wanted two finite rates, a < b, of at most "
            f"{LARGEST_RATE:g}."
        )
    return low, high


@dataclass(frozen=True)
class _Start:
    """A starting point of the refinement: its loss, and how far from it the minimum may lie."""

    lr: float
    loss: float
    reach: float


def _search(loss: Callable[[Numbers], Numbers], low: float, high: float) -> list[_Start]:
    """Return the lowest starting points, the lowest node of every unresolved piece among them."""
    start = float(_values(loss, np.array([low]))[0])
    pieces, starts = [_Piece(low, high, 0)], list[_Start]()
    while pieces:
        nodes = np.concatenate([piece.nodes for piece in pieces])
        values = _values(loss, nodes).reshape(-1, NODES)
        rest = []
        for piece, value in zip(pieces, values, strict=True):
            with np.errstate(invalid="ignore"):
                is_high = not (value <= start).any()
            if np.isfinite(value).all() and _is_resolved(coefficients := _interpolate(value)):
                starts += _critical(coefficients, piece, (low, high))
            elif piece.level < (COARSE if is_high else FINEST):
                rest += piece.halves()
            elif np.isfinite(value).any():
                starts.append(_lowest(piece, value))
        pieces = rest
    return sorted(starts, key=lambda s: s.loss)[:MAX_MINIMA]


def _lowest(piece: _Piece, values: FloatArray) -> _Start:
    at = int(np.nanargmin(np.where(np.isfinite(values), values, np.nan)))
    return _Start(float(piece.nodes[at]), float(values[at]), (piece.high - piece.low) / NODES)


def _values(loss: Callable[[Numbers], Numbers], lrs: FloatArray) -> FloatArray:
    with np.errstate(over="ignore", invalid="ignore"):
        parts = [loss(lrs[i : i + _CHUNK]) for i in range(0, len(lrs), _CHUNK)]
    return np.concatenate(parts).astype(np.float64)


def _slopes(loss: Callable[[Numbers], Numbers], lrs: FloatArray) -> FloatArray:
    with np.errstate(over="ignore", invalid="ignore"):
        slopes: FloatArray = loss(lrs + 1j * _STEP).imag / _STEP
    return slopes


def _interpolate(values: FloatArray) -> FloatArray:
    """Return the Chebyshev coefficients through the values at the nodes."""
    m = NODES - 1
    spectrum = np.fft.rfft(np.concatenate([values, values[-2:0:-1]])).real / m
    spectrum[[0, m]] /= 2
    coefficients: FloatArray = spectrum
    return coefficients


def _is_resolved(coefficients: FloatArray) -> bool:
    variation = np.abs(coefficients[1:])
    return bool(variation[-3:].max() <= RESOLVED * variation.max())


def _critical(coefficients: FloatArray, piece: _Piece, interval: LrInterval) -> list[_Start]:
    """Return the minima of the interpolant on the piece, ends of the interval included."""
    slope = chebyshev.chebder(coefficients)
    scale = np.abs(slope).max()
    if scale == 0:
        return []
    roots = chebyshev.chebroots(chebyshev.chebtrim(slope, 1e-13 * scale))
    real = roots.real[(np.abs(roots.imag) < 1e-4) & (np.abs(roots.real) <= 1 + 1e-6)]
    points = [*real[chebyshev.chebval(real, chebyshev.chebder(slope)) > 0]]
    points += [-1.0] * bool(piece.low == interval[0] and chebyshev.chebval(-1, slope) > 0)
    points += [1.0] * bool(piece.high == interval[1] and chebyshev.chebval(1, slope) < 0)
    middle, half = (piece.low + piece.high) / 2, (piece.high - piece.low) / 2
    values = chebyshev.chebval(np.array(points), coefficients)
    return [
        _Start(float(middle + half * x), float(value), 2 * half)
        for x, value in zip(points, values, strict=True)
    ]


def _refine(
    loss: Callable[[Numbers], Numbers], starts: list[_Start], interval: LrInterval
) -> list[Minimum]:
    """Return the minima near the starting points, all refined at once, inside the interval."""
    x0, reach = (np.array([getattr(s, name) for s in starts]) for name in ("lr", "reach"))
    x1 = np.clip(np.where(x0 > interval[0], x0 - 1e-5 * reach, x0 + 1e-5 * reach), *interval)
    d0, d1 = _slopes(loss, x0), _slopes(loss, x1)
    step, curvature = np.full_like(x0, np.inf), np.full_like(x0, np.nan)
    for _ in range(8):
        with np.errstate(all="ignore"):
            bend = (d1 - d0) / (x1 - x0)
            new = d1 / bend
        moves = np.isfinite(new) & (np.abs(new) < np.abs(step)) & (np.abs(new) < reach)
        if not moves.any():
            break
        step, curvature = np.where(moves, new, step), np.where(moves, bend, curvature)
        x0, d0 = np.where(moves, x1, x0), np.where(moves, d1, d0)
        x1 = np.clip(np.where(moves, x1 - new, x1), *interval)
        d1 = _slopes(loss, x1)
    x = np.where(np.isfinite(step), x1, [s.lr for s in starts])
    values = _values(loss, x)
    start = abs(float(_values(loss, np.array([interval[0]]))[0]))
    rounding = _rounding(values, start)
    with np.errstate(all="ignore"):
        blur = 8 * ROUNDING * np.sqrt(start / np.abs(curvature))  # rounding errors of the slope
    errors = np.maximum(np.maximum(np.abs(step), blur), ROUNDING * np.abs(x))
    errors = np.where(np.isfinite(errors), np.minimum(errors, reach), reach)
    errors[(x == interval[0]) | (x == interval[1])] = 0
    columns = (x.tolist(), values.tolist(), errors.tolist(), rounding.tolist())
    return [Minimum(*row) for row in zip(*columns, strict=True)]


def _rounding(values: FloatArray, start: float) -> FloatArray:
    """Return rounding errors of the losses: squares of residuals as large as those at the start."""
    error = 8 * ROUNDING
    rounding: FloatArray = error * np.sqrt(np.abs(values * start)) + error**2 * start
    return rounding


def _join(loss: Callable[[Numbers], Numbers], minima: list[Minimum]) -> list[Minimum]:
    """Join neighbours without a higher loss between them: one minimum, reached twice or flat."""
    distinct: list[Minimum] = []
    for minimum in sorted(minima, key=lambda m: m.lr):
        if not distinct or _has_barrier(loss, distinct[-1], minimum):
            distinct.append(minimum)
        else:
            low, high = sorted((distinct[-1], minimum), key=lambda m: m.loss)
            is_flat = high.loss - low.loss <= low.rounding + high.rounding
            error = abs(high.lr - low.lr) + high.error if is_flat else 0
            distinct[-1] = replace(low, error=max(low.error, error))
    return distinct


def _has_barrier(loss: Callable[[Numbers], Numbers], left: Minimum, right: Minimum) -> bool:
    between = np.linspace(left.lr, right.lr, 9)[1:-1]
    height = max(left.loss, right.loss) + max(left.rounding, right.rounding)
    return bool((_values(loss, between) > height).any())
