"""`lrtransfer check` as a user meets it."""

import json
import sys
from pathlib import Path

import pytest

from lrtransfer.cli.main import main

MODULE = """
import torch
from torch import nn

def build(n):
    return nn.Sequential(nn.Linear(8, n), nn.ReLU(), nn.Linear(n, n), nn.ReLU(), nn.Linear(n, 6))

def batch():
    return torch.randn(16, 8), torch.randint(0, 6, (16,))

def batch_of(width):
    return torch.randn(16, 8), torch.full((16,), 1 if width else 0)

fixed = (torch.ones(4, 8), torch.zeros(4, dtype=torch.long))

def loss(output, targets):
    return output.square().mean()

def loud(n):
    print("loud")
    return build(n)

def number(n):
    return n

def broken(output, targets):
    raise RuntimeError("no\\nloss")

def entries(output, targets):
    return output.square()

def unknown_classes():
    return torch.randn(16, 8), torch.full((16,), 6)
"""
SMALL = ["--widths", "32,64,128", "--steps", "2"]


@pytest.fixture(autouse=True)
def _module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "checked_model.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "checked_model", raising=False)


def check(*options: str, batch: str = "batch") -> int:
    batch = f"checked_model:{batch}"
    return main(["check", "checked_model:build", "--batch", batch, *SMALL, *options])


def test_a_pass_is_a_document_of_the_promised_form(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["verdict"] == "pass"
    assert answer["control"]["verdict"] == "fail"
    assert answer["suspects"] == []
    assert answer["widths"] == [32, 64, 128]
    keys = {"name", "quantity", "step", "slope", "low", "high", "expected", "ok"}
    assert all(set(module) == keys for module in answer["modules"])
    effects = {m["name"] for m in answer["modules"] if m["quantity"] == "effect"}
    assert effects == {f"{layer}.{kind}" for layer in (0, 2, 4) for kind in ("weight", "bias")}


def test_a_failure_exits_with_1_and_names_suspects(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("--scheme", "sp") == 1
    output = " ".join(capsys.readouterr().out.split())
    assert "fail: " in output
    assert "suspect 1: optimizer: nothing is scaled with width" in output


def test_an_open_answer_exits_with_3(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lrtransfer.checks.findings.PASS_LEVEL", 1 - 1e-12)
    assert check("--seeds", "1") == 3
    assert "inconclusive: " in capsys.readouterr().out


@pytest.mark.parametrize("batch", ["batch_of", "fixed"])
def test_other_batches_and_a_loss(batch: str, capsys: pytest.CaptureFixture[str]) -> None:
    loss = ("--loss", "checked_model:loss", "--seeds", "1")
    assert check(*loss, "--json", batch=batch) in {0, 1, 3}
    assert json.loads(capsys.readouterr().out)["modules"]


def test_what_the_model_prints_stays_out_of_the_document(
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ["--batch", "checked_model:batch", *SMALL, "--seeds", "1", "--json"]
    main(["check", "checked_model:loud", *options])
    output = capsys.readouterr()
    assert json.loads(output.out)["modules"]
    assert "loud" in output.err


@pytest.mark.parametrize(
    ("options", "batch", "message"),
    [
        (["--loss", "checked_model:broken"], "batch", "RuntimeError from the loss on it: no loss."),
        (["--loss", "checked_model:entries"], "batch", "loss: got Tensor of shape (16, 6), wanted"),
        ([], "unknown_classes", "IndexError from the loss on it: Target 6 is out of bounds"),
    ],
)
def test_errors_of_the_users_own_code_are_one_line(
    options: list[str], batch: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(*options, batch=batch) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


BAD_INPUT = [
    (["checked_model"], "build: got 'checked_model', wanted the form pkg.module:name"),
    (["checked_model:buidl"], "checked_model has no 'buidl'"),
    (["missing_model:build"], "there is no module 'missing_model' in"),
    (["checked_model:fixed"], "build: got 'checked_model:fixed', a tuple, wanted a function"),
    (["checked_model:build", "--widths", "32,64"], "widths: got [32, 64], wanted at least 3"),
    (["checked_model:build", "--widths", "32,x"], "widths: got 'x', wanted a whole number"),
    (["checked_model:build", "--lr", "much"], "lr: got 'much', wanted a number"),
    (["checked_model:build", "--lr", "nan"], "lr: got 'nan', wanted a positive number"),
    (["checked_model:build", "--lr=-1"], "lr: got '-1', wanted a positive number"),
    (["checked_model:number"], "got TypeError from build(64): a int is no nn.Module"),
    (["checked_model:build", "--optimizer", "nothing"], "optimizer: got 'nothing', wanted one of"),
    (["checked_model:build", "--scheme", "nothing"], "scheme: got 'nothing', wanted one of"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_INPUT, ids=lambda v: " ".join(v)[:40])
def test_bad_input_is_one_error(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", *arguments, "--batch", "checked_model:batch"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("lrtransfer: ")
    assert output.err.count("\n") == 1
    assert message in output.err
