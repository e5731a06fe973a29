"""Studies and verdicts from Python."""

import csv
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import lrtransfer as lt
from lrtransfer.errors import ConfigError, TableError

ROWS = [
    {"d_model": width, "lr": 2.0**x, "loss": 3 + (x + 6.3) ** 2 / 16, "seed": seed}
    for width in (64, 128, 256, 512)
    for x in range(-10, -2)
    for seed in (0, 1)
]


class Pandas:
    def to_dict(self, kind: str) -> list[dict[str, float]]:
        assert kind == "records"
        return ROWS


class Polars:
    def to_dicts(self) -> list[dict[str, float]]:
        return ROWS


def test_all_kinds_of_tables_give_the_same(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ROWS[0])
        writer.writeheader()
        writer.writerows(ROWS)
    table = lt.verdict(ROWS).table
    found = [lt.verdict(runs) for runs in (ROWS, Pandas(), Polars(), path, str(path), table)]
    assert all(answer.verdict == {"all": "transfers"} for answer in found)
    assert len({answer.suggestion()["all"] for answer in found}) == 1
    assert found[0].warnings == ("read width from column 'd_model'",)


def test_options_are_those_of_the_command() -> None:
    found = lt.verdict(ROWS, target=4096, base=128, absolute_tolerance=0.06)
    prediction = found.suggestion()["all"]
    assert prediction is not None
    assert prediction.size == found.target == 4096
    regret = found.answers["all"].regret
    assert regret is not None
    assert regret.tolerance == pytest.approx(0.02, rel=0.02)
    assert regret.log2_lr == found.answers["all"].optima[1].log2_lr


def test_sizes_may_be_those_of_another_axis() -> None:
    rows = [{**row, "steps": 10 * row["d_model"], "d_model": 256} for row in ROWS]
    found = lt.verdict(rows, along="steps", target=40_000, base=1280)
    answer = found.answers["all"]
    assert answer.axis == "steps"
    assert [optimum.size for optimum in answer.optima] == [640, 1280, 2560, 5120]
    assert answer.reason.startswith("The optimum of training length 1280 ")
    assert "width 256" in answer.covers
    assert found.target == 40_000
    same = lt.verdict(found.table, along="steps", target=40_000, base=1280)
    assert same.answers["all"].reason == answer.reason
    texts = [trace.hovertemplate or "" for trace in found.plot().data]
    assert any(text.startswith("training length 640, seed") for text in texts)


@pytest.mark.parametrize("runs", [5, [], [1, 2], None, {"width": 64}])
def test_what_is_no_table_is_one_error(runs: Any) -> None:
    with pytest.raises(TableError, match="wanted a file, a data frame, a RunTable, or rows"):
        lt.verdict(runs)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "1024"}, "target: got '1024'"),
        ({"target": 1024.5}, "target: got 1024.5"),
        ({"tolerance": "0.1"}, "tolerance: got '0.1'"),
        ({"columns": ["loss"]}, "columns: got"),
        ({"along": "size"}, "along: got 'size', wanted .* width, depth, batch, steps"),
        ({"along": "depth"}, "wanted also depth"),
    ],
)
def test_wrong_options_are_one_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TableError, match=message):
        lt.verdict(ROWS, **options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"study": 5}, "study: got 5"),
        ({"workers": -1}, "workers: got -1"),
        ({"workers": 0}, "workers: got 0"),
        ({"workers": "2"}, "workers: got '2'"),
        ({"out": None}, "out: got None"),
    ],
)
def test_wrong_arguments_of_tune_are_one_error(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        lt.tune(**arguments)


def test_a_study_is_tuned_and_plotted(tmp_path: Path) -> None:
    program = tmp_path / "train.py"
    program.write_text(
        "import math, sys\nwidth, lr = int(sys.argv[1]), float(sys.argv[2])\n"
        "print('loss', 3 + (math.log2(lr) + 6.3) ** 2 / 16)"
    )
    study = {
        "widths": (64, 128, 256),
        "target": 1024,
        "seeds": 1,
        "trainer": {
            "command": f"'{sys.executable}' '{program}' {{width}} {{lr}}",
            "loss_from": r"stdout:loss (\S+)",
        },
    }
    answer = lt.tune(study, out=tmp_path / "out", workers=2, tolerance_regret=0.02)
    assert answer.verdict == {"all": "transfers"}
    assert answer.result is not None
    assert answer.result.study.tolerance_regret == 0.02
    assert answer.warnings == ()
    assert len(answer.plot().data) > 3
    with pytest.raises(ConfigError, match="seeds"):
        lt.tune(study, seeds=0)


def test_names_are_loaded_on_first_use() -> None:
    code = "import lrtransfer as lt, sys; lt.verdict; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_rows_are_chosen_as_by_the_command() -> None:
    rows = [{**row, "wd": wd} for row in ROWS for wd in (0.0, 0.1)]
    with pytest.raises(TableError, match=r"looks like a setting: wd \(0.0, 0.1\)"):
        lt.verdict(rows)
    assert len(lt.verdict(rows, where={"wd": 0.1}).table) == len(ROWS)
    assert list(lt.verdict(rows, group_by="wd").verdict) == ["wd=0.0", "wd=0.1"]
    scores = [{**row, "loss": None, "acc": 1 / row["loss"]} for row in ROWS]
    assert lt.verdict(scores, maximize=True).verdict == {"all": "transfers"}


@pytest.mark.parametrize(
    ("runs", "options", "message"),
    [
        (ROWS, {"where": "wd=1"}, "where: got 'wd=1', wanted values by column"),
        (lt.verdict(ROWS).table, {"where": {"wd": 1}}, "with a RunTable, wanted it with a file"),
        (lt.verdict(ROWS).table, {"maximize": True}, "with a RunTable, wanted it with a file"),
    ],
)
def test_wrong_choices_are_one_error(runs: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(TableError, match=message):
        lt.verdict(runs, **options)
