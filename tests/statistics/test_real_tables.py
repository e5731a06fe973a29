"""The benchmark on real tables, on tables whose truth is known."""

import csv
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.real_sweeps import Run, Sweep, find_sweeps
from benchmarks.real_tables import (
    Checks,
    check_regret,
    check_whole,
    find_vertex,
    judge,
    leave_out,
    main,
    read_curve,
)

SIZES = (64, 128, 256, 512, 1024)


def make_runs(*, drift: float, start: float = -6.0) -> Iterator[Run]:
    """Yield half-octave sweeps of a parabola, whose optimum moves by `drift` per doubling."""
    noise = np.random.default_rng(0)
    for doubling, size in enumerate(SIZES):
        for x in np.arange(-10.0, -2.0, 0.5):
            height = (x - start - drift * doubling) ** 2 / 20
            yield Run(size, 2.0**x, 3 - doubling / 5 + height + 0.002 * noise.standard_normal())


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_largest_size_is_predicted_and_every_rule_is_priced() -> None:
    entry = leave_out(Sweep("drifting", "width", tuple(make_runs(drift=-0.4))))
    assert entry is not None
    assert entry.truth == pytest.approx(-7.6, abs=0.1)  # -6 - 4 x 0.4
    assert not entry.at_edge
    assert entry.held == 1
    ours, carry, line, last = entry.regrets
    # Loss at the optimum: 2.2. The smallest's best rate, -6: 1.6^2 / 20 = 0.128; the vertex at 512,
    # -7.2: 0.4^2 / 20 = 0.008.
    assert carry == pytest.approx(0.128 / 2.2, rel=0.2)
    assert last == pytest.approx(0.008 / 2.2, rel=0.7)
    assert line < last
    assert ours < last


def test_whole_table_holds_and_another_tables_losses_contradict_it() -> None:
    still = Sweep("still", "width", tuple(make_runs(drift=0)))
    checks = Checks.start()
    check_whole(still, checks)
    looks = (checks.upper, checks.lower, checks.verdict, checks.estimate)
    assert all(check.looked and not check.wrong for check in looks), looks
    ((scheme, _),) = judge(still, still.sizes, 1024).judgement.items()
    fit = judge(still, still.sizes, 1024).judgement.fits[scheme][-1]
    other = Sweep("other", "width", tuple(make_runs(drift=0, start=-8.5)))
    check_regret(other, -6.0, fit, checks)
    assert checks.upper.wrong, "a rate 2.5 octaves off was stated to cost nothing"
    assert checks.verdict.wrong


def test_failed_runs_move_no_yardstick() -> None:
    runs = [*make_runs(drift=0), Run(64, 2.0**-1.5, 7.0), Run(64, 2.0**-1, math.nan)]
    x, loss = read_curve(runs, 64)
    assert x[-1] == -2.5
    assert find_vertex(x, loss) == pytest.approx(-6, abs=0.1)


def test_vertex_at_an_end_and_of_two_rates() -> None:
    x = np.array([-3.0, -2.0, -1.0])
    assert find_vertex(x, x**2) == pytest.approx(-1.0)
    assert find_vertex(x, (x + 2.25) ** 2) == pytest.approx(-2.25)
    assert find_vertex(x[:2], np.array([1.0, 2.0])) == -3


def grid(path: Path) -> Path:
    """Write a table in which sizes, lengths and batch vary, and steps follow from the latter."""
    names = ("params", "width", "tokens", "batch_size", "steps", "lr", "loss")
    rows: list[dict[str, object]] = []
    for params in (100, 200, 400, 800):
        for ratio in (20.0, 20.4, 80):
            for batch in (8, 16, 32, 64):
                for lr in (0.1, 0.2, 0.4):
                    tokens = int(params * ratio)
                    loss = "" if batch == 64 and lr == 0.4 else 3 + lr
                    row = (params, params // 10, tokens, batch, tokens // batch, lr, loss)
                    rows.append(dict(zip(names, row, strict=True)))
    return write(path / "grid.csv", rows)


def test_sweeps_differ_in_size_and_rate_alone(tmp_path: Path) -> None:
    table = grid(tmp_path)
    batches = list(find_sweeps(table, along="batch"))
    assert len(batches) == 12  # 4 sizes x 3 lengths
    assert all(sweep.sizes == [8, 16, 32, 64] for sweep in batches)
    assert all(len(sweep.runs) == 11 for sweep in batches)  # one run was not made
    assert batches[0].title == "grid: batch at params=100, width=10, tokens=2000"
    # No length is common to four sizes, but the ratio is; 20 and 20.4 are one, and repeats count.
    assert not list(find_sweeps(table, along="params"))
    within = ("tokens/params", "batch_size")
    ratios = list(find_sweeps(table, along="params", within=within))
    assert len(ratios) == 8
    assert {len(sweep.runs) for sweep in ratios} == {24, 16, 12, 8}
    seeds = {row["seed"] for row in ratios[0].rows(ratios[0].sizes)}
    assert seeds == {0, 1}


def test_command_prints_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[dict[str, object]] = [
        {"width": r.size, "lr": r.lr, "loss": r.loss} for r in make_runs(drift=-0.2)
    ]
    write(tmp_path / "one.csv", rows)
    monkeypatch.setattr(sys, "argv", ["real_tables", str(tmp_path)])
    main()
    printed = capsys.readouterr().out
    assert "| width | 1 | 0 | 100.0 ± 100.0 of 1 |" in printed
    assert "0 of 4: verdict on a rate tried" in printed


def test_command_without_a_sweep_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = write(tmp_path / "few.csv", [{"width": 64, "lr": 0.1, "loss": 3}])
    monkeypatch.setattr(sys, "argv", ["real_tables", str(table)])
    with pytest.raises(SystemExit, match="got no sweep of 4 sizes"):
        main()
