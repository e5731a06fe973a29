"""Adaptive designs choose, explain and stop."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from lrtransfer.errors import ConfigError
from lrtransfer.runs.digests import Digests
from lrtransfer.statistics.simulation import loss_shape
from lrtransfer.statistics.table import Observation, RunTable
from lrtransfer.statistics.transfer import Judgement, judge
from lrtransfer.study.load import load
from lrtransfer.sweeps.designs.adaptive import ROUNDS, AdaptiveDesign
from lrtransfer.sweeps.plan import Plan
from lrtransfer.sweeps.sweep import Sweep

WIDTHS = (64, 128, 256, 512)
ADAPTIVE: dict[str, Any] = {
    "widths": WIDTHS,
    "base_width": 64,
    "target": 1024,
    "schemes": ("mup", "sp"),
    "seeds": 5,
    "grid": {"low": 2.0**-12, "high": 2.0**-1},
    "design": "adaptive",
}
DRIFTS = {"mup": 0.0, "sp": -0.7}


def outcome(scheme: str, width: int, x: float, seed: int, noise: float) -> Observation:
    """Return the outcome of a run on a skewed valley, the same whenever it is asked for."""
    best = -6.6 + DRIFTS[scheme.partition(",")[0]] * math.log2(width / 64)
    stream = np.random.default_rng([width, seed, round(8 * (x + 40))])
    shift = np.random.default_rng([width, seed]).standard_normal()
    loss = 3 + float(loss_shape("skew", np.array([x - best]))[0])
    loss += noise * (2 * shift + stream.standard_normal())
    return Observation(scheme, width, 2.0**x, seed, loss)


def judged(sweep: Sweep, plan: Plan, noise: float) -> Judgement:
    rows = tuple(
        outcome(scheme, width, math.log2(sweep.study.search.lattice.rate(index)), seed, noise)
        for (scheme, width), points in plan.items()
        for index, seed in points
    )
    return judge(RunTable(rows), target=1024, base=64, looks=sweep.design.looks)


def carried_out(sweep: Sweep, *, noise: float = 0.01) -> tuple[list[Plan], list[str], Judgement]:
    """Carry a design out; return the plans of its rounds, its reasons, its last judgement."""
    rounds, reasons = [sweep.design.first()], list[str]()
    while True:
        judgement = judged(sweep, rounds[-1], noise)
        proposal = sweep.design.next(rounds[-1], judgement, round=len(rounds))
        reasons += proposal.reasons
        if proposal.plan == rounds[-1]:
            return rounds, reasons, judgement
        rounds.append(proposal.plan)


def sweep_of(settings: dict[str, Any]) -> Sweep:
    return Sweep(load(None, settings), Digests("d"))


def cost(sweep: Sweep, plan: Plan) -> float:
    assert isinstance(sweep.design, AdaptiveDesign)
    return sweep.design.cost_plan(plan)


@pytest.fixture(scope="module")
def narrowed() -> tuple[Sweep, list[Plan], list[str], Judgement]:
    sweep = sweep_of(ADAPTIVE | {"stopping_rule": "octaves=0.5", "budget": 150})
    return sweep, *carried_out(sweep)


def test_a_design_reaches_its_goal_with_few_runs(
    narrowed: tuple[Sweep, list[Plan], list[str], Judgement],
) -> None:
    sweep, rounds, reasons, found = narrowed
    assert reasons[-1].startswith("done")
    assert cost(sweep, rounds[-1]) <= 100  # a grid of these 12 rates and 5 seeds has 420
    for scheme, drift in DRIFTS.items():
        prediction = found[scheme].prediction
        assert prediction is not None
        assert prediction.high / prediction.low <= 2
        assert prediction.low <= 2.0 ** (-6.6 + 4 * drift) <= prediction.high
    assert {name: answer.verdict for name, answer in found.items()} == {
        "mup": "transfers",
        "sp": "does not transfer",
    }


def test_every_choice_has_its_line(
    narrowed: tuple[Sweep, list[Plan], list[str], Judgement],
) -> None:
    _, rounds, reasons, _ = narrowed
    added = sum(len(c) for c in rounds[-1].values()) - sum(len(c) for c in rounds[0].values())
    named = sum(line.count("2^") for line in reasons)
    assert 0 < named <= added  # runs at the base width stand once for both schemes
    assert all("width" in line and "narrow" in line for line in reasons[:-1])


def test_runs_at_the_base_width_are_the_same_for_all_schemes(
    narrowed: tuple[Sweep, list[Plan], list[str], Judgement],
) -> None:
    _, rounds, _, _ = narrowed
    assert all(set(cells["mup", 64]) == set(cells["sp", 64]) for cells in rounds)


def test_values_of_a_second_axis_share_no_runs_but_schemes_do() -> None:
    varied = {"vary": {"optimizer.weight_decay": (0, 1)}, "budget": 60, "widths": (64, 128)}
    sweep = sweep_of(ADAPTIVE | varied)
    rounds, reasons, _ = carried_out(sweep)
    decays = [f"weight_decay {value}" for value in (0, 1)]
    for cells in rounds:
        for decay in decays:
            assert set(cells[f"mup, {decay}", 64]) == set(cells[f"sp, {decay}", 64])
    assert cost(sweep, rounds[-1]) <= 60
    added = [line for line in reasons if line.startswith("base, ")]
    assert {decay for decay in decays for line in added if f"{decay}, width 64" in line}


def test_cells_are_only_added_and_never_twice(
    narrowed: tuple[Sweep, list[Plan], list[str], Judgement],
) -> None:
    _, rounds, _, _ = narrowed
    for before, after in pairwise(rounds):
        for key, chosen in after.items():
            assert set(before[key]) <= set(chosen)
            assert len(set(chosen)) == len(chosen)


def test_the_same_results_give_the_same_choices(
    narrowed: tuple[Sweep, list[Plan], list[str], Judgement],
) -> None:
    sweep, rounds, reasons, _ = narrowed
    assert carried_out(sweep)[:2] == (rounds, reasons)


NARROW = ADAPTIVE | {"schemes": ("sp",), "stopping_rule": "octaves=0.45"}


@pytest.mark.parametrize(("budget", "most"), [(36, 36), ("2.6e13 flops", 2.6e13)])
def test_a_budget_is_kept(budget: int | str, most: float) -> None:
    sweep = sweep_of(NARROW | {"budget": budget})
    rounds, reasons, _ = carried_out(sweep, noise=0.03)
    assert cost(sweep, rounds[0]) < cost(sweep, rounds[-1]) <= most
    assert reasons[-1].startswith("stopped")


def test_operations_make_narrow_widths_preferred() -> None:
    def share(budget: int | str) -> float:
        sweep = sweep_of(NARROW | {"budget": budget})
        rounds, _, _ = carried_out(sweep, noise=0.03)
        added = {key: len(set(rounds[-1][key]) - set(rounds[0][key])) for key in rounds[0]}
        return added["sp", 512] / sum(added.values())

    assert share("4e13 flops") < share(45)


def test_a_settled_verdict_ends_the_search() -> None:
    sweep = sweep_of(ADAPTIVE | {"stopping_rule": "regret=0.01"})
    rounds, reasons, found = carried_out(sweep)
    assert reasons[-1].startswith("done")
    assert len(rounds) <= ROUNDS["regret"] == sweep.design.looks
    assert all(answer.verdict != "inconclusive" for answer in found.values())


def test_optima_beyond_the_rates_are_followed() -> None:
    sweep = sweep_of(ADAPTIVE | {"grid": {"low": 2.0**-7, "high": 2.0**-1}, "schemes": ("sp",)})
    rounds, reasons, found = carried_out(sweep)
    assert (
        min(index for index, _ in rounds[-1]["sp", 512]) < sweep.study.search.lattice.indices()[0]
    )
    assert any("beyond the rates tried" in line for line in reasons)
    assert found["sp"].verdict == "does not transfer"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"design": "other"}, "design: got 'other'"),
        ({"stopping_rule": "regret"}, "stopping_rule: got 'regret', wanted regret=SHARE"),
        ({"stopping_rule": "regret=2"}, "stopping_rule: got 'regret=2', wanted regret=SHARE"),
        ({"stopping_rule": "octaves=0.1"}, "stopping_rule: got octaves=0.1, wanted more than 0.39"),
        ({"stopping_rule": "octaves=1", "widths": (64, 128)}, "wanted at least 3 widths"),
        ({"budget": "many"}, "budget: got 'many', wanted runs, such as 48"),
        ({"design": "grid", "budget": 5}, "wanted it with design = 'adaptive' only"),
    ],
)
def test_wrong_settings_are_one_error(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=".*".join(map(_escaped, message.split()))):
        load(None, ADAPTIVE | changes)


def _escaped(text: str) -> str:
    return text.replace(".", r"\.")
