"""Every size predicted from the others."""

import math

import numpy as np
import pytest

from lrtransfer.statistics.answer import Optimum, Prediction, SecondOpinion
from lrtransfer.statistics.curves.fit import fit_sizes
from lrtransfer.statistics.leave_out import _holds, leave_each_out
from lrtransfer.statistics.prediction import predict
from lrtransfer.statistics.table import LossCurve, Observation, RunTable
from lrtransfer.statistics.transfer import judge

RATES = np.arange(-12.0, -1.0)


def make_curve(size: int, centre: float) -> LossCurve:
    return LossCurve(size=size, log2_lr=RATES, loss=np.array([3 + (RATES - centre) ** 2 / 16]))


def check(*optima: float) -> SecondOpinion:
    curves = [make_curve(64 * 2**i, x) for i, x in enumerate(optima)]
    return leave_each_out(curves, fit_sizes(curves), tolerance=0.01)


def test_sizes_that_agree_are_predicted() -> None:
    opinion = check(-6.3, -6.3, -6.3, -6.3)
    assert [one.size for one in opinion.sizes] == [512, 256, 128, 64]
    assert (opinion.held, opinion.judged) == (4, 4)
    assert opinion.miss == pytest.approx(0, abs=0.05)
    for one in opinion.sizes:
        assert one.regret is not None
        assert one.regret.estimate < 1e-3


def test_a_size_that_jumps_is_told() -> None:
    opinion = check(-6.3, -6.3, -6.3, -6.3, -9.3)
    jumped = opinion.sizes[0]
    assert (jumped.size, jumped.holds) == (1024, False)
    assert jumped.octaves == pytest.approx(3, abs=0.1)
    assert jumped.regret is not None
    assert jumped.regret.estimate == pytest.approx(3.0**2 / 16 / 3, rel=0.1)
    assert opinion.held < opinion.judged


def test_the_size_left_out_has_no_share_in_its_prediction() -> None:
    curves = [make_curve(64 * 2**i, x) for i, x in enumerate((-6.0, -6.4, -6.6, -9.0))]
    opinion = leave_each_out(curves, fit_sizes(curves), tolerance=0.01)
    assert opinion.sizes[0].predicted == predict(fit_sizes(curves[:3]), size=512)
    interior = [curves[0], curves[2], curves[3]]
    assert opinion.sizes[2].predicted == predict(fit_sizes(interior), size=128)


def test_two_sizes_cannot_be_left_out() -> None:
    assert check(-6.3, -6.3).sizes == ()


@pytest.mark.parametrize(
    ("low", "estimate", "high", "holds"),
    [
        (-7.0, -6.5, -6.0, True),
        (-4.5, -4.0, -3.5, False),  # 2 octaves off, 1 and 0.5 are allowed
        (-6.0, -4.95, -4.0, True),  # 1.05 off, hypot(1, 1.05) is allowed
        (-5.1, -4.8, -4.0, False),  # 1.2 off, hypot(1, 0.3) is allowed
        (None, -8.0, -7.5, False),  # the prediction ends at -7
        (None, -8.0, -6.5, None),
    ],
)
def test_both_intervals_count(
    low: float | None, estimate: float, high: float, holds: bool | None
) -> None:
    predicted = Prediction(
        size=512, lr=2**-6.0, low=2**-7.0, high=2**-5.0, middle=2**-6.0, assumption=""
    )
    optimum = Optimum(
        size=512,
        log2_lr=estimate,
        low=low,
        high=high,
        status="edge" if low is None else "ok",
    )
    assert _holds(predicted, optimum) is holds


def test_a_judgement_checks_itself() -> None:
    rows = [
        Observation(scheme, size, 2.0**x, 0, 3 + (x + 6.3) ** 2 / 16)
        for scheme, sizes in (("mup", (64, 128, 256)), ("sp", (64, 128)))
        for size in sizes
        for x in RATES
    ]
    judgement = judge(RunTable(tuple(rows)), target=512)
    assert all(answer.left_out is None for answer in judgement.values())
    opinions = judgement.check()
    assert {scheme: opinion.judged for scheme, opinion in opinions.items()} == {"mup": 3, "sp": 0}
    assert judgement.with_check()["mup"].left_out == opinions["mup"]
    assert math.isclose(opinions["mup"].sizes[0].optimum.log2_lr or 0, -6.3, abs_tol=0.05)
