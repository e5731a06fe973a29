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


@dataclass(frozen=True)
class Landscape:
    """Family of loss curves and the noise of the runs on it.

    Attributes:
        shape: Name of the curve.
        cliff: Octaves from the optimum to divergence, or None.
        tail: Degrees of freedom of Student noise, or None for normal noise.
        growth: Octaves in which the noise doubles, or None for equal noise.
        smooth: Share of the noise variance that varies smoothly along the curve, over 2 octaves.
        missing: Share of the runs that were not made.
        outside: Whether the minimum lies beyond the rates tried.
    """

    shape: str
    cliff: float | None = None
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


def simulate(
    name: str,
    *,
    rng: np.random.Generator,
    seeds: int = 3,
    noise: float = 0.01,
    spacing: float = 1.0,
    size: int = 256,
    floor: float = 3.0,
) -> tuple[LossCurve, float]:
    """Draw the runs of one size on a landscape, and return them with the true optimum.

    Arguments:
        name: A key of `LANDSCAPES`.
        rng: Source of the grid's phase, the optimum's place and the noise.
        seeds: Number of seeds S.
        noise: Standard deviation of a run in units of R; a seed's offset has twice that.
        spacing: Octaves between learning rates.
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
    x: FloatArray = -12 + rng.uniform(0, spacing) + spacing * np.arange(int(SPAN / spacing) + 1.0)
    best = float(x[0] + rng.uniform(3.2, 5.3))
    if land.outside:
        beyond = rng.uniform(1, 2)
        best = float(x[0] - beyond if rng.random() < 0.5 else x[-1] + beyond)
    d = x - best
    loss = floor + loss_shape(land.shape, d) + noise * _draw_noise(land, d, seeds, rng)
    if land.cliff is not None:
        loss = np.where(d > land.cliff, np.inf, loss)
    loss = np.where(rng.random(loss.shape) < land.missing, np.nan, loss)
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
