"""Measurements with known exponents are judged correctly."""

import numpy as np
import pytest

from lrtransfer.checks.findings import Finding, MeasurementTable, conclude, judge_exponents
from lrtransfer.checks.quantities import ModelMeasurements, QuantityKey, TensorFacts

WIDTHS = (64, 128, 256, 512)


def runs(
    exponent: float, *, noise: float, seed: int = 0, widths: tuple[int, ...] = WIDTHS
) -> MeasurementTable:
    """Simulate three seeds of one hidden tensor with this exponent of its effect."""
    rng = np.random.default_rng(seed)
    return {
        (n, s): ModelMeasurements(
            values={
                QuantityKey("w", "effect", 1): n**exponent * 2 ** (noise * rng.standard_normal())
            },
            tensors={"w": TensorFacts(entries=n * n, std=n**-0.5, lr=1 / n)},
            outputs={"layer": n},
            layers={"layer": ("w",)},
            bare={"layer": 1.0},
            head_widths={},
            untrained=frozenset(),
            diverged_at=None,
        )
        for n in widths
        for s in range(3)
    }


@pytest.mark.parametrize("exponent", [-1.0, -0.5, 0.0, 0.125, 0.5, 1.0])
@pytest.mark.parametrize("widths", [(64, 128, 256), WIDTHS, (32, 64, 128, 256, 512, 1024)])
def test_known_exponents_are_found_on_any_range(exponent: float, widths: tuple[int, ...]) -> None:
    (finding,) = judge_exponents(runs(exponent, noise=0.0, widths=widths), degree=0)
    assert finding.slope == pytest.approx(exponent, abs=1e-9)
    assert finding.ok is (abs(exponent) < 0.3)


@pytest.mark.parametrize(
    ("exponent", "degree", "verdict"),
    [(0.4, 0.0, "fail"), (0.4, 1.0, "pass"), (0.6, 1.0, "fail"), (-0.4, 0.0, "fail")],
)
def test_the_band_is_wider_where_steps_are_proportional_to_gradients(
    exponent: float, degree: float, verdict: str
) -> None:
    assert conclude(judge_exponents(runs(exponent, noise=0.01), degree=degree))[0] == verdict


def test_scatter_leaves_it_open() -> None:
    verdict, reason = conclude(judge_exponents(runs(0.0, noise=1.5), degree=0))
    assert verdict == "inconclusive"
    assert "effect of w at step 1" in reason


def test_the_interval_holds_the_exponent_as_often_as_it_says() -> None:
    findings: list[Finding] = []
    for seed in range(200):
        findings += judge_exponents(runs(0.1, noise=0.3, seed=seed), degree=0)
    share = np.mean([f.low <= 0.1 <= f.high for f in findings if f.low is not None is not f.high])
    assert share == pytest.approx(0.90, abs=0.065)  # 200 trials: 3 standard errors are 0.064


def test_what_does_not_move_leaves_it_open() -> None:
    still = {where: run for where, run in runs(0.0, noise=0.0).items()}
    for where, run in still.items():
        still[where] = ModelMeasurements(**{
            **vars(run),
            "values": {QuantityKey("w", "effect", 1): 0.0},
        })
    (finding,) = judge_exponents(still, degree=0)
    assert (finding.slope, finding.ok) == (None, None)
    assert conclude([finding])[0] == "inconclusive"
