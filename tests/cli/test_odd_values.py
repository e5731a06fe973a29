"""Values at and beyond the ends of what makes sense: one error, at once, and nothing is written."""

from pathlib import Path

import pytest

from lrtransfer.cli.main import main
from lrtransfer.theory.largest import LARGEST
from lrtransfer.theory.schemes import scheme_of

THEORY = ["--synthetic", "20,3,0.1,0"]
PROGRAM = [
    *("--widths", "64,128", "--target", "256", "--seeds", "1"),
    *("--loss-from", "stdout:loss (.*)"),
]
ODD = [
    (["tune", "--lr-high", "1e308"], "grid.high: got 1e+308, wanted a learning rate from 1e-20"),
    (["tune", "--lr-high", "1e21"], "grid.high: got 1e+21, wanted a learning rate"),
    (["tune", "--lr-low", "1e-320"], "grid.low: got 9.99989e-321, wanted a learning rate from"),
    (["tune", "--lr-low", "-1"], "grid.low: got -1.0"),
    (["tune", "--schemes", ""], "schemes.0: got '', wanted a name"),
    (["tune", "--schemes", "mup,,sp"], "schemes.1: got '', wanted a name"),
    (["tune", "--schemes", "mup,sp,"], "schemes.2: got '', wanted a name"),
    (["tune", "--scheme", " "], "schemes.0: got ' ', wanted a name"),
    (["tune", *PROGRAM, "--command", "echo {width} {lr}", "--scheme", ""], "schemes.0: got ''"),
    (
        ["tune", *PROGRAM, "--command", "echo {width} {lr}", "--scheme", "a\x1b[2J"],
        "schemes.0: got 'a",
    ),
    (["tune", "--out", ""], "out: got '', wanted a path"),
    (["status", ""], "study: got '', wanted a path"),
    (["report", " "], "study: got ' ', wanted a path"),
    (["init", ""], "directory: got '', wanted a path"),
    (["tune", "--design", "adaptive", "--stopping-rule", ""], "stopping_rule: got ''"),
    (
        ["tune", *PROGRAM, "--command", "no-such-program {width} {lr}"],
        "(no-such-program: No such file or directory)",
    ),
    (["tune", *PROGRAM, "--command", "./plain {width} {lr}"], "(./plain: Permission denied)"),
    (["tune", "deep.toml"], "model.depth: got 100,000,000, wanted at most 10,000 blocks"),
    (["tune", "nested.toml"], "nested.toml: got lists or tables nested beyond reading"),
    (
        ["theory", "exponents", *THEORY, "--depth", "2", "--steps", "1", "--abc", "nested.toml"],
        "abc: got",
    ),
    *(
        (["theory", question, *THEORY, *more], message)
        for question in ("optimum", "polynomial", "exponents", "fluctuation")
        for more, message in (
            (["--depth", "100000000", "--steps", "1"], "depth: got 100,000,000, wanted at most"),
            (["--depth", "2", "--steps", "100000000"], "steps: got 100,000,000, wanted at most"),
        )
    ),
    *(
        (["theory", "curve", *THEORY, "--lrs", "0.1", *more], message)
        for more, message in (
            (["--depth", "100000000", "--steps", "1"], "depth: got 100,000,000, wanted at most"),
            (["--depth", "2", "--steps", "100000000"], "steps: got 100,000,000, wanted at most"),
            (
                ["--depth", "2", "--steps", "100000000", "--batch-size", "2"],
                "steps: got 100,000,000, wanted at most",
            ),
            (
                ["--depth", "2", "--steps", "1", "--width", "100000000"],
                "width: got 100,000,000, wanted at most",
            ),
            (
                ["--depth", "2", "--steps", "1", "--width", "8", "--seeds", "100000000"],
                "seeds: got 100,000,000, wanted at most",
            ),
        )
    ),
]


@pytest.mark.parametrize(("arguments", "message"), ODD, ids=lambda v: " ".join(v)[-40:])
def test_an_odd_value_is_one_error_and_nothing_is_written(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plain").write_text("not a program")
    Path("deep.toml").write_text("model = { depth = 100_000_000 }")
    Path("nested.toml").write_text("x = " + "[" * 10_000)
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("lrtransfer: ")
    assert output.err.count("\n") == 1
    assert output.err.isprintable() or output.err.rstrip("\n").isprintable()
    assert message in output.err
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == ["deep.toml", "nested.toml", "plain"]


@pytest.mark.parametrize("value", ["'0.5'", "nan", "inf", "1e300", "true", "[1]", "1979-05-27"])
@pytest.mark.parametrize("command", ["recipe", "theory"])
def test_an_exponent_that_is_no_sensible_number_is_one_error(
    command: str,
    value: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("rows.toml").write_text(f"[hidden]\nb = {value}\n")
    Path("odd_model.py").write_text(
        "from torch import nn\n"
        "def build(n): return nn.Sequential(nn.Linear(4, n), nn.Linear(n, n))\n"
    )
    arguments = {
        "recipe": [
            *("recipe", "odd_model:build", "--width", "64", "--base-width", "8"),
            *("--scheme", "rows.toml"),
        ],
        "theory": ["theory", "exponents", *THEORY, "--depth=2", "--steps=1", "--abc=rows.toml"],
    }
    assert main(arguments[command]) == 2
    error = capsys.readouterr().err
    assert error.startswith("lrtransfer: scheme: got hidden")
    assert "wanted" in error


def test_what_is_just_within_the_bounds_is_taken_on() -> None:
    rows = {"hidden": {"b": 0.5, "c": 1}}
    assert scheme_of(rows).hidden.c == 1
    assert all(size >= 10_000 for size in LARGEST.values())
