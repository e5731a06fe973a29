"""What a study will cost, beside what real models and finished studies say."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from lrtransfer.models.configs import TransformerConfig
from lrtransfer.models.transformer import Transformer
from lrtransfer.reports.document import estimate_document
from lrtransfer.reports.text import print_estimate
from lrtransfer.study.load import load
from lrtransfer.study.study import Study
from lrtransfer.sweeps.cost import Estimate
from lrtransfer.sweeps.estimate import estimate_cost
from lrtransfer.sweeps.tune import run_study
from tests.studies import SMALL


@pytest.mark.parametrize("positions", ["rotary", "learned"])
def test_parameters_are_those_of_the_model(positions: str) -> None:
    config = TransformerConfig.model_validate({"positions": positions, "depth": 3, "context": 16})
    model = Transformer(48, config)
    assert config.parameters(48) == sum(p.numel() for p in model.parameters())


def test_operations_are_six_per_weight_and_token() -> None:
    config = TransformerConfig(context=1, vocabulary=256)
    matrices = config.parameters(512) - 256 * 512  # looking an embedding up costs nothing
    assert config.training_flops(512) == pytest.approx(6 * matrices, rel=0.01)


@pytest.fixture(scope="module")
def found(small: Study, tmp_path_factory: pytest.TempPathFactory) -> Estimate:
    directory = tmp_path_factory.mktemp("nothing") / "out"
    estimated = estimate_cost(small, directory, workers=1)
    assert not directory.exists()
    return estimated


def test_everything_is_counted(found: Estimate) -> None:
    assert len(found.runs) == 35  # those at the base width are shared
    assert [cost.runs for cost in found.sizes] == [7, 14, 14]
    for cost in (size.each for size in found.sizes):
        assert cost.tokens == 4 * 2 * 16
        assert cost.seconds is not None
        assert cost.seconds > 0
        assert cost.memory is not None
        assert cost.memory > 5e7
    assert (found.target.size, found.target.runs) == (64, 7)
    assert found.seconds is not None


def test_confirming_is_counted(small: Study, found: Estimate, tmp_path: Path) -> None:
    assert found.confirming is None
    confirmed = estimate_cost(load(None, SMALL | {"confirm": True}), tmp_path / "out", workers=1)
    assert confirmed.confirming is not None
    assert confirmed.confirming.runs == 2 * 3  # schemes x rates
    assert found.flops is not None
    assert confirmed.flops is not None
    assert confirmed.confirming.each.flops == confirmed.target.each.flops
    assert confirmed.flops > found.flops


def test_people_see_a_table(
    small: Study,
    found: Estimate,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    print_estimate(small, found, console=Console(highlight=False))
    text = " ".join(capsys.readouterr().out.split())
    for expected in ("35 runs", "64 (target, tuned directly)", "times as many", "on disk"):
        assert expected in text


def test_finished_runs_cost_nothing(small: Study, tmp_path: Path) -> None:
    study = load(None, SMALL | {"widths": (16, 32), "schemes": ("sp",)})
    run_study(study, tmp_path, workers=2)
    found = estimate_cost(study, tmp_path, workers=2)
    assert (len(found.runs), found.finished) == (0, 14)


def test_a_command_costs_what_its_runs_did(tmp_path: Path) -> None:
    trainer = {"command": "echo {width} {lr} {seed}", "loss_from": r"stdout:^(\d)"}
    settings = {"trainer": trainer, "widths": (64, 128), "target": 256}
    unknown = estimate_cost(load(None, settings), tmp_path, workers=1)
    assert unknown.seconds is None
    run_study(load(None, settings | {"seeds": 1}), tmp_path, workers=2)
    known = estimate_cost(load(None, settings), tmp_path, workers=1)
    assert known.seconds is not None
    assert known.finished == 14
    assert len(known.runs) == 28


def test_json_lists_every_run(small: Study, found: Estimate) -> None:
    told = estimate_document(small, found)
    assert len(told["runs"]) == told["total"]["runs"] == 35
    assert set(told["runs"][0]) == {
        "scheme", "size", "lr", "seed", "parameters", "tokens", "flops", "seconds", "memory",
    }  # fmt: skip
    assert told["total"]["flops"] == pytest.approx(sum(run["flops"] for run in told["runs"]))


def test_the_command_trains_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lrtransfer", "tune", "--dry-run", "--json"]
    command += ["--command", "false {width} {lr} {seed}", "--loss-from", "stdout:x"]
    command += ["--widths", "64,128", "--target", "512"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["total"]["runs"] == 42
    assert not list(tmp_path.iterdir())
