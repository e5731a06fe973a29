"""`lrtransfer check` as a user meets it."""

import json
import signal
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


OWN = """
import signal
import sys
import torch
from torch import nn

def build(n):
    return nn.Sequential(nn.Linear(8, n), nn.ReLU(), nn.Linear(n, n), nn.ReLU(), nn.Linear(n, 6))

def exits(n):
    sys.exit(0)

def signalled(n):
    signal.raise_signal(signal.SIGTERM)

class Exits(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.inner = build(n)

    def forward(self, x):
        exit(3)

kept = {n: build(n) for n in (32, 64, 96, 128)}

def again(n):
    return kept[n] if n in kept else build(n)

calls = []

def other(n):
    calls.append(n)
    depth = 1 + len(calls) % 2
    hidden = [nn.Linear(n, n) for _ in range(depth)]
    return nn.Sequential(nn.Linear(8, n), *hidden, nn.Linear(n, 6))

def frozen(n):
    return build(n).requires_grad_(False)

def sparse(n):
    table = nn.Embedding(6, n, sparse=True)
    return nn.Sequential(table, nn.ReLU(), nn.Linear(n, n), nn.ReLU(), nn.Linear(n, 6))

def noisy(n):
    print("a line of the model's")
    return build(n)

class Overflows(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.inner, self.factor = build(n), 1 if n < 128 else float("inf")

    def forward(self, x):
        return self.inner(x) * self.factor

def batch():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(16, 8, generator=generator), torch.arange(16) % 6

def tokens():
    return torch.arange(16) % 6, torch.arange(16) % 6

def empty():
    return torch.zeros(0, 8), torch.zeros(0, dtype=torch.long)

def ignored():
    return torch.randn(16, 8), torch.full((16,), -100)

def nans():
    return torch.full((16, 8), float("nan")), torch.arange(16) % 6

def generator():
    yield batch()

def nothing():
    yield from ()

def study(split, *, seed, batch):
    assert (split, seed) == ("held_out", 0)
    while True:
        inputs = torch.randn(batch, 8, generator=torch.Generator().manual_seed(seed))
        yield inputs, torch.arange(batch) % 6

def broken_of(width):
    raise KeyError("a file")

def exits_batch():
    raise SystemExit("no data")

class Set(torch.utils.data.Dataset):
    def __len__(self):
        return 32

    def __getitem__(self, i):
        return torch.randn(8, generator=torch.Generator().manual_seed(i)), i % 6

loader = torch.utils.data.DataLoader(Set(), batch_size=16)

def detached(output, targets):
    return nn.functional.cross_entropy(output, targets).detach()

def whole(output, targets):
    return (output.argmax(-1) != targets).sum()

def each(output, targets):
    return nn.functional.cross_entropy(output, targets, reduction="none")

def number(output, targets):
    return float(output.detach().mean())

def infinite(output, targets):
    return output.mean() / 0

def elsewhere(output, targets):
    return output.mean().to("meta")

def in_place(output, targets):
    value = output.exp()
    mean = value.mean()
    value.mul_(2)
    return mean

def exits_loss(output, targets):
    sys.exit()
"""


@pytest.fixture(name="own")
def _own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_check.py").write_text(OWN)
    monkeypatch.delitem(sys.modules, "own_check", raising=False)


def check_own(build: str = "build", batch: str = "batch", *options: str) -> int:
    names = [f"own_check:{build}", "--batch", f"own_check:{batch}"]
    return main(["check", *names, *SMALL, "--seeds", "1", *options])


def _loss(name: str) -> tuple[str, str, str, str]:
    return "build", "batch", "--loss", f"own_check:{name}"


UNUSABLE: dict[tuple[str, ...], str] = {
    ("exits",): "own_check.py, line 11: got exit(0) from your own code, wanted functions",
    ("Exits",): "got exit(3) from your own code",
    ("build", "exits_batch"): "got exit('no data') from your own code",
    _loss("exits_loss"): "got exit(None) from your own code",
    ("again",): "build: got the same model from two calls, wanted a new one at every call",
    ("other",): "got",
    ("frozen",): "loss: got a tensor without a gradient, wanted one computed from",
    ("sparse", "tokens"): "from the optimizer's step on it",
    ("build", "empty"): "batch: got tensors of shape (0, 8), (0,), wanted at least one example",
    ("build", "ignored"): "batch: got 16 targets that are all -100",
    ("build", "nans"): "loss: got one that is not finite before the first step at width 32",
    ("build", "nothing"): "batch: got 'own_check:nothing', which gives no batch",
    ("build", "broken_of"): "batch: got 'own_check:broken_of', which raised KeyError: 'a file'",
    _loss("detached"): "loss: got a tensor without a gradient",
    _loss("whole"): "loss: got a tensor of torch.int64 on cpu, wanted a real number",
    _loss("each"): "loss: got Tensor of shape (16,), wanted a tensor of one entry",
    _loss("number"): "loss: got float, wanted a tensor of one entry",
    _loss("infinite"): "loss: got one that is not finite before the first step",
    _loss("elsewhere"): "loss: got a tensor of torch.float32 on meta",
    _loss("in_place"): "from the backward pass on it",
}


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("arguments", UNUSABLE, ids=" ".join)
def test_what_cannot_be_checked_is_one_error(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_own(*arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("lrtransfer: ")
    assert output.err.count("\n") == 1
    assert UNUSABLE[arguments] in output.err


@pytest.mark.usefixtures("own")
def test_a_loss_that_overflows_at_large_widths_alone_is_a_failure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert check_own("Overflows") == 1
    assert "the loss is not finite after 0 steps at width 128" in capsys.readouterr().out


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("batch", ["generator", "study", "loader"])
@pytest.mark.parametrize("command", ["check", "recipe"])
def test_the_first_of_several_batches_is_taken(
    command: str, batch: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if command == "check":
        assert check_own("noisy", batch, "--json") in {0, 1, 3}
        assert json.loads(capsys.readouterr().out)["modules"]
        return
    names = ["own_check:noisy", "--batch", f"own_check:{batch}"]
    assert main(["recipe", *names, "--width", "64", "--base-width", "32", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["parameters"]) == 6


@pytest.mark.usefixtures("own")
def test_recipe_says_that_a_build_exits(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--width", "64", "--base-width", "32"]
    assert main(["recipe", "own_check:exits", *sizes]) == 2
    assert "got exit(0) from your own code" in capsys.readouterr().err


@pytest.mark.usefixtures("own")
def test_a_signal_is_not_taken_for_the_models_own_exit() -> None:
    with pytest.raises(SystemExit) as caught:
        check_own("signalled")
    assert caught.value.code == 128 + signal.SIGTERM
