"""Schedules, beside formulas written down again and torch's own."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lrtransfer.training.schedule import DECAYS, Decay, schedule_factor


def factors(steps: int, **shape: Any) -> list[float]:
    settings = {"steps": steps, "warmup_share": 0.0, "final_factor": 0.0} | shape
    return [schedule_factor(step, **settings) for step in range(steps)]


def torch_factors(steps: int, *, eta_min: float = 0.0) -> list[float]:
    """Return what torch's cosine makes of a rate of 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps, eta_min=eta_min)
    rates = []
    for _ in range(steps):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize("final", [0.0, 0.1])
def test_cosine_without_warmup_is_that_of_torch(final: float) -> None:
    wanted = torch_factors(12, eta_min=final)
    assert factors(12, decay="cosine", final_factor=final) == pytest.approx(wanted, abs=1e-12)


def test_cosine_after_a_warmup_is_that_of_torch_over_the_rest() -> None:
    found = factors(20, decay="cosine", warmup_share=0.25)
    assert found[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert found[5:] == pytest.approx(torch_factors(15), abs=1e-12)
    # Half way between peak and end, cos(π/2) = 0.
    assert factors(16, decay="cosine", final_factor=0.2)[8] == pytest.approx(0.6)


def test_constant_stays_at_the_peak_after_its_warmup() -> None:
    found = factors(10, decay="constant", warmup_share=0.4, final_factor=0.5)
    # 0.5 + 0.5 * (1/4, 2/4, 3/4, 4/4)
    assert found == [0.625, 0.75, 0.875, *[1.0] * 7]


def test_wsd_rises_stays_and_falls() -> None:
    # T = 10, w = 2, the last 4 of 10 steps fall: (T - t) / 4 = 4/4, 3/4, 2/4, 1/4.
    found = factors(10, decay="wsd", warmup_share=0.2, decay_share=0.4)
    assert found == [0.5, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25]


def test_wsd_that_warms_up_all_along_still_falls_at_its_end() -> None:
    # min((t + 1) / 4, (4 - t) / 2)
    assert factors(4, decay="wsd", warmup_share=1.0, decay_share=0.5) == [0.25, 0.5, 0.75, 0.5]


@pytest.mark.parametrize("share", [0.0, 1e-9])
def test_wsd_without_a_decay_is_constant(share: float) -> None:
    assert factors(8, decay="wsd", decay_share=share) == [1.0] * 8


@pytest.mark.parametrize("decay", ["linear", "constant", "cosine"])
def test_a_warmup_over_all_steps_only_rises(decay: str) -> None:
    assert factors(4, decay=decay, warmup_share=1.0) == [0.25, 0.5, 0.75, 1.0]


@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("warmup", [0.0, 1.0])
def test_a_single_step_is_taken_at_the_peak(decay: Decay, warmup: float) -> None:
    assert factors(1, decay=decay, warmup_share=warmup, final_factor=1e-4) == [1.0]


@pytest.mark.parametrize("decay", DECAYS)
def test_without_warmup_every_schedule_starts_at_the_peak(decay: Decay) -> None:
    assert factors(50, decay=decay)[0] == 1.0


@settings(max_examples=300, deadline=None)
@given(
    steps=st.integers(1, 300),
    warmup_share=st.floats(0, 1),
    final_factor=st.floats(0, 1),
    decay_share=st.floats(0, 1),
    decay=st.sampled_from(DECAYS),
)
def test_every_factor_lies_between_the_final_one_and_one(
    steps: int, warmup_share: float, final_factor: float, decay_share: float, decay: Decay
) -> None:
    found = factors(
        steps,
        warmup_share=warmup_share,
        final_factor=final_factor,
        decay_share=decay_share,
        decay=decay,
    )
    assert all(final_factor - 1e-12 <= factor <= 1 + 1e-12 for factor in found)
    # It rises, then falls: once below its neighbour, it never rises again.
    falling = False
    for before, after in pairwise(found):
        falling |= after < before - 1e-12
        assert not (falling and after > before + 1e-12)
