"""`lrtransfer verdict` along two axes, and its best batch size."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lrtransfer as lt
from lrtransfer.cli.main import main


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def make_rows(*, together: bool = False) -> list[dict[str, float]]:
    """Return runs whose optimum falls by half an octave per doubling of the parameters."""
    rng = np.random.default_rng(0)
    return [
        {
            "n_params": 1000 * 2**n,
            "tokens": 8000 * 2**d,
            "lr": 2.0**x,
            "loss": 3 + (x + 6 + n / 2) ** 2 / 16 + 0.002 * rng.standard_normal(),
        }
        for n in range(3)
        for d in range(3)
        if not together or n == d
        for x in range(-11, -2)
    ]


def write(rows: list[dict[str, float]]) -> str:
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    Path("runs.csv").write_text("\n".join(lines) + "\n")
    return "runs.csv"


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(["verdict", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


TWO = ("--along", "params,tokens", "--target", "params=8e3,tokens=64e3")


def test_both_slopes_and_a_rate_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    told = document(capsys, write(make_rows()), *TWO)
    scheme = told["schemes"]["all"]
    assert scheme["axes"] == ["params", "tokens"]
    assert [round(slope["estimate"], 1) + 0.0 for slope in scheme["slopes"]] == [-0.5, 0.0]
    assert scheme["interaction"]["low"] < 0 < scheme["interaction"]["high"]
    assert scheme["prediction"]["sizes"] == [8000, 64000]
    assert scheme["prediction"]["low"] < 2**-7.5 < scheme["prediction"]["high"]
    assert len(scheme["optima"]) == 9
    assert told["conditions"] == ""
    assert told["rows"] == {"read": 81, "used": 81}
    assert "read params from column 'n_params'" in told["warnings"]


def test_the_order_of_the_axes_is_the_users(capsys: pytest.CaptureFixture[str]) -> None:
    told = document(capsys, write(make_rows()), "--along", "tokens,params")["schemes"]["all"]
    assert told["axes"] == ["tokens", "params"]
    assert told["prediction"]["sizes"] == [32000, 4000]  # the largest of either
    assert round(told["slopes"][1]["estimate"], 1) == -0.5


def test_people_read_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verdict", write(make_rows()), *TWO]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "octaves per doubling of model size" in text
    assert "octaves per doubling of number of tokens" in text
    assert "interaction: a doubling of number of tokens changes the drift over model size" in text
    assert "learning rate for model size 8000 and number of tokens 64000: 0.00" in text


def test_python_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    told = document(capsys, write(make_rows()), *TWO)["schemes"]["all"]["prediction"]
    target = {"tokens": 64000, "params": 8000}
    found = lt.predict_pair(make_rows(), along=("params", "tokens"), target=target)
    assert found.target == target
    prediction = found.answers["all"].prediction
    assert prediction is not None
    assert prediction.lr == told["lr"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--along", "params,tokens,batch"), "wanted two axes"),
        (("--along", "params,width"), "wanted two sizes that can vary apart"),
        (("--along", "params,nothing"), "wanted the axis that grows"),
        (("--along", "params,tokens", "--target", "params=8e3"), "wanted a size for each of"),
        (("--along", "params,tokens", "--target", "8000"), "wanted a whole number for either"),
        (("--along", "params,tokens", "--target", "params=1.5,tokens=1"), "wanted a whole number"),
        (("--along", "params,tokens", "--base", "1000"), "wanted none: a rate is predicted"),
        (("--along", "params,batch"), "got no column of positive whole numbers for batch"),
    ],
)
def test_a_slip_is_named(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verdict", write(make_rows()), *arguments]) == 2
    assert words in " ".join(capsys.readouterr().err.split())


def test_sizes_that_grow_together_are_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verdict", write(make_rows(together=True)), *TWO]) == 2
    assert "that grow together in all runs" in " ".join(capsys.readouterr().err.split())


def test_the_best_batch_is_told_where_there_are_three(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"width": w, "steps": 9, "bs": b, "lr": 2.0**x, "loss": 3 + (x + 6) ** 2 / 16 + excess}
        for w in (64, 128)
        for b, excess in ((8, 0.1), (16, 0.0), (32, 0.2))
        for x in range(-10, -2)
    ]
    first, second = document(capsys, write(rows))["batches"]
    assert (first["scheme"], first["size"], second["size"]) == ("all", 64, 128)
    assert first["batch"]["low"] < first["batch"]["estimate"] < first["batch"]["high"]
    assert [entry["batch"] for entry in first["losses"]] == [8, 16, 32]
    assert main(["verdict", "runs.csv"]) == 0
    assert "best batch size of all at width 64: " in " ".join(capsys.readouterr().out.split())
    assert document(capsys, write(rows), "--where", "bs=16")["batches"] == []
