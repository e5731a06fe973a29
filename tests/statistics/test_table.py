import numpy as np
import pytest

from lrtransfer.errors import TableError
from lrtransfer.statistics.curves.fit import find_optima
from lrtransfer.statistics.table import LossCurve, Observation, RunTable


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), -float("inf"), None])
def test_loss_that_is_no_number_is_divergence(loss: float | None) -> None:
    rows = (Observation("mup", 64, 0.5, 0, loss), Observation("mup", 64, 0.25, 0, 2.0))
    (curve,) = RunTable(rows).curves("mup")
    np.testing.assert_array_equal(curve.loss, [[2.0, np.inf]])


def test_run_that_was_not_made_is_missing() -> None:
    rows = (Observation("mup", 64, 0.5, 0, 1.0), Observation("mup", 64, 0.25, 1, 2.0))
    (curve,) = RunTable(rows).curves("mup")
    np.testing.assert_array_equal(curve.loss, [[np.nan, 1.0], [2.0, np.nan]])


def test_means_with_errors_are_as_certain_as_their_runs() -> None:
    # The oracle: the same runs one by one. Their scatter has an error of its own, hence the margin.
    rng = np.random.default_rng(0)
    x = np.arange(-10.0, -3.0)
    loss = 3 + 0.03 * (x + 7) ** 2 + 0.02 * rng.standard_normal((16, 7))
    error = loss.std(axis=0, ddof=1, keepdims=True) / 4
    means = LossCurve(size=64, log2_lr=x, loss=loss.mean(axis=0, keepdims=True), error=error)
    runs = find_optima([LossCurve(size=64, log2_lr=x, loss=loss)])[0]
    found = find_optima([means])[0]
    assert found.log2_lr == pytest.approx(runs.log2_lr, abs=0.05)
    assert found.high is not None
    assert found.low is not None
    assert runs.high is not None
    assert runs.low is not None
    assert found.high - found.low == pytest.approx(runs.high - runs.low, rel=0.25)


def test_errors_that_are_not_known_change_nothing() -> None:
    x = np.arange(-10.0, -3.0)
    loss = 3 + 0.03 * (x[None] + 7) ** 2
    plain = find_optima([LossCurve(size=64, log2_lr=x, loss=loss)])
    unknown = np.full(loss.shape, np.nan)
    assert find_optima([LossCurve(size=64, log2_lr=x, loss=loss, error=unknown)]) == plain


@pytest.mark.parametrize("loss", [3.5e38, -3.5e38, np.nan, np.inf, None])
def test_a_loss_no_float_reaches_is_divergence(loss: float | None) -> None:
    (curve,) = RunTable([Observation("mup", 64, 0.5, 0, loss)]).curves("mup")
    assert curve.loss.tolist() == [[np.inf]]


def test_columns_and_observations_are_two_sides_of_one_table() -> None:
    rows = (Observation("b", 64, 0.5, 1, 2.0), Observation("a", 128, 0.25, 0, None, True))
    table = RunTable(rows)
    again = RunTable(table.columns)
    assert again.observations == table.observations == rows
    assert again == table
    assert table.schemes == ("b", "a")
    assert len(table) == 2
    assert again.curves("none") == ()


def test_sizes_beyond_64_bits_are_one_error() -> None:
    with pytest.raises(TableError, match=r"beyond 2\*\*63"):
        RunTable([Observation("a", 10**31, 0.5, 0, 2.0)])
