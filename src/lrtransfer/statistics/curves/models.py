r"""What a loss curve may look like before any run is seen: a grid of models with their weights.

x = log2 learning rate; u the loss above the lowest measured one, in units of the valley's height.
A model bends u by a logarithm, so that a steep side does not dictate how wiggly the valley may be,

.. math:: z = T \log(1 + u / T), \qquad
          z(x) = \beta_0 + \beta_1 d + \beta_2 d^2 + g(d), \qquad d = x - x_{lowest},

with normal :math:`\beta` and a Gaussian process g of the Matérn kind with length l, size τ and
smoothness ν: the explicit error of the parabola. A valley may turn more sharply at its bottom than
its sides let expect, so that g may live on a stretched axis, l then being short near d = 0 alone:

.. math:: w(d) = d + 4\, s \arctan(d / s), \qquad s = 0.75 \text{ octaves}.

The noise of a run is σ everywhere, or grows up the wall as σ (1 + u / T). T, ν, l, the stretch, τ
and σ are not estimated but summed over.

References:
    Rasmussen & Williams (2006), Gaussian Processes for Machine Learning, section 4.2.
"""

from dataclasses import dataclass

import numpy as np

from ...scaling import FloatArray

STRETCH, STRETCH_SCALE = 4.0, 0.75  # of the axis: dw/dd - 1 at d = 0, and s in octaves


@dataclass(frozen=True)
class Bend:
    """Logarithmic bend of the loss axis and the noise it goes with.

    Attributes:
        height: T in valley heights.
        weight: Prior probability.
        grows: Whether the noise of a run grows as 1 + u / T up the wall.
    """

    height: float
    weight: float
    grows: bool = False

    def apply(self, u: FloatArray) -> FloatArray:
        """Return z."""
        return u if np.isinf(self.height) else self.height * np.log1p(u / self.height)

    def undo(self, z: FloatArray) -> FloatArray:
        """Return u. Nothing is learnt from a loss beyond e^50 valley heights."""
        if np.isinf(self.height):
            return z
        u: FloatArray = self.height * np.expm1(np.minimum(z / self.height, 50.0))
        return u

    def slope(self, u: FloatArray) -> FloatArray:
        """Return dz/du."""
        slope: FloatArray = 1 / (1 + u / self.height)
        return slope

    def growth(self, u: FloatArray) -> FloatArray:
        """Return the standard deviation of a run in units of σ."""
        growth: FloatArray = 1 + u / self.height if self.grows else np.ones_like(u)
        return growth


@dataclass(frozen=True)
class Kernel:
    """Matérn kernel of the curve's error.

    Attributes:
        smoothness: ν: 3/2, 5/2 or 7/2.
        length: l in octaves, on the stretched axis if it is one.
        weight: Prior probability.
        stretched: Whether l is short near the lowest loss alone.
    """

    smoothness: float
    length: float
    weight: float
    stretched: bool = False

    @property
    def shortest(self) -> float:
        """The length in octaves where it is shortest."""
        return self.length / (1 + STRETCH) if self.stretched else self.length

    def correlate(self, d: FloatArray) -> FloatArray:
        """Return the correlation between points d, shape (G, G)."""
        w = stretch(d) if self.stretched else d
        r = np.abs(w[:, None] - w) * (np.sqrt(2 * self.smoothness) / self.length)
        polynomial = {1.5: 1 + r, 2.5: 1 + r * (1 + r / 3), 3.5: 1 + r * (1 + r * (2 / 5 + r / 15))}
        correlation: FloatArray = polynomial[self.smoothness] * np.exp(-r)
        return correlation


def free_walls(u: FloatArray) -> FloatArray:
    """Return the size of the error of the wall where the loss lies u above the lowest."""
    free: FloatArray = LOOSE * np.clip(u - FREE, 0.0, HIGH)
    return free


def stretch(d: FloatArray) -> FloatArray:
    """Return the stretched axis w(d)."""
    w: FloatArray = d + STRETCH * STRETCH_SCALE * np.arctan(d / STRETCH_SCALE)
    return w


BENDS = (Bend(np.inf, 0.4), Bend(2.0, 0.25), Bend(0.5, 0.15), Bend(0.5, 0.2, grows=True))
KERNELS = (
    Kernel(3.5, 2.5, 0.10),
    Kernel(3.5, 4.0, 0.10),
    Kernel(3.5, 8.0, 0.10),
    Kernel(3.5, 3.0, 0.10, stretched=True),
    Kernel(3.5, 6.0, 0.10, stretched=True),
    Kernel(2.5, 2.0, 0.125),
    Kernel(2.5, 4.0, 0.125),
    Kernel(1.5, 3.0, 0.125),
    Kernel(1.5, 8.0, 0.125),
)
PARABOLA = 0.15  # prior probability that g = 0
SIZES = np.array([0.02, 0.06, 0.2, 0.6, 2.0])  # τ, in valley heights
SIZE_WEIGHTS = np.array([0.15, 0.25, 0.3, 0.2, 0.1])
NOISES = np.geomspace(6e-4, 1.5, 12)  # σ of a run, in valley heights
NOISE_PRIOR = -((np.log(NOISES / 0.012) / 1.5) ** 2) / 2
TREND_MEAN = np.array([0.0, 0.0, 0.1])  # of β, in valley heights per octave to the power 0, 1, 2
TREND_SD = np.array([3.0, 1.0, 0.3])

# Far from the valley a curve may do what it likes (rise, saturate at chance): there a rough error
# of its own is added, so that a wall does not dictate how wiggly the valley may be. It grows with
# the loss from FREE valley heights on, as LOOSE times what the loss exceeds that by, up to HIGH.
WALL_KERNEL = 7  # the roughest there is
FREE, LOOSE, HIGH = 0.5, 1.0, 3.0
WALLED = 0.5  # prior probability of that error; it goes with a valley that is smooth

# The errors of the parabola, none or every kernel at every size, and those that go with a wall
# beside them; shapes (M,).
_KERNELS = np.array([-1, *np.repeat(np.arange(len(KERNELS)), len(SIZES))])
_SIZES = np.array([0.0, *np.tile(SIZES, len(KERNELS))])
_WEIGHTS = np.array([
    PARABOLA,
    *(1 - PARABOLA) * np.outer([kernel.weight for kernel in KERNELS], SIZE_WEIGHTS).ravel(),
])
_PLAIN = [i for i, k in enumerate(KERNELS) if k.smoothness > 2.5 and not k.stretched]
_SMOOTH = np.flatnonzero(np.isin(_KERNELS, [-1, *_PLAIN]) & (_SIZES <= 0.2))
KERNEL_OF = np.concatenate([_KERNELS, _KERNELS[_SMOOTH]])
SIZE_OF = np.concatenate([_SIZES, _SIZES[_SMOOTH]])
WALL_OF = np.arange(len(SIZE_OF)) >= len(_SIZES)
_ERROR_WEIGHTS = np.concatenate([
    (1 - WALLED) * _WEIGHTS,
    WALLED * _WEIGHTS[_SMOOTH] / _WEIGHTS[_SMOOTH].sum(),
])
# Log prior of every model, shape (bends, errors, noises).
LOG_PRIOR = (
    np.log([bend.weight for bend in BENDS])[:, None, None]
    + np.log(_ERROR_WEIGHTS)[:, None]
    + NOISE_PRIOR
)

# Errors that a corner (`corners`) may be added to: none, and smooth ones.
BASES = np.flatnonzero(
    ~WALL_OF
    & (
        (KERNEL_OF == -1)
        | (KERNEL_OF == 1) & np.isin(SIZE_OF, (0.06, 0.2))
        | (KERNEL_OF == 2) & np.isin(SIZE_OF, (0.2, 0.6, 2.0))
    )
)
BASE_OF = np.full(len(SIZE_OF), -1)  # which of these an error is, -1 where none
BASE_OF[BASES] = np.arange(len(BASES))
BASE_WEIGHT = float(_ERROR_WEIGHTS[BASES].sum())
CORNERED = 0.2  # prior probability of a corner


def list_rough(gap: float) -> np.ndarray:
    """Return which errors let a curve turn between two rates a gap apart, shape (M,).

    These are the kernels that are rough themselves, and the smooth ones of short length.
    """
    rough = [k.smoothness <= 2.5 or k.shortest <= 3 * gap for k in KERNELS]
    rough_kernels = np.array([*rough, False])[KERNEL_OF]
    is_rough = np.array([*(k.smoothness <= 2.5 for k in KERNELS), False])[KERNEL_OF]
    listed: np.ndarray = is_rough | (rough_kernels & (SIZE_OF > 0.05))
    return listed
