r"""How the optimum moves with two sizes at once, such as parameters and tokens.

:math:`x^*` is log2 of the best learning rate, :math:`A, B` are log2 of the two sizes, centred on
those measured. Each size moves the optimum as it does along its own axis (`trend`), and the two may
interact:

.. math:: x^*(A, B) = c + z_a(A) + z_b(B) + \beta_{ab} A B + w(A, B) + \varepsilon, \quad
          \beta_{ab} \sim N(0, 0.15^2), \quad \varepsilon \sim N(0, \omega^2),

log-linear with an interaction where slopes do not fade. No such surface is right everywhere: w is
what neighbouring cells deviate from it together, with the covariance
:math:`r^2 \exp(-(|\Delta A| + |\Delta B|) / \ell)`. r and the settings of both trends are summed
over as for one trend; given them everything is normal.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..scaling import FloatArray
from .axis import AxisName
from .table import Int64Array
from .trend import PRIORS, NormalMixture, covary, krige

INTERACTION = 0.15  # sd a priori, octaves per doubling of one size and doubling of the other
# r in octaves with weights, and the doublings over which cells deviate together.
DEVIATIONS = ((0.0, 0.5), (0.1, 0.25), (0.3, 0.25))
NEIGHBOURHOOD = 2.0
LIGHTEST_PART = 1e-5  # of the heaviest part; lighter ones change no digit that is shown

Axes = tuple[AxisName, AxisName]


@dataclass(frozen=True)
class PairLocation:
    """Where the optimum of a cell, a pair of sizes, lies: log2 of the rate, standard deviation."""

    sizes: tuple[int, int]
    log2_lr: float
    sd: float


def vary_apart(pairs: Sequence[tuple[int, int]]) -> bool:
    """Tell whether both sizes vary, and not only together.

    Example:
        >>> vary_apart([(1, 1), (2, 2), (4, 4)]), vary_apart([(1, 1), (2, 1), (2, 2)])
        (False, True)
    """
    logs = np.log2(np.array(pairs, dtype=np.float64))
    return bool(np.linalg.matrix_rank(logs - logs.mean(axis=0), tol=0.05) == 2)


def predict_cell(
    optima: Sequence[PairLocation], *, sizes: tuple[int, int], axes: Axes
) -> NormalMixture:
    """Return the distribution of x* at a pair of sizes.

    Arguments:
        optima: Optima of cells, three or more.
        sizes: Pair to predict for, measured or not.
        axes: What is varied; it chooses the priors.

    Example:
        >>> plane = [PairLocation((2**i, 2**j), -i / 2 + j / 4, 0.05)
        ...          for i in range(4) for j in range(4)]
        >>> where = predict_cell(plane, sizes=(16, 16), axes=("params", "tokens"))
        >>> where.quantile(0.025) < -1.0 < where.quantile(0.975)
        True
    """
    settings = _Settings.of(axes)
    paths = settings.covary([*(place.sizes for place in optima), sizes], len(optima))
    own = paths[:, -1, -1] + settings.scatter**2
    return settings.krige(optima, paths[:, :-1, :-1], paths[:, :-1, -1], own, level=1.0)


def measure_slopes(
    optima: Sequence[PairLocation], *, axes: Axes
) -> tuple[NormalMixture, NormalMixture]:
    """Return the mean slope of x* over each log2 size, in octaves per doubling.

    Arguments:
        optima: Optima of cells, three or more.
        axes: What is varied.
    """
    settings = _Settings.of(axes)
    pairs = [place.sizes for place in optima]
    paths = settings.covary(pairs, len(pairs))
    first = settings.measure_change(optima, paths, 0)
    return first, settings.measure_change(optima, paths, 1)


def measure_interaction(optima: Sequence[PairLocation], *, axes: Axes) -> NormalMixture:
    """Return the interaction, octaves per doubling of the one size and doubling of the other.

    Arguments:
        optima: Optima of cells, three or more.
        axes: What is varied.
    """
    settings = _Settings.of(axes)
    pairs = [place.sizes for place in optima]
    product = _centre(pairs, len(pairs)).prod(axis=1)
    count = len(settings.scatter)
    cross = np.tile(INTERACTION**2 * product, (count, 1))
    own = np.full(count, INTERACTION**2)
    return settings.krige(optima, settings.covary(pairs, len(pairs)), cross, own, level=0.0)


def _centre(pairs: Sequence[tuple[int, int]], measured: int) -> FloatArray:
    """Return A and B of pairs, shape (n, 2); the first of them are those measured."""
    logs = np.log2(np.array(pairs, dtype=np.float64))
    return np.asarray(logs - logs[:measured].mean(axis=0))


@dataclass(frozen=True, eq=False)
class _Settings:
    """All pairs of settings of the two trends, M of them.

    Attributes:
        trends: κ, γ, s of either axis, ω and the log weight, each of shape (K, 5).
        which: Row of `trends` of either axis, shape (2, M).
        scatter: ω, shape (M,).
        deviation: r, shape (M,).
        log_prior: Log weights, shape (M,).
    """

    trends: tuple[FloatArray, FloatArray]
    which: Int64Array
    scatter: FloatArray
    deviation: FloatArray
    log_prior: FloatArray

    @classmethod
    def of(cls, axes: Axes) -> "_Settings":
        """Return the settings of two axes; ω is one for both, its weight that of the first."""
        one, other = (PRIORS[axis].models for axis in axes)
        rows = np.arange(len(one))[:, None], np.arange(len(other))[None, :]
        same = one[rows[0], 3] == other[rows[1], 3]
        which = np.stack(np.nonzero(same))
        scatters = dict(PRIORS[axes[1]].scatters)
        scatter = one[which[0], 3]
        double = np.log([scatters[omega] for omega in scatter])
        trends = one[which[0], 4] + other[which[1], 4] - double
        deviation, weight = np.array(DEVIATIONS).T
        count = len(deviation)
        return cls(
            (one, other),
            np.tile(which, count),
            np.tile(scatter, count),
            np.repeat(deviation, len(scatter)),
            (np.log(weight)[:, None] + trends).ravel(),
        )

    def covary(self, pairs: Sequence[tuple[int, int]], measured: int) -> FloatArray:
        """Return the covariance of the surface about its level, shape (M, n, n)."""
        centred = _centre(pairs, measured)
        product = centred.prod(axis=1)
        interaction = INTERACTION**2 * product[:, None] * product
        apart = np.abs(centred[:, None] - centred).sum(axis=-1)
        together = self.deviation[:, None, None] ** 2 * np.exp(-apart / NEIGHBOURHOOD)
        trends = self._of_axis(centred, 0) + self._of_axis(centred, 1)
        return np.asarray(trends + interaction + together)

    def _of_axis(self, centred: FloatArray, side: int) -> FloatArray:
        t = centred[:, side] - centred[:, side].min()
        return np.asarray(covary(t, self.trends[side])[self.which[side]])

    def measure_change(
        self, optima: Sequence[PairLocation], paths: FloatArray, side: int
    ) -> NormalMixture:
        """Return the mean slope of one trend between its least and largest size."""
        centred = _centre([place.sizes for place in optima], len(optima))
        part, t = self._of_axis(centred, side), centred[:, side]
        first, last = int(t.argmin()), int(t.argmax())
        cross = part[:, :, last] - part[:, :, first]
        own = cross[:, last] - cross[:, first]
        change, doublings = self.krige(optima, paths, cross, own, level=0.0), t[last] - t[first]
        return NormalMixture(change.weights, change.means / doublings, change.sds / doublings)

    def krige(
        self,
        optima: Sequence[PairLocation],
        paths: FloatArray,
        cross: FloatArray,
        own: FloatArray,
        *,
        level: float,
    ) -> NormalMixture:
        """Return the distribution of a quantity given the optima, of its heavier parts."""
        whole = krige(
            optima,
            paths,
            cross,
            own,
            scatter=self.scatter,
            log_prior=self.log_prior,
            level=level,
        )
        kept = whole.weights > LIGHTEST_PART * whole.weights.max()
        weights = whole.weights[kept]
        return NormalMixture(weights / weights.sum(), whole.means[kept], whole.sds[kept])
