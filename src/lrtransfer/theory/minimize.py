r"""Minima of a smooth loss in float64, without a grid of learning rates.

The interval is cut until Chebyshev interpolation resolves the loss on every piece; the minima of
the interpolants are refined by Newton's method on the derivative, which a complex step gives to
machine precision: :math:`\ell'(x) = \mathrm{Im}\, \ell(x + ih) / h`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev

from ..errors import UserError
from .regression import FloatArray, Numbers

NODES = 17  # per piece: a polynomial of degree 16 is resolved at once
RESOLVED = 1e-7  # share of the last coefficients in the largest
COARSE, FINEST = 4, 10  # halvings of the interval before a piece may be left, and at most
_STEP = 1e-30
_CHUNK = 512  # learning rates evaluated at a time


@dataclass(frozen=True)
class Minimum:
    """Hold a local minimum.

    Attributes:
        lr: Where it lies.
        loss: Value there.
        error: Estimated error of `lr`, where the second derivative is not 0.
    """

    lr: float
    loss: float
    error: float


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


def minimize(
    loss: Callable[[Numbers], Numbers], interval: tuple[float, float]
) -> tuple[Minimum, ...]:
    """Return the local minima of a loss on an interval, best first.

    A minimum is missed if it is narrower than about 1/270 of the interval and the loss all around
    it exceeds that at the lower end.

    Arguments:
        loss: Analytic function of real or complex learning rates, shape (R,) to (R,).
        interval: Ends a < b; they count as minima if the loss falls towards them.

    Raises:
        UserError: If the interval is empty or infinite, or the loss is finite nowhere on it.

    Example:
        >>> best, other = minimize(lambda x: (x**2 - 1) ** 2 + 0.1 * x, (-2, 2))
        >>> round(best.lr, 9), round(other.lr, 9)
        (-1.012273131, 0.987257477)
    """
    low, high = interval
    if not (np.isfinite([low, high]).all() and low < high):
        raise UserError(f"interval: got {low} to {high}, wanted two finite rates, a < b.")
    starts, edge = _search(loss, low, high)
    ends = _values(loss, np.array([low, high]))
    slopes = _slopes(loss, np.array([low, high]))
    minima = [_refine(loss, start, piece) for start, piece in starts]
    if slopes[0] > 0:
        minima.append(Minimum(low, float(ends[0]), 0.0))
    if slopes[1] < 0:
        minima.append(Minimum(high, float(ends[1]), 0.0))
    minima = _distinct([m for m in minima if np.isfinite(m.loss)] or edge)
    if not minima:
        raise UserError(
            f"interval: got {low} to {high}, on which the loss is nowhere finite, wanted one that "
            "holds rates at which training does not diverge. Lower its ends."
        )
    return tuple(sorted(minima, key=lambda m: m.loss))


def _search(
    loss: Callable[[Numbers], Numbers], low: float, high: float
) -> tuple[list[tuple[float, _Piece]], list[Minimum]]:
    """Return starting points with their pieces, and the best node as a last resort."""
    start = float(_values(loss, np.array([low]))[0])
    best = Minimum(low, start, high - low)
    pieces, starts = [_Piece(low, high, 0)], list[tuple[float, _Piece]]()
    while pieces:
        nodes = np.concatenate([piece.nodes for piece in pieces])
        values = _values(loss, nodes).reshape(-1, NODES)
        rest = []
        for piece, value in zip(pieces, values, strict=True):
            with np.errstate(invalid="ignore"):
                hopeless = not (value <= start).any()
            if np.isfinite(value).any() and np.nanmin(value) < best.loss:
                at = int(np.nanargmin(value))
                best = Minimum(float(piece.nodes[at]), float(value[at]), piece.high - piece.low)
            if np.isfinite(value).all() and _is_resolved(coefficients := _interpolate(value)):
                starts += [(x, piece) for x in _critical(coefficients, piece)]
            elif piece.level < (COARSE if hopeless else FINEST):
                rest += piece.halves()
        pieces = rest
    return starts, [best] if np.isfinite(best.loss) else []


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


def _critical(coefficients: FloatArray, piece: _Piece) -> list[float]:
    """Return where the interpolant has a minimum inside the piece."""
    slope = chebyshev.chebder(coefficients)
    scale = np.abs(slope).max()
    if scale == 0:
        return []
    roots = chebyshev.chebroots(chebyshev.chebtrim(slope, 1e-13 * scale))
    real = roots.real[(np.abs(roots.imag) < 1e-4) & (np.abs(roots.real) <= 1 + 1e-6)]
    rising = real[chebyshev.chebval(real, chebyshev.chebder(slope)) > 0]
    middle, half = (piece.low + piece.high) / 2, (piece.high - piece.low) / 2
    return [float(middle + half * x) for x in rising]


def _refine(loss: Callable[[Numbers], Numbers], start: float, piece: _Piece) -> Minimum:
    """Find the zero of the derivative by secants from two points beside the start."""
    width = piece.high - piece.low
    x0, x1 = start - 1e-5 * width, start + 1e-5 * width
    d0, d1 = _slopes(loss, np.array([x0, x1]))
    step = width
    for _ in range(8):
        if d1 == d0 or not np.isfinite(d1):
            break
        last, step = step, d1 * (x1 - x0) / (d1 - d0)
        if abs(step) >= abs(last):
            step = last
            break
        x0, d0, x1 = x1, d1, x1 - step
        d1 = _slopes(loss, np.array([x1]))[0]
        if abs(step) <= 4e-16 * abs(x1):
            break
    value = float(_values(loss, np.array([x1]))[0])
    return Minimum(float(x1), value, max(abs(float(step)), 2e-16 * abs(float(x1))))


def _distinct(minima: list[Minimum]) -> list[Minimum]:
    """Leave out what two neighbouring pieces both found."""
    kept: list[Minimum] = []
    for minimum in sorted(minima, key=lambda m: m.lr):
        near = 1e-7 * abs(minimum.lr)
        if not kept or minimum.lr - kept[-1].lr > near:
            kept.append(minimum)
    return kept
