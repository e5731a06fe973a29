"""Several rows of one run: the last one counts, whatever its index is called."""

from pathlib import Path

import pytest

from lrtransfer.integrations.tables.runs import Runs, read_runs

from .synthetic import points, write


def read(folder: Path, text: str, **options: object) -> Runs:
    (folder / "runs.csv").write_text(text)
    return read_runs(folder / "runs.csv", **options)


def losses(runs: Runs) -> list[float | None]:
    return [row.loss for row in runs.table.observations]


FINAL = [x for _, _, x in points()]


@pytest.mark.parametrize(
    "index",
    ["iter", "iters", "iteration", "iterations", "epoch", "epochs", "training_iteration", "step",
     "_step", "trainer/global_step", "train/epoch", "metrics.step"],
)  # fmt: skip
def test_the_last_row_of_a_run_counts(index: str, tmp_path: Path) -> None:
    rows = ((w, lr, t, round(x + 100 / t - 1, 6)) for w, lr, x in points() for t in (20, 50, 100))
    runs = read(tmp_path, write(f"width,lr,{index},loss", rows))
    assert losses(runs) == FINAL
    assert (
        f"42 earlier rows are left out: where {index!r} goes on, the last row of a run counts"
        in (runs.warnings)
    )
    assert f"read steps from column {index!r}" in runs.warnings


def test_runs_with_seeds_have_a_last_row_each(tmp_path: Path) -> None:
    rows = ((w, lr, s, t, x) for w, lr, x in points() for s in (0, 1) for t in (5, 10))
    assert len(read(tmp_path, write("width,lr,seed,epoch,loss", rows)).table) == 42


def test_runs_with_ids_have_a_last_row_each(tmp_path: Path) -> None:
    rows = (
        (f"r{w}-{lr}-{i}", w, lr, t, x) for w, lr, x in points() for i in (0, 1) for t in (5, 10)
    )
    runs = read(tmp_path, write("run_id,width,lr,epoch,loss", rows))
    assert len(runs.table) == 42
    assert any("there is no seed" in note for note in runs.warnings)


def test_an_id_that_repeats_is_one_run(tmp_path: Path) -> None:
    rows = (
        (i, w, lr, "InProgress", x if last else x + 5)
        for i, (w, lr, x) in enumerate(points()) for last in (False, False, True)
    )  # fmt: skip
    runs = read(tmp_path, write("trial_id,config_width,config_lr,st_status,loss", rows))
    assert losses(runs) == FINAL
    assert (
        "42 earlier rows are left out: where 'trial_id' repeats, the last row of a run counts"
        in (runs.warnings)
    )


def test_an_id_of_many_runs_is_none(tmp_path: Path) -> None:
    rows = ((f"sweep-{w}", w, lr, x) for w, lr, x in points())
    assert len(read(tmp_path, write("run_id,width,lr,loss", rows)).table) == 21


def test_lengths_that_jitter_are_no_history(tmp_path: Path) -> None:
    rows = ((w, lr, 2000 + s, x + s / 100) for w, lr, x in points() for s in range(3))
    runs = read(tmp_path, write("width,lr,_step,loss", rows))
    assert len(runs.table) == 63
    assert runs.conditions == "2,000 steps"


def test_tokens_that_go_on_with_the_step_are_no_setting(tmp_path: Path) -> None:
    rows = (
        (w, lr, t, 512 * t, round(x + 100 / t - 1, 6))
        for w, lr, x in points()
        for t in (20, 50, 100)
    )
    runs = read(tmp_path, write("width,lr,step,tokens,loss", rows))
    assert losses(runs) == FINAL
    assert runs.conditions == "100 steps, 51,200 tokens"


def test_a_planned_length_goes_before_the_index(tmp_path: Path) -> None:
    rows = (
        (w, lr, 100, t, round(x + 100 / t - 1, 6)) for w, lr, x in points() for t in (20, 50, 99)
    )
    runs = read(tmp_path, write("width,lr,max_steps,step,loss", rows))
    assert len(runs.table) == 21
    assert runs.conditions == "100 steps"


def test_a_run_that_diverged_ends_there(tmp_path: Path) -> None:
    rows = [(w, lr, t, x) for w, lr, x in points() for t in (50, 100) if lr < 2**-5]
    rows += [(w, 2**-4, 50, float("nan")) for w in (64, 128)]
    runs = read(tmp_path, write("width,lr,step,loss", rows))
    assert [row.size for row in runs.table.observations if row.diverged] == [64, 128]


def test_steps_as_sizes_are_complete_runs(tmp_path: Path) -> None:
    rows = ((t, lr, x) for _, lr, x in points((64,)) for t in (20, 50, 100))
    assert len(read(tmp_path, write("step,lr,loss", rows), along="steps").table) == 21
