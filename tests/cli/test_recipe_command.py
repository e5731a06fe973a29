"""`lrtransfer recipe` on a user's model."""

import json
from pathlib import Path
from typing import Any

import pytest

from lrtransfer.cli.main import main
from lrtransfer.parametrization.recipe.recipe import Recipe

MODEL = """
import torch
from torch import nn

def build(width):
    hidden = nn.Linear(width, width)
    return nn.Sequential(nn.Linear(3, width), nn.ReLU(), hidden, nn.Linear(width, 2))

def batch():
    return torch.zeros(4, 3), torch.zeros(4, dtype=torch.long)

def loud(width):
    print("loud")
    return build(width)

def broken():
    raise RuntimeError("no data here")

number = 3
"""
WIDTHS = ("--width", "64", "--base-width", "16")


@pytest.fixture(autouse=True)
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "own_model.py"
    path.write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "own_model", raising=False)
    return path


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["recipe", "own_model:build", *WIDTHS, *arguments, "--json"]) == 0
    recipe: dict[str, Any] = json.loads(capsys.readouterr().out)
    return recipe


def test_json_holds_every_parameter(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {
        row["name"]: row for row in document(capsys, "--batch", "own_model:batch")["parameters"]
    }
    assert [row["role"] for row in rows.values()] == [
        "input", "vector", "hidden", "vector", "output", "scalar",
    ]  # fmt: skip
    readout = rows["3.weight"]
    assert (readout["shape"], readout["lr"], readout["weight_decay"]) == ([2, 64], 0.25, 4)
    assert readout["init_std"] == pytest.approx(16**-0.5 / 3**0.5 / 4, rel=0.05)


def test_what_the_model_prints_stays_out_of_the_document(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["recipe", "own_model:loud", *WIDTHS, "--json"]) == 0
    output = capsys.readouterr()
    assert json.loads(output.out)["parameters"]
    assert "loud" in output.err


def test_the_difference_to_sp(capsys: pytest.CaptureFixture[str]) -> None:
    diff = document(capsys, "--diff", "sp")["diff"]
    assert diff["scheme"] == "sp"
    hidden = next(row for row in diff["parameters"] if row["name"] == "2.weight")
    assert hidden == {
        "name": "2.weight", "lr": [0.25, 1], "weight_decay": [4, 1], "eps": [0.25, 1],
    }  # fmt: skip


def test_a_table_for_people(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["recipe", "own_model:build", *WIDTHS, "--diff", "sp"]) == 0
    text = capsys.readouterr().out
    assert "0.25 / 1" in text
    assert "64×64" in text


def test_choices_and_rows_of_exponents(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "rows.toml").write_text("[hidden]\nb = 0.5\nc = 0.5\n")
    recipe = document(
        capsys, "--scheme", "rows.toml", "--choices", "weight_decay=none,scale_eps=false"
    )
    hidden = recipe["parameters"][2]
    assert (hidden["lr"], hidden["weight_decay"], hidden["eps"]) == (0.5, 0, 1)


def test_the_recipe_is_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    document(capsys, "--out", "recipe.json")
    recipe = Recipe.from_json((tmp_path / "recipe.json").read_text())
    assert (recipe.width, recipe.scheme) == (64, "mup")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["own_model"], "build: got 'own_model', wanted the form pkg.module:name"),
        (["own_model.py:build"], "build: got 'own_model.py:build', but there is no module"),
        (["nowhere:build"], "'nowhere:build', but there is no module 'nowhere'"),
        (["own_model:biuld"], "own_model has no 'biuld'"),
        (["own_model:number"], "a int, wanted a function"),
        (["own_model:build", "--batch", "own_model:broken"], "raised RuntimeError: no data here"),
        (["own_model:build", "--scheme", "mub"], "scheme: got 'mub', wanted one of sp"),
        (["own_model:build", "--scheme", "no.toml"], "scheme: got no.toml .*wanted a readable"),
        (["own_model:build", "--optimizer", "adamv"], "optimizer: got 'adamv'"),
        (["own_model:build", "--choices", "decay=1"], "choices: got 'decay=1', wanted KEY=VALUE"),
        (["own_model:build", "--choices", "gauge=table4"], "gauge: got 'table4', wanted one of"),
        (
            ["own_model:build", "--choices", "depth=x,base_depth=2"],
            "depth: got 'x', wanted a positive whole",
        ),
        (["own_model:build", "--choices", "depth_exponent=x"], "depth_exponent: got 'x', wanted a"),
        (["own_model:build", "--choices", "scale_eps=maybe"], "scale_eps: got 'maybe', wanted one"),
        (["own_model:build", "--out", "no/where.json"], "out: got no/where.json .*writable"),
    ],
)
def test_bad_input_is_one_error(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import re

    assert main(["recipe", *arguments, *WIDTHS]) == 2
    error = capsys.readouterr().err
    assert re.search(message, error)
    assert error.count("\n") == 1
