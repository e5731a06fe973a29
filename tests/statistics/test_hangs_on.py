"""What a verdict hangs on."""

import numpy as np
import pytest

from lrtransfer.statistics.answer import SchemeAnswer
from lrtransfer.statistics.hangs_on import bound_quantile
from lrtransfer.statistics.table import Observation, RunTable
from lrtransfer.statistics.transfer import judge

RATES = np.arange(-11.0, -2.0)


def answer(
    centres: dict[int, float], tolerance: float, *, noise: float = 0.002, seed: int = 0
) -> SchemeAnswer:
    rng = np.random.default_rng(7)
    rows = [
        Observation("mup", size, 2.0**x, 0, 3 + (x - c) ** 2 / 16 + noise * rng.standard_normal())
        for size, c in centres.items()
        for x in RATES
    ]
    judgement = judge(RunTable(tuple(rows)), target=128, tolerance=tolerance, seed=seed)
    return judgement["mup"]


def place_bound(which: str) -> float:
    """Return the end of the interval that decides, so that the tolerance can be put on it."""
    regret = answer({64: -6.0, 128: -7.0}, 0.02).regret
    assert regret is not None
    end: float = getattr(regret, which)
    return end


@pytest.mark.parametrize("share", [0.01, 0.5, 0.95])
def test_the_monte_carlo_interval_holds_the_quantile(share: float) -> None:
    rng = np.random.default_rng(0)
    draws = rng.uniform(size=(2000, 640))
    held = [low <= share <= high for low, high in (bound_quantile(one, share) for one in draws)]
    assert 0.94 < np.mean(held) < 0.985  # discrete: at least 95 %


def test_nothing_hangs_where_all_is_clear() -> None:
    clear = answer({64: -6.0, 128: -6.0}, 0.05)
    assert (clear.verdict, clear.hangs_on) == ("transfers", None)
    far = answer({64: -6.0, 128: -9.0}, 0.01)
    assert (far.verdict, far.hangs_on) == ("does not transfer", None)


@pytest.mark.parametrize(
    ("end", "factor", "verdict", "quantile"),
    [
        ("high", 1.0001, "transfers", "95 %"),
        ("high", 0.9999, "inconclusive", "95 %"),
        ("low", 0.9999, "does not transfer", "1 %"),
    ],
)
def test_a_tolerance_at_the_deciding_quantile_is_told(
    end: str, factor: float, verdict: str, quantile: str
) -> None:
    close = answer({64: -6.0, 128: -7.0}, factor * place_bound(end))
    assert close.verdict == verdict
    assert close.hangs_on is not None
    assert close.hangs_on.startswith(
        f"on the random draws: the {quantile} quantile of the regret lies between "
    )
    assert "for all that 640 draws can tell" in close.hangs_on


def test_what_other_draws_turn_hangs_on_the_draws() -> None:
    centres, tolerance = {64: -6.0, 128: -7.0}, place_bound("high")
    several = [answer(centres, tolerance, seed=seed) for seed in range(8)]
    assert {one.verdict for one in several} == {"transfers", "inconclusive"}
    # Not all: the tolerance is the quantile of other draws, which has an error of its own.
    assert sum("on the random draws" in (one.hangs_on or "") for one in several) >= 6


def test_a_rate_whose_optimum_may_cost_more_holds_as_it_stands() -> None:
    centres = {64: -6.0, 128: -6.0}
    wide = answer(centres, 0.02, noise=0.05)
    assert wide.regret is not None
    assert wide.regret.high is not None
    assert wide.regret.high_of_optimum is not None
    between = (wide.regret.high + wide.regret.high_of_optimum) / 2
    assert wide.regret.high < 0.95 * between
    told = answer(centres, between, noise=0.05)
    assert told.verdict == "transfers"
    assert told.hangs_on is not None
    assert "on the rate used: it holds for 2^-" in told.hangs_on
    assert "the optimum of width 64 is known to ± " in told.hangs_on
    assert told.hangs_on.endswith(f"{100 * wide.regret.high_of_optimum:.3g} %")
    sure = answer(centres, 1.01 * wide.regret.high_of_optimum, noise=0.05)
    assert "on the rate used" not in (sure.hangs_on or "")


@pytest.mark.parametrize("end", ["upper", "lower"])
def test_an_open_verdict_names_the_end_that_is_across(end: str) -> None:
    regret = answer({64: -6.0, 128: -7.0}, 0.02, noise=0.01).regret
    assert regret is not None
    assert regret.low is not None
    assert regret.high is not None
    bound = regret.low if end == "lower" else regret.high
    still = answer({64: -6.0, 128: -7.0}, (regret.estimate + bound) / 2, noise=0.01)
    assert still.verdict == "inconclusive"
    assert still.hangs_on is not None
    assert f"on the {end} end of the regret" in still.hangs_on
    assert still.hangs_on.endswith(f"what sharpens it: {still.evidence[0].action}")
