"""An answer does not contradict itself, whatever the table."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrtransfer.statistics.answer import SchemeAnswer
from lrtransfer.statistics.axis import AXES
from lrtransfer.statistics.curves.fit import fit_sizes
from lrtransfer.statistics.regret import RateUsed, decide_transfer
from lrtransfer.statistics.statement import reconcile
from lrtransfer.statistics.table import Observation, RunTable
from lrtransfer.statistics.transfer import Judgement, judge

LEVELS = ("transfers", "does not transfer", "inconclusive")


@st.composite
def tables(draw: st.DrawFn) -> tuple[RunTable, int]:
    """Runs of valleys of any place, width and noise, some diverged, and a target near or far."""
    sizes = draw(st.lists(st.sampled_from((32, 64, 128, 256, 512)), min_size=2, unique=True))
    low = draw(st.integers(-12, -6))
    spacing = draw(st.sampled_from((0.5, 1.0, 2.0)))
    rates = [low + spacing * k for k in range(draw(st.integers(2, 9)))]
    middle = draw(st.floats(-13.0, 1.0))
    width, noise = draw(st.sampled_from((1.0, 4.0, 16.0))), draw(st.sampled_from((0.0, 0.01, 0.3)))
    cliff = draw(st.floats(-14.0, 6.0))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = []
    for scheme in ("a", "b")[: draw(st.integers(1, 2))]:
        for size in sizes:
            centre = middle + float(rng.standard_normal())
            for seed in range(draw(st.integers(1, 2))):
                for x in rates:
                    loss = 3 + (x - centre) ** 2 / width + noise * float(rng.standard_normal())
                    gone = x > max(cliff, rates[0] - 1)
                    rows.append(Observation(scheme, size, 2.0**x, seed, max(loss, 0.1), gone))
    target = draw(st.sampled_from((sizes[-1], 1024, 2**20, 2**200)))
    return RunTable(tuple(rows)), target


def list_bounds(answer: SchemeAnswer) -> list[tuple[float | None, float | None, float | None]]:
    """Return low, estimate and high of everything that an answer gives an interval."""
    bounds = [(one.low, one.log2_lr, one.high) for one in answer.optima]
    quality = (answer.quality.extrapolation, answer.quality.penalty)
    regrets = (answer.regret, *answer.regrets, *quality)
    bounds += [(one.low, one.estimate, one.high) for one in regrets if one is not None]
    if answer.drift is not None:
        bounds.append((answer.drift.low, answer.drift.estimate, answer.drift.high))
    if answer.prediction is not None:
        one = answer.prediction
        bounds += [(one.low, one.lr, one.high), (one.low, one.middle, one.high)]
    return bounds


def check_consistent(judgement: Judgement) -> None:
    for answer in judgement.values():
        assert answer.verdict in LEVELS
        assert answer.verdict != "transfers" or answer.prediction is not None
        for low, estimate, high in list_bounds(answer):
            if estimate is not None:
                assert low is None or low <= estimate
                assert high is None or estimate <= high
    for comparison in judgement.comparisons:
        for interval in (comparison.drift, comparison.regret, comparison.best_loss):
            if interval is not None:
                assert interval.low is None or interval.low <= interval.estimate
                assert interval.high is None or interval.estimate <= interval.high


@settings(max_examples=40, deadline=None)
@given(tables())
def test_no_answer_contradicts_itself(case: tuple[RunTable, int]) -> None:
    table, target = case
    with np.errstate(over="ignore"):  # two rates on a steep wall: a loss beyond floats is infinite
        judgement = judge(table, target=target)
    check_consistent(judgement)


def make_valleys(sizes: tuple[int, ...]) -> RunTable:
    rows = [
        Observation("mup", size, 2.0**x, 0, 3 + (x + 6.3) ** 2 / 16)
        for size in sizes
        for x in range(-11, -2)
    ]
    return RunTable(tuple(rows))


def test_a_target_too_far_for_a_rate_does_not_transfer_yet() -> None:
    near = judge(make_valleys((64, 128)), target=256)["mup"]
    far = judge(make_valleys((64, 128)), target=2**200)["mup"]
    assert (near.verdict, far.verdict) == ("transfers", "inconclusive")
    assert far.prediction is None
    assert far.regret == near.regret
    assert "costs at most" in far.reason
    assert far.reason.endswith("the optimum there is uncertain by more than 10 octaves either way.")
    assert [e.size for e in far.evidence] == [256]


@pytest.mark.parametrize("used", [-6.3, -7.5])
def test_a_rate_tried_at_the_target_is_the_rate_to_state(used: float) -> None:
    fits = fit_sizes(make_valleys((128,)).curves("mup"))
    decision = decide_transfer(RateUsed.exactly(64, used), fits[0], tolerance=0.05, at_target=True)
    stated, prediction = reconcile(decision, None, fits, target=128, words=AXES["width"])
    assert stated == decision
    assert stated.verdict == "transfers"
    assert prediction is not None
    assert (prediction.size, prediction.lr) == (128, 2**used)
    assert prediction.low <= prediction.lr <= prediction.high
    assert math.log2(prediction.middle) == pytest.approx(-6.3, abs=0.05)
