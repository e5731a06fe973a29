"""Corners against the curves that they stand for."""

import numpy as np
import pytest

from lrtransfer.scaling import FloatArray
from lrtransfer.statistics.curves.corners import CORNER_KINDS, list_corners, weigh_corners

TRIED = np.arange(-9.0, -1.0)


def test_cells_fill_the_gaps_about_the_lowest_rate() -> None:
    corners = list_corners(TRIED, -5.0)
    for kind in range(len(CORNER_KINDS)):
        cells = corners.kind == kind
        left = corners.centre[cells] - corners.width[cells] / 2
        right = corners.centre[cells] + corners.width[cells] / 2
        np.testing.assert_allclose(left[1:], right[:-1])
        assert (left[0], right[-1]) == (-7.0, -3.0)
        assert corners.share[cells].sum() == pytest.approx(1.0)
    assert np.exp(corners.log_prior).sum() == pytest.approx(1.0)


def test_a_kink_shows_at_the_rates_exactly_wherever_it_lies_in_its_gap() -> None:
    corners = list_corners(TRIED, -5.0)
    cell = int(np.flatnonzero((corners.kind == 0) & (corners.centre == -5.5))[0])
    height, place = 0.7, -5.83
    shift = place - corners.centre[cell]
    at_rates = corners.features(TRIED)[cell] @ [height, -height * shift]
    np.testing.assert_allclose(at_rates, height * np.maximum(TRIED - place, 0.0), atol=1e-12)
    found = corners.place(np.array([cell]), np.array([[height, -height * shift]]))
    assert found[0] == pytest.approx(place)


def test_a_place_never_leaves_its_cell() -> None:
    corners = list_corners(TRIED, -5.0)
    far = corners.place(np.array([0, 0, 0]), np.array([[1.0, 99.0], [1.0, -99.0], [0.0, 0.0]]))
    left, width = corners.centre[0], corners.width[0]
    np.testing.assert_allclose(far, [left - width / 2, left + width / 2, left])


def test_the_gain_is_a_ratio_of_densities() -> None:
    rng = np.random.default_rng(1)
    root = (np.tril(rng.standard_normal((5, 5))) + 3 * np.eye(5)).astype(np.float64)
    features, rest = rng.standard_normal((5, 1, 2)), rng.standard_normal(5)
    variances = np.array([[[0.5, 0.2], [2.0, 0.1]]])

    def density(covariance: FloatArray) -> float:
        log_det = np.linalg.slogdet(covariance)[1]
        return float(-(log_det + rest @ np.linalg.solve(covariance, rest)) / 2)

    inverse = np.linalg.inv(root).astype(np.float64)
    gain = weigh_corners((inverse @ features[:, 0])[:, None], inverse @ rest, variances)
    plain = root @ root.T
    for height in range(2):
        spread = features[:, 0] @ np.diag(variances[0, height]) @ features[:, 0].T
        assert gain[0, height] == pytest.approx(density(plain + spread) - density(plain))


def test_evidence_is_pooled_over_places() -> None:
    corners = list_corners(TRIED, -5.0)
    logs = np.log(np.random.default_rng(0).uniform(0.5, 2, (3, *corners.shape)))
    pooled = corners.pool(logs)
    expected = [
        (np.exp(logs[:, corners.kind == k]) * corners.share[corners.kind == k, None]).sum(axis=1)
        for k in range(len(CORNER_KINDS))
    ]
    np.testing.assert_allclose(np.exp(pooled), np.stack(expected, axis=1))
