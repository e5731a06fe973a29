r"""Corners of a loss curve: places where its slope or its curvature jumps.

No smooth curve follows a corner between two rates: it rounds it off, with confidence where the
noise is small. Two kinds are therefore models of their own, added to a parabola or a smooth curve:

.. math:: \text{kink } a\,(x - c)_+, \qquad \text{jump } a\,(x - c)_+^2, \qquad a \sim N(0, A^2),

with the place c uniform over a cell about :math:`c_0`. To first order in :math:`\delta = c - c_0`
a corner is linear in a and :math:`e = -a\delta`, with variances :math:`A^2` and
:math:`A^2 w^2 / 12` for a cell of width w; for a kink between two neighbouring rates this is exact,
as it shows at the rates alone. So a place is found however small the noise, without a fine grid.
"""

from dataclasses import dataclass

import numpy as np

from ...scaling import FloatArray
from .columns import IntArray

GAPS_ASIDE = 2  # gaps between rates either side of the lowest in which a corner may lie
JUMP_CELLS = 2  # cells per gap for the place of a jump


@dataclass(frozen=True)
class CornerKind:
    """One kind of corner.

    Attributes:
        power: 1 for a kink, 2 for a jump of curvature.
        heights: A with weights, in valley heights per octave to the power.
        weight: Prior probability.
        cells: Cells per gap.
    """

    power: int
    heights: tuple[tuple[float, float], ...]
    weight: float
    cells: int


CORNER_KINDS = (
    CornerKind(1, ((0.15, 0.3), (0.6, 0.4), (2.5, 0.3)), 0.1, 1),
    CornerKind(2, ((0.05, 0.3), (0.25, 0.4), (1.0, 0.3)), 0.1, JUMP_CELLS),
)


@dataclass(frozen=True, eq=False)
class Corners:
    """Cells in which the corner of a curve may lie.

    Attributes:
        kind: Index of the kind of each cell, shape (P,).
        centre: Middle of the cell, as x, shape (P,).
        width: Its width in octaves, shape (P,).
        share: Its share of all places of its kind, shape (P,).
    """

    kind: IntArray
    centre: FloatArray
    width: FloatArray
    share: FloatArray

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of cells P and heights H."""
        return len(self.kind), len(CORNER_KINDS[0].heights)

    @property
    def power(self) -> FloatArray:
        """The power of each cell, shape (P,)."""
        powers = np.array([float(kind.power) for kind in CORNER_KINDS])
        return np.asarray(powers[self.kind])

    @property
    def heights(self) -> FloatArray:
        """A, shape (P, H)."""
        heights = np.array([[height for height, _ in kind.heights] for kind in CORNER_KINDS])
        return np.asarray(heights[self.kind])

    @property
    def log_prior(self) -> FloatArray:
        """Logarithm of the prior probabilities of cells and heights, summing to 1, shape (P, H)."""
        weights = np.array([[kind.weight * w for _, w in kind.heights] for kind in CORNER_KINDS])
        prior: FloatArray = np.log(weights / weights.sum())[self.kind]
        return prior + np.log(self.share)[:, None]

    @property
    def variances(self) -> FloatArray:
        """Prior variances of a and e, shape (P, H, 2)."""
        squares = self.heights**2
        return np.stack([squares, squares * self.width[:, None] ** 2 / 12], axis=-1)

    def features(self, x: FloatArray) -> FloatArray:
        """Return what a and e are multiplied by at rates x, shape (P, len(x), 2)."""
        beyond = np.maximum(x - self.centre[:, None], 0.0)
        power = self.power[:, None]
        slope = power * beyond ** (power - 1) * (beyond > 0)
        return np.stack([beyond**power, slope], axis=-1)

    def pool(self, logs: FloatArray) -> FloatArray:
        """Return log evidence wherever the corner is: from (..., P, H) to (..., kinds, H)."""
        pooled = []
        for kind in range(len(CORNER_KINDS)):
            cells = self.kind == kind
            those = logs[..., cells, :] + np.log(self.share[cells])[:, None]
            most = those.max(axis=-2)
            pooled.append(most + np.log(np.exp(those - most[..., None, :]).sum(axis=-2)))
        return np.stack(pooled, axis=-2)

    def place(self, cells: IntArray, coefficients: FloatArray) -> FloatArray:
        """Return where the corners of cells lie, from a and e, shape (len(cells),)."""
        a, e = coefficients.T
        half = self.width[cells] / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            shift = np.clip(np.nan_to_num(-e / a), -half, half)
        places: FloatArray = self.centre[cells] + shift
        return places


def list_corners(tried: FloatArray, lowest: float) -> Corners:
    """Return the cells in which the corner of a curve may lie about its lowest rate.

    Arguments:
        tried: Rates x tried, increasing.
        lowest: That of the lowest loss.
    """
    at = int(np.abs(tried - lowest).argmin())
    near = tried[max(0, at - GAPS_ASIDE) : at + GAPS_ASIDE + 1]
    parts = [_divide(near, kind.cells) for kind in CORNER_KINDS]
    widths = [np.diff(edges) for edges in parts]
    return Corners(
        kind=np.repeat(np.arange(len(CORNER_KINDS)), [len(width) for width in widths]),
        centre=np.concatenate([(edges[:-1] + edges[1:]) / 2 for edges in parts]),
        width=np.concatenate(widths),
        share=np.concatenate([width / width.sum() for width in widths]),
    )


def _divide(rates: FloatArray, cells: int) -> FloatArray:
    """Return the edges of equal cells in every gap."""
    steps = np.arange((len(rates) - 1) * cells + 1) / cells
    edges: FloatArray = np.interp(steps, np.arange(len(rates)), rates)
    return edges


def weigh_corners(whitened: FloatArray, rest: FloatArray, variances: FloatArray) -> FloatArray:
    r"""Return the log of how much better curves with corners explain the data than without.

    With covariance :math:`C = L L^\top` of the data, residuals r, and features :math:`\Phi` of
    variances D: for :math:`W = L^{-1} \Phi D^{1/2}` and :math:`v = W^\top L^{-1} r`,

    .. math:: \log \frac{N(r; 0, C + \Phi D \Phi^\top)}{N(r; 0, C)} =
              \tfrac12 v^\top (1 + W^\top W)^{-1} v - \tfrac12 \log |1 + W^\top W|.

    Arguments:
        whitened: :math:`L^{-1} \Phi`, shape (..., K, P, 2).
        rest: :math:`L^{-1} r`, shape (..., K).
        variances: D, shape (P, H, 2).

    Returns:
        Shape (..., P, H).
    """
    one, other = whitened[..., 0], whitened[..., 1]
    x = (one * rest[..., None]).sum(axis=-2)[..., None]
    y = (other * rest[..., None]).sum(axis=-2)[..., None]
    a = (one * one).sum(axis=-2)[..., None] * variances[..., 0] + 1
    c = (other * other).sum(axis=-2)[..., None] * variances[..., 1] + 1
    cross = (one * other).sum(axis=-2)[..., None]
    mixed = variances[..., 0] * variances[..., 1]
    determinant = a * c - cross**2 * mixed
    explained = c * x**2 * variances[..., 0] + a * y**2 * variances[..., 1]
    explained = (explained - 2 * cross * x * y * mixed) / determinant
    gain: FloatArray = (explained - np.log(determinant)) / 2
    return gain
