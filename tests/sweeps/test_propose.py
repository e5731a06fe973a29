"""Edges are extended, step by step, and not for ever; adaptive designs choose, explain and stop."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from lrtransfer.errors import ConfigError
from lrtransfer.statistics.answer import Optimum, SchemeAnswer
from lrtransfer.statistics.simulation import loss_shape
from lrtransfer.statistics.table import Observation, RunTable
from lrtransfer.statistics.transfer import Judgement, judge
from lrtransfer.sweeps.plan import Cells, first_cells
from lrtransfer.sweeps.propose import ROUNDS, Proposal, cost_of, looks, propose
from lrtransfer.sweeps.study import Study, load

GRID: dict[str, Any] = {
    "widths": (32, 64),
    "schemes": ("sp",),
    "seeds": 2,
    "grid": {"low": 2.0**-8, "high": 2.0**-2},
}
FIRST = tuple(range(-8, -1))


def judgement(low: float | None, high: float | None) -> Judgement:
    inside = Optimum(size=32, log2_lr=-5.0, low=-5.2, high=-4.8, status="ok")
    edge = Optimum(
        size=64, log2_lr=-8.0, low=low, high=high, status="ok" if low and high else "edge"
    )
    answer = SchemeAnswer(
        scheme="sp",
        verdict="inconclusive",
        reason="",
        covers="",
        regret=None,
        drift=None,
        optima=(inside, edge),
        prediction=None,
        fits=(),
        evidence=(),
    )
    return Judgement({"sp": answer}, (), {})


def extended(study: Study, cells: Cells, low: float | None, high: float | None) -> Proposal:
    return propose(study, cells, judgement(low, high), look=1)


def rates(cells: Cells, width: int) -> list[int]:
    return sorted({index for index, _ in cells["sp", width]})


def test_an_optimum_inside_asks_for_nothing() -> None:
    study = load(None, GRID)
    found = extended(study, first_cells(study), -8.1, -7.0)
    assert (found.cells, found.reasons) == (first_cells(study), ())


@pytest.mark.parametrize(
    ("bounds", "wanted"),
    [((None, -7.0), [-10, -9, *FIRST]), ((-3.0, None), [*FIRST, -1, 0])],
)
def test_two_octaves_are_added_beyond_an_edge_with_all_seeds(
    bounds: tuple[float | None, float | None], wanted: list[int]
) -> None:
    study = load(None, GRID)
    found = extended(study, first_cells(study), *bounds)
    assert rates(found.cells, 32) == list(FIRST)
    assert rates(found.cells, 64) == wanted
    assert len(found.cells["sp", 64]) == 2 * len(wanted)
    assert len(found.reasons) == 1
    assert "width 64" in found.reasons[0]


def test_both_edges_are_extended_at_once() -> None:
    study = load(None, GRID)
    found = extended(study, first_cells(study), None, None)
    assert rates(found.cells, 64) == [-10, -9, *FIRST, -1, 0]
    assert len(found.reasons) == 2


def test_finer_grids_are_extended_by_as_many_octaves() -> None:
    study = load(None, GRID | {"grid": {"low": 0.25, "high": 1.0, "per_octave": 2}})
    found = extended(study, first_cells(study), None, -1.0)
    assert rates(found.cells, 64)[:4] == [-8, -7, -6, -5]


def test_the_search_ends_six_octaves_out() -> None:
    study = load(None, GRID)
    cells = first_cells(study)
    for _ in range(10):
        cells = extended(study, cells, None, -7.0).cells
    assert rates(cells, 64)[0] == -14


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


def judged(study: Study, cells: Cells, noise: float) -> Judgement:
    rows = tuple(
        outcome(scheme, width, math.log2(study.lattice.rate(index)), seed, noise)
        for (scheme, width), chosen in cells.items()
        for index, seed in chosen
    )
    return judge(RunTable(rows), target=1024, base=64, looks=looks(study))


def carried_out(study: Study, *, noise: float = 0.01) -> tuple[list[Cells], list[str], Judgement]:
    """Carry a design out; return the cells of its rounds, its reasons, its last judgement."""
    rounds, reasons = [first_cells(study)], list[str]()
    while True:
        found = judged(study, rounds[-1], noise)
        proposal = propose(study, rounds[-1], found, look=len(rounds))
        reasons += proposal.reasons
        if proposal.cells == rounds[-1]:
            return rounds, reasons, found
        rounds.append(proposal.cells)


@pytest.fixture(scope="module")
def narrowed() -> tuple[Study, list[Cells], list[str], Judgement]:
    study = load(None, ADAPTIVE | {"until": "octaves=0.5", "budget": 150})
    return study, *carried_out(study)


def test_a_design_reaches_its_goal_with_few_runs(
    narrowed: tuple[Study, list[Cells], list[str], Judgement],
) -> None:
    study, rounds, reasons, found = narrowed
    assert reasons[-1].startswith("done")
    assert cost_of(study, rounds[-1]) <= 100  # a grid of these 12 rates and 5 seeds has 420
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
    narrowed: tuple[Study, list[Cells], list[str], Judgement],
) -> None:
    _, rounds, reasons, _ = narrowed
    added = sum(len(c) for c in rounds[-1].values()) - sum(len(c) for c in rounds[0].values())
    named = sum(line.count("2^") for line in reasons)
    assert 0 < named <= added  # runs at the base width stand once for both schemes
    assert all("width" in line and "narrow" in line for line in reasons[:-1])


def test_runs_at_the_base_width_are_the_same_for_all_schemes(
    narrowed: tuple[Study, list[Cells], list[str], Judgement],
) -> None:
    _, rounds, _, _ = narrowed
    assert all(set(cells["mup", 64]) == set(cells["sp", 64]) for cells in rounds)


def test_values_of_a_second_axis_share_no_runs_but_schemes_do() -> None:
    varied = {"vary": {"optimizer.weight_decay": (0, 1)}, "budget": 60, "widths": (64, 128)}
    study = load(None, ADAPTIVE | varied)
    rounds, reasons, _ = carried_out(study)
    decays = [f"weight_decay {value}" for value in (0, 1)]
    for cells in rounds:
        for decay in decays:
            assert set(cells[f"mup, {decay}", 64]) == set(cells[f"sp, {decay}", 64])
    assert cost_of(study, rounds[-1]) <= 60
    added = [line for line in reasons if line.startswith("base, ")]
    assert {decay for decay in decays for line in added if f"{decay}, width 64" in line}


def test_cells_are_only_added_and_never_twice(
    narrowed: tuple[Study, list[Cells], list[str], Judgement],
) -> None:
    _, rounds, _, _ = narrowed
    for before, after in pairwise(rounds):
        for key, chosen in after.items():
            assert set(before[key]) <= set(chosen)
            assert len(set(chosen)) == len(chosen)


def test_the_same_results_give_the_same_choices(
    narrowed: tuple[Study, list[Cells], list[str], Judgement],
) -> None:
    study, rounds, reasons, _ = narrowed
    assert carried_out(study)[:2] == (rounds, reasons)


NARROW = ADAPTIVE | {"schemes": ("sp",), "until": "octaves=0.31"}


@pytest.mark.parametrize(("budget", "most"), [(36, 36), ("2.6e13 flops", 2.6e13)])
def test_a_budget_is_kept(budget: int | str, most: float) -> None:
    study = load(None, NARROW | {"budget": budget})
    rounds, reasons, _ = carried_out(study, noise=0.03)
    assert cost_of(study, rounds[0]) < cost_of(study, rounds[-1]) <= most
    assert reasons[-1].startswith("stopped")


def test_operations_make_narrow_widths_preferred() -> None:
    def share(budget: int | str) -> float:
        study = load(None, NARROW | {"budget": budget})
        rounds, _, _ = carried_out(study, noise=0.03)
        added = {key: len(set(rounds[-1][key]) - set(rounds[0][key])) for key in rounds[0]}
        return added["sp", 512] / sum(added.values())

    assert share("2.6e13 flops") < share(45)


def test_a_settled_verdict_ends_the_search() -> None:
    study = load(None, ADAPTIVE | {"until": "regret=0.01"})
    rounds, reasons, found = carried_out(study)
    assert reasons[-1].startswith("done")
    assert len(rounds) <= ROUNDS["regret"] == looks(study)
    assert all(answer.verdict != "inconclusive" for answer in found.values())


def test_optima_beyond_the_rates_are_followed() -> None:
    study = load(None, ADAPTIVE | {"grid": {"low": 2.0**-7, "high": 2.0**-1}, "schemes": ("sp",)})
    rounds, reasons, found = carried_out(study)
    assert min(index for index, _ in rounds[-1]["sp", 512]) < study.lattice.indices()[0]
    assert any("beyond the rates tried" in line for line in reasons)
    assert found["sp"].verdict == "does not transfer"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"design": "other"}, "design: got 'other'"),
        ({"until": "regret"}, "until: got 'regret', wanted regret=SHARE"),
        ({"until": "regret=2"}, "until: got 'regret=2', wanted regret=SHARE"),
        ({"until": "octaves=0.1"}, "until: got octaves=0.1, wanted more than 0.29"),
        ({"until": "octaves=1", "widths": (64, 128)}, "wanted at least 3 widths"),
        ({"budget": "many"}, "budget: got 'many', wanted runs, such as 48"),
        ({"design": "grid", "budget": 5}, "wanted it with design = 'adaptive' only"),
    ],
)
def test_wrong_settings_are_one_error(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=".*".join(map(_escaped, message.split()))):
        load(None, ADAPTIVE | changes)


def _escaped(text: str) -> str:
    return text.replace(".", r"\.")
