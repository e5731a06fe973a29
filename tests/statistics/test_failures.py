"""Finite losses that no curve explains count as failed runs, and nothing else does."""

import math

import numpy as np
import pytest

from lrtransfer.scaling import FloatArray
from lrtransfer.statistics.answer import SchemeAnswer
from lrtransfer.statistics.failures import exclude_failures, find_failures
from lrtransfer.statistics.table import LossCurve, Observation, RunTable
from lrtransfer.statistics.transfer import Judgement, judge

X = np.arange(-12.0, -5.0)
VALLEY = 3.36 + 0.03 * (X + 8) ** 2


def curve(loss: FloatArray) -> LossCurve:
    loss = np.atleast_2d(loss)
    return LossCurve(size=64, log2_lr=np.arange(-12.0, -12.0 + loss.shape[1]), loss=loss)


def judged(failed: float | None, *, first: float = -6.0) -> Judgement:
    """Judge three equal widths whose runs from a rate on recorded one loss (None: diverged)."""
    rows = [
        Observation(
            "all", width, 2.0**x, 0, failed if x >= first else loss, x >= first and not failed
        )
        for width in (64, 128, 256)
        for x, loss in zip(np.append(X, (-5, -4)), [*VALLEY, 3.63, 3.84], strict=True)
    ]
    return judge(RunTable(tuple(rows)), target=256)


def told(answer: SchemeAnswer) -> object:
    return answer.verdict, answer.optima, answer.regrets, answer.prediction


@pytest.mark.parametrize("recorded", [6.7, 12.0, 1e3, 1e6, 1e30])
def test_failed_runs_are_judged_as_if_their_loss_were_nan(recorded: float) -> None:
    answers, expected = judged(recorded), judged(None)
    assert told(answers["all"]) == told(expected["all"])
    assert answers["all"].optima[0].log2_lr == pytest.approx(-8, abs=0.01)
    assert [failed.size for failed in answers.failures] == [64, 128, 256]
    assert not expected.failures


def test_the_runs_and_their_losses_are_told() -> None:
    failed = judged(1e6).failures[0]
    assert failed.log2_lr == (-6.0, -5.0, -4.0)
    assert failed.losses == (1e6, 1e6)
    assert failed.runs == 3


@pytest.mark.parametrize(
    "loss",
    [
        pytest.param(VALLEY, id="a valley"),
        pytest.param([3.0, 2.0, 1.0, 0.5, 0.1, 0.02, 0.01, 0.02, 0.1, 1.2, 2.3], id="near zero"),
        pytest.param([10.9, 10.8, 7.0, 4.0, 3.3, 3.1, 3.0, 3.1], id="hardly trained on the left"),
        pytest.param([10.9, 10.9, 3.01, 3.002, 3.0, 3.001, 3.003], id="a cliff on the left"),
        pytest.param([3.2, 3.1, 3.0, 3.05, 3.3, 4.2, 6.5, 11.0], id="a wall"),
        pytest.param([3.0, 3.0, 3.0, 3.0, 3.0, 3.7], id="a plateau, then a quarter more"),
        pytest.param([3.0, 9.0, 40.0], id="too few rates to tell"),
    ],
)
def test_what_a_curve_explains_is_kept(loss: list[float]) -> None:
    assert not find_failures(curve(np.array(loss))).any()


def test_a_single_failed_run_costs_its_rate_nothing() -> None:
    loss = np.tile(VALLEY, (3, 1)) + np.array([[0.0], [0.01], [0.02]])
    loss[1, 4] = 1e6
    off = find_failures(curve(loss))
    assert np.argwhere(off).tolist() == [[1, 4]]


def test_half_of_the_seeds_failed_is_a_failed_rate() -> None:
    loss = np.tile([*VALLEY, 3.6, 3.9], (2, 1)) + np.array([[0.0], [0.01]])
    loss[0, 7:] = 1e6
    (cleaned,), (failed,) = exclude_failures("all", [curve(loss)])
    assert np.isinf(cleaned.loss[:, 7:]).sum() >= 2
    assert failed.losses[1] == 1e6


def test_at_a_low_rate_a_failed_run_was_not_made() -> None:
    loss = VALLEY.copy()
    loss[1] = 1e6
    (cleaned,), (failed,) = exclude_failures("all", [curve(loss)])
    assert np.isnan(cleaned.loss[0, 1])
    assert np.isfinite(cleaned.loss[0, [0, *range(2, 7)]]).all()
    assert failed.log2_lr == (-11.0,)


def test_diverged_and_missing_runs_are_left_alone() -> None:
    loss = np.array([*VALLEY, math.inf, math.nan])
    assert not find_failures(curve(loss)).any()
    assert not find_failures(curve(np.full(6, math.inf))).any()


def test_losses_of_any_sign_are_held_to_their_own_scale() -> None:
    assert np.flatnonzero(find_failures(curve(np.array([*(VALLEY - 5), 9.0])))[0]).tolist() == [7]
