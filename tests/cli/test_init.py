"""The files to start from run as they stand."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest

from lrtransfer.study.load import load
from lrtransfer.study.program import fill_command, read_loss


def call(*arguments: str, at: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "lrtransfer", *arguments]
    return subprocess.run(command, cwd=at, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("init")
    done = call("init", "mine", at=directory)
    assert done.returncode == 0, done.stderr
    assert "lrtransfer tune study.toml --allow-code" in done.stdout
    return directory / "mine"


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("init")
    done = call("init", "mine", "--trainer", at=directory)
    assert done.returncode == 0, done.stderr
    return directory / "mine"


@pytest.mark.parametrize("kind", ["written", "script"])
def test_the_study_is_a_study(kind: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(kind)
    study = load(folder / "study.toml", {})
    assert study.schemes == ("mup", "sp")
    assert study.base_width == 64
    text = (folder / "study.toml").read_text()
    assert text.startswith("#:schema study.schema.json\n")
    schema = json.loads((folder / "study.schema.json").read_text())
    jsonschema.validate(tomllib.loads(text), schema)


def test_the_model_trains_as_the_study_says(written: Path) -> None:
    quick = ["--widths", "64,128", "--schemes", "mup", "--lr-low", "2^-9", "--lr-high", "2^-6"]
    command = ["tune", "study.toml", "--allow-code", *quick, "--steps", "40", "--json"]
    done = call(*command, "--out", "quick", at=written)
    assert done.returncode == 0, done.stderr
    (answer,) = json.loads(done.stdout)["schemes"].values()
    assert [o["size"] for o in answer["optima"]] == [64, 128]
    assert answer["regret"]["best_loss"] < 2.3  # guessing one of ten classes costs log 10


def test_code_in_a_file_wants_consent(written: Path) -> None:
    done = call("tune", "study.toml", "--out", "refused", at=written)
    assert done.returncode == 2
    assert "model.build: got 'model:build', code that is named inside a file" in done.stderr
    assert not (written / "refused").exists()


def test_the_script_trains_as_the_study_calls_it(script: Path) -> None:
    trainer = load(script / "study.toml", {}).trainer
    assert trainer is not None
    values = {"width": "128", "lr": "0.004", "seed": "0", "scheme": "mup", "out": str(script)}
    # By the interpreter that has lrtransfer: its environment need not be activated.
    subprocess.run(fill_command(trainer, values), cwd=script, env={}, check=True)
    loss = read_loss(trainer.loss_from, values, script / "output.txt")
    assert isinstance(loss, float)
    assert loss < 2.3  # guessing one of ten classes costs log 10


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "module"), [("written", "model"), ("script", "train")])
@pytest.mark.parametrize("command", ["recipe", "check"])
def test_other_commands_take_the_functions_as_they_stand(
    kind: str, module: str, command: str, request: pytest.FixtureRequest
) -> None:
    options = {
        "recipe": ["--width", "256", "--base-width", "64"],
        "check": ["--widths", "32,64,128,256", "--steps", "2"],
    }[command]
    names = [f"{module}:build", "--batch", f"{module}:batches"]
    done = call(command, *names, *options, "--json", at=request.getfixturevalue(kind))
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    if command == "recipe":
        roles = {row["name"]: row["role"] for row in answer["parameters"]}
        assert (roles["0.weight"], roles["2.weight"]) == ("input", "hidden")
        assert [role for name, role in roles.items() if name.endswith("weight")][-1] == "output"
    else:
        assert (answer["verdict"], answer["control"]["verdict"]) == ("pass", "fail")


def test_the_commands_are_named_as_they_are_given(written: Path, script: Path) -> None:
    text = (written / "model.py").read_text()
    done = call("init", "again", at=written)
    named = [line.split("#")[0].strip() for line in done.stdout.splitlines() if "#" in line]
    assert [line.split()[1] for line in named] == ["recipe", "check", "tune"]
    assert all(line in text for line in named)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["written", "script"])
def test_the_study_runs_as_it_stands(kind: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(kind)
    done = call("tune", "study.toml", "--allow-code", "--workers", "2", "--json", at=folder)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["runs"]["finished"] == answer["runs"]["planned"]
    assert not answer["warnings"]
    assert {o["status"] for s in answer["schemes"].values() for o in s["optima"]} == {"ok"}


def test_nothing_is_overwritten(written: Path) -> None:
    done = call("init", ".", at=written)
    assert done.returncode == 2
    assert "study.toml: got a file that is there already" in done.stderr


def test_json_names_the_files(tmp_path: Path) -> None:
    done = call("init", "--json", at=tmp_path)
    assert json.loads(done.stdout) == {"files": ["study.toml", "model.py", "study.schema.json"]}


def test_a_folder_that_cannot_be_made_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = call("init", "file", at=tmp_path)
    assert done.returncode == 2
    assert "wanted a folder to write into" in done.stderr
