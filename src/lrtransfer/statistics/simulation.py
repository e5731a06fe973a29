"""Loss curves with a known optimum, on which the intervals are checked.

d = x − x*, in octaves. Every landscape is shifted so that its minimum lies at d = 0 and scaled so
that f(−4) − f(0) = 1: the loss range R.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from ..scaling import FloatArray
from .table import LossCurve

SPAN = 9.0  # octaves of learning rate swept
CLIFF = 0.7  # octaves between the optimum and divergence
FAILED = 9.0  # what failed runs record, in R above the minimum: loss 12 where the valley is 3 to 4


@dataclass(frozen=True)
class Landscape:
    """Family of loss curves and the noise of the runs on it.

    Attributes:
        shape: Name of the curve.
        cliff: Octaves from the optimum to divergence, or None.
        failing: Octaves from the optimum beyond which runs fail and record one finite loss, or
            None.
        tail: Degrees of freedom of Student noise, or None for normal noise.
        growth: Octaves in which the noise doubles, or None for equal noise.
        smooth: Share of the noise variance that varies smoothly along the curve, over 2 octaves.
        missing: Share of the runs that were not made.
        outside: Whether the minimum lies beyond the rates tried.
    """

    shape: str
    cliff: float | None = None
    failing: float | None = None
    tail: float | None = None
    growth: float | None = None
    smooth: float = 0.0
    missing: float = 0.0
    outside: bool = False


LANDSCAPES = {
    "quad": Landscape("quad"),
    "skew": Landscape("skew"),
    "wall": Landscape("wall"),
    "cliff": Landscape("quad", cliff=CLIFF),
    "quartic": Landscape("quartic"),
    "bimodal": Landscape("bimodal"),
    "plateau": Landscape("plateau"),
    "heavy": Landscape("skew", tail=2.5),
    "hetero": Landscape("skew", growth=2.0),
    "corr": Landscape("skew", smooth=0.7),
    "missing": Landscape("skew", missing=0.2),
    "cliffedge": Landscape("falling", cliff=0.0),
    "outside": Landscape("quad", outside=True),
    "softkink": Landscape("softkink"),
    "kink": Landscape("kink"),
    "powers": Landscape("powers"),
    "well": Landscape("well"),
    "hyperbola": Landscape("hyperbola"),
    "ripple": Landscape("ripple"),
    "cosh": Landscape("cosh"),
    "lorentz": Landscape("lorentz"),
    "twosided": Landscape("twosided"),
    "basin": Landscape("basin"),
    "failplateau": Landscape("skew", failing=0.9),
}

_RAW: dict[str, Callable[[FloatArray], FloatArray]] = {
    "quad": lambda t: t**2,
    "skew": lambda t: 2.0**t - np.log(2) * t,  # lr − log lr
    # 5 R high, steep over 0.6 octave, at the right of a wide valley
    "wall": lambda t: (t / 4) ** 2 + 5 * (1 - np.exp(-np.exp((t - 1) / 0.6) / 5)),
    "quartic": lambda t: t**4,
    "bimodal": lambda t: (
        -np.exp(-((t / 1.1) ** 2) / 2) - 0.8 * np.exp(-(((t - 3.6) / 1.1) ** 2) / 2)
    ),
    "plateau": lambda t: np.logaddexp(0, (t - 1.5) / 0.4) + np.logaddexp(0, (-t - 1.5) / 0.4),
    "softkink": lambda t: 0.375 * np.logaddexp(0, t / 0.3) - t / 4,
    "kink": lambda t: np.where(t > 0, t, -t / 4),
    "powers": lambda t: 2.0 ** (-0.4 * t) + 0.3 * 2.0 ** (1.2 * t),  # of the learning rate
    # as high as at the start of training where the rate is too small
    "well": lambda t: np.where(t < 0, 1 - np.exp(-(t**2) / 8), t**2 / 8),
    "hyperbola": lambda t: np.sqrt(0.25 + t**2) + t / 3,
    "ripple": lambda t: t**2 + 0.3 * np.sin(2 * np.pi * t / 1.7),
    "cosh": lambda t: np.cosh(t),
    "lorentz": lambda t: np.log1p(t**2),
    "twosided": lambda t: np.where(t < 0, t**2, 4 * t**2),
    "basin": lambda t: t**2 / (1 + t**2 / 8) + t / 10,
    "falling": lambda t: np.where(t > 0, t, (t - 2) ** 2),
}


def loss_shape(name: str, d: FloatArray) -> FloatArray:
    """Return the noiseless loss above its minimum, in units of R, at distances d from it."""
    offset, low, scale = _find_minimum(name)
    values: FloatArray = (_RAW[name](d + offset) - low) / scale
    return values


@cache
def _find_minimum(name: str) -> tuple[float, float, float]:
    raw = _RAW[name]
    if name == "falling":  # its minimum is the cliff, not a stationary point
        return 0.0, 4.0, 32.0
    t = np.linspace(-3, 3, 60_001)
    values = raw(t)
    offset, low = float(t[values.argmin()]), float(values.min())
    return offset, low, float(raw(np.array([offset - 4.0]))[0]) - low


def true_excess(land: Landscape, d: FloatArray) -> FloatArray:
    """Return the noiseless loss above the best one, in units of R; +inf where runs diverge.

    Example:
        >>> true_excess(LANDSCAPES["cliff"], np.array([-4.0, 0.0, 1.0]))
        array([ 1.,  0., inf])
    """
    excess = loss_shape(land.shape, d)
    if land.failing is not None:
        excess = np.where(d > land.failing, FAILED, excess)
    return excess if land.cliff is None else np.where(d > land.cliff, np.inf, excess)


def place_bounds(span: float) -> tuple[float, float]:
    """Return how far the optimum may lie from the lowest of the rates swept, in octaves.

    Example:
        >>> place_bounds(6.0), place_bounds(9.0)
        ((2.0, 3.8), (3.2, 5.3))
    """
    return 0.4 * (span - 1), 0.5 * span + 0.8


def draw_place(land: Landscape, grid: FloatArray, span: float, rng: np.random.Generator) -> float:
    """Draw where the optimum lies: well inside the rates swept, or 1 to 2 octaves beyond them."""
    low, high = place_bounds(span)
    best = float(grid[0]) + rng.uniform(low, high)
    if land.outside:
        beyond = rng.uniform(1, 2)
        best = float(grid[0] - beyond if rng.random() < 0.5 else grid[-1] + beyond)
    return best


def draw_losses(
    land: Landscape,
    d: FloatArray,
    *,
    rng: np.random.Generator,
    seeds: int,
    noise: float,
    floor: float,
    height: float = 1.0,
) -> FloatArray:
    """Draw the losses of runs at distances d from the optimum, shape (S, K).

    Arguments:
        land: Landscape.
        d: Distances from the optimum in octaves, shape (K,).
        rng: Source of the noise.
        seeds: Number of seeds S.
        noise: Standard deviation of a run; a seed's offset has twice that.
        floor: Loss at the optimum.
        height: Loss range R.
    """
    loss = floor + height * true_excess(land, d) + noise * _draw_noise(land, d, seeds, rng)
    if land.failing is not None:
        loss = np.where(d > land.failing, floor + FAILED, loss)
    return np.where(rng.random(loss.shape) < land.missing, np.nan, loss)


def simulate(
    name: str,
    *,
    rng: np.random.Generator,
    seeds: int = 3,
    noise: float = 0.01,
    spacing: float = 1.0,
    span: float = SPAN,
    size: int = 256,
    floor: float = 3.0,
) -> tuple[LossCurve, float]:
    """Draw the runs of one size on a landscape, and return them with the true optimum.

    Arguments:
        name: A key of `LANDSCAPES`.
        rng: Source of the grid's phase, the optimum's place (`place_bounds`) and the noise.
        seeds: Number of seeds S.
        noise: Standard deviation of a run in units of R; a seed's offset has twice that.
        spacing: Octaves between learning rates.
        span: Octaves from the lowest to the highest learning rate; less than one spacing fewer
            where the spacing does not divide it.
        size: Size to label the curve with.
        floor: Loss at the optimum; R is 1.

    Returns:
        The curve and x* = log2 of the best learning rate.

    Example:
        >>> curve, best = simulate("quad", rng=np.random.default_rng(0), noise=0.0, seeds=1)
        >>> curve.loss.shape, bool(abs(curve.log2_lr[curve.loss.argmin()] - best) <= 0.5)
        ((1, 10), True)
    """
    land = LANDSCAPES[name]
    x: FloatArray = -12 + rng.uniform(0, spacing) + spacing * np.arange(int(span / spacing) + 1.0)
    best = draw_place(land, x, span, rng)
    loss = draw_losses(land, x - best, rng=rng, seeds=seeds, noise=noise, floor=floor)
    return LossCurve(size=size, log2_lr=x, loss=loss), best


def _draw_noise(land: Landscape, d: FloatArray, seeds: int, rng: np.random.Generator) -> FloatArray:
    count = len(d)
    error = rng.standard_normal((seeds, count))
    if land.tail is not None:
        error = rng.standard_t(land.tail, (seeds, count)) / np.sqrt(land.tail / (land.tail - 2))
    if land.smooth:
        distance = (d[:, None] - d) / 2.0
        root = np.linalg.cholesky(np.exp(-(distance**2) / 2) + 1e-9 * np.eye(count))
        smooth = rng.standard_normal((seeds, count)) @ root.T
        error = np.sqrt(1 - land.smooth) * error + np.sqrt(land.smooth) * smooth
    if land.growth is not None:
        error = error * 2.0 ** (d / land.growth)
    return error + 2 * rng.standard_normal((seeds, 1))
