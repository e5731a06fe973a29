import numpy as np
import pytest

from lrtransfer.statistics.table import Observation, RunTable


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), -float("inf"), None])
def test_loss_that_is_no_number_is_divergence(loss: float | None) -> None:
    rows = (Observation("mup", 64, 0.5, 0, loss), Observation("mup", 64, 0.25, 0, 2.0))
    (curve,) = RunTable(rows).curves("mup")
    np.testing.assert_array_equal(curve.loss, [[2.0, np.inf]])


def test_run_that_was_not_made_is_missing() -> None:
    rows = (Observation("mup", 64, 0.5, 0, 1.0), Observation("mup", 64, 0.25, 1, 2.0))
    (curve,) = RunTable(rows).curves("mup")
    np.testing.assert_array_equal(curve.loss, [[np.nan, 1.0], [2.0, np.nan]])
