"""`lrtransfer theory` as a user meets it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lrtransfer.cli.main import main
from lrtransfer.cli.theory.rates import read_rates

# K y = (10, 20), N/L = 1: after one step the limit loss is ‖η (10, 20) − (2, 4)‖² / 4, 0 at 0.2.
INPUTS, TARGETS = [[1.0], [2.0]], [2.0, 4.0]
BASIC = ["--depth", "2", "--steps", "1"]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("ok.npz", X=INPUTS, y=TARGETS)


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(["theory", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_limit_after_one_step_is_the_closed_form(capsys: pytest.CaptureFixture[str]) -> None:
    answer = document(capsys, "curve", "--data", "ok.npz", *BASIC, "--lrs=-0.1,0,0.2")
    assert answer["lrs"] == [-0.1, 0, 0.2]
    assert answer["loss"][0] == pytest.approx([5, 11.25], abs=1e-12)  # (9 + 36) / 4
    assert answer["loss"][1] == pytest.approx([5, 5], abs=1e-12)
    assert answer["loss"][2] == pytest.approx([5, 0], abs=1e-12)
    assert answer["sd"] is None


def test_a_finite_width_has_a_spread(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--data", "ok.npz", *BASIC, "--lrs", "0:0.4:3", "--width", "32", "--seeds", "3"]
    answer = document(capsys, "curve", *options)
    assert answer["lrs"] == pytest.approx([0, 0.2, 0.4])
    assert np.shape(answer["loss"]) == np.shape(answer["sd"]) == (3, 2)
    assert np.min(answer["sd"]) > 0


def test_overflow_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--data", "ok.npz", "--depth", "3", "--steps", "4", "--lrs", "0.1,1e100"]
    fine, wild = document(capsys, "curve", *options)["loss"]
    assert None not in fine
    assert wild[0] == pytest.approx(5)
    assert wild[2:] == [None] * 3


def test_people_get_a_table_and_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["theory", "curve", "--data", "ok.npz", *BASIC, "--lrs", "0.1,0.2,1e200"]) == 0
    output = capsys.readouterr().out
    assert "Loss at infinite width" in output
    assert "Of these learning rates 0.2 has the lowest loss after 1 steps" in output
    assert "overflow" in output


def test_overflow_everywhere_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["theory", "curve", "--data", "ok.npz", *BASIC, "--lrs", "1e200"]) == 0
    assert "overflows at every one of these" in capsys.readouterr().out


def test_rows_of_exponents_are_the_scheme_of_the_same_rows(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("sp.toml").write_text("hidden = { b = 0.5 }\noutput = { b = 0.5 }\n")
    options = ["curve", "--data", "ok.npz", *BASIC, "--lrs", "0.01,0.02", "--width", "16"]
    rows = document(capsys, *options, "--abc", "sp.toml")
    assert rows == document(capsys, *options, "--scheme", "sp")
    assert rows != document(capsys, *options, "--scheme", "mup")


@pytest.mark.parametrize(
    "extension",
    [
        ["--train", "all"],
        ["--train", "hidden,output"],
        ["--momentum", "0.5"],
        ["--weight-decay", "0.1"],
        ["--batch-size", "1"],
        ["--batch-size", "1", "--batch-seed", "1"],
    ],
    ids=" ".join,
)
def test_extensions_change_the_losses(
    extension: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["curve", "--synthetic", "6,2,0.1,0", "--depth", "2", "--steps", "3", "--lrs", "0.3"]
    plain, other = document(capsys, *options), document(capsys, *options, *extension)
    assert other["loss"][0][0] == plain["loss"][0][0]
    assert other["loss"][0][3] != plain["loss"][0][3]


def test_all_layers_are_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["curve", "--data", "ok.npz", *BASIC, "--lrs", "0.1"]
    named = document(capsys, *options, "--train", "input, hidden, output")
    assert named == document(capsys, *options, "--train", "all")


@pytest.mark.parametrize(
    ("text", "rates"),
    [("0.1,2^-3", [0.1, 0.125]), ("0:1:5", [0, 0.25, 0.5, 0.75, 1]), ("-1:2^0:3", [-1, 0, 1])],
)
def test_rates_are_read_as_written(text: str, rates: list[float]) -> None:
    assert read_rates(text).tolist() == pytest.approx(rates, abs=0)


def bad_file(name: str) -> list[str]:
    return ["--data", name, *BASIC]


FINE = bad_file("ok.npz")
CURVE = ["curve", *FINE, "--lrs", "0.1"]
OPTIMUM = ["optimum", *FINE]
BAD_INPUT = [
    (
        ["curve", *bad_file("lengths.npz"), "--lrs", "1"],
        "got X of shape (3, 2) and y of shape (2,)",
    ),
    (["curve", *bad_file("nan.npz"), "--lrs", "1"], "got NaN or infinity in y"),
    (["curve", *bad_file("empty.npz"), "--lrs", "1"], "got X of shape (0, 2) and y of shape (0,)"),
    (["curve", *bad_file("pickled.npz"), "--lrs", "1"], "pickled objects are not read"),
    (["curve", *bad_file("other.npz"), "--lrs", "1"], "(X, y missing)"),
    (["curve", *bad_file("text.npz"), "--lrs", "1"], "wanted an .npz file of plain numbers"),
    (["curve", *bad_file("none.npz"), "--lrs", "1"], "No such file"),
    (["curve", *bad_file("cut.npz"), "--lrs", "1"], "wanted an .npz file of plain numbers"),
    (["curve", *BASIC, "--lrs", "1"], "got neither of --data and --synthetic, wanted one"),
    ([*CURVE, "--synthetic", "9,2,0,0"], "got both of --data and --synthetic, wanted one"),
    (
        ["curve", "--synthetic", "9,2,0", *BASIC, "--lrs", "1"],
        "wanted N,d,noise,seed: four numbers",
    ),
    (
        ["curve", "--synthetic", "9,x,0,0", *BASIC, "--lrs", "1"],
        "synthetic: got 'x', wanted a whole",
    ),
    (["curve", "--synthetic", "0,2,0,0", *BASIC, "--lrs", "1"], "synthetic: got N=0, d=2"),
    (["curve", "--synthetic", "9,2,nan,0", *BASIC, "--lrs", "1"], "noise=nan"),
    ([*CURVE, "--depth", "0"], "depth: got 0, wanted at least 1"),
    ([*CURVE, "--depth", "deep"], "depth: got 'deep', wanted a whole number"),
    ([*CURVE, "--steps", "-1"], "steps: got -1, wanted at least 0"),
    ([*CURVE, "--scheme", "nothing"], "scheme: got 'nothing', wanted one of mup, sp, ntp"),
    ([*CURVE, "--scheme", "sp"], "limit: got another scheme, wanted mup"),
    (
        [*CURVE, "--scheme", "sp", "--abc", "rows.toml"],
        "scheme: got --scheme and --abc, wanted one",
    ),
    ([*CURVE, "--abc", "none.toml"], "abc: got none.toml ([Errno 2] No such file"),
    ([*CURVE, "--abc", "text.npz"], "abc: got text.npz ("),
    ([*CURVE, "--abc", "rows.toml"], "scheme: got head = {'a': 1}, wanted exponents a, b, c"),
    ([*CURVE, "--train", "head"], "trained: got head, wanted some of input, hidden, output"),
    ([*CURVE, "--train", ""], "trained: got"),
    ([*CURVE, "--momentum", "1"], "momentum: got 1.0, wanted 0 <= momentum < 1"),
    ([*CURVE, "--weight-decay", "nan"], "weight_decay: got nan, wanted a finite number"),
    ([*CURVE, "--batch-size", "3"], "batch_size: got 3, wanted 1 to 2"),
    ([*CURVE, "--batch-size", "0"], "batch_size: got 0, wanted 1 to 2"),
    ([*CURVE, "--batch-size", "1", "--batch-seed", "-1"], "batch_seed: got -1, wanted at least 0"),
    ([*CURVE, "--width", "0"], "width: got '0', wanted inf or a width from 1"),
    ([*CURVE, "--width", "abc"], "width: got 'abc', wanted inf or a width from 1"),
    ([*CURVE, "--seeds", "0"], "seeds: got 0, wanted at least 1"),
    (["curve", *FINE, "--lrs", ""], "lrs: got '', wanted a number"),
    (["curve", *FINE, "--lrs", "0.1,nan"], "lrs: got '0.1,nan', wanted finite numbers"),
    (["curve", *FINE, "--lrs", "1e400"], "lrs: got '1e400', wanted finite numbers"),
    (["curve", *FINE, "--lrs", "0:1"], "lrs: got '0:1', wanted LOW:HIGH:COUNT"),
    (["curve", *FINE, "--lrs", "1:0:5"], "lrs: got '1:0:5', wanted LOW:HIGH:COUNT with LOW < HIGH"),
    (["curve", *FINE, "--lrs", "0:1:1"], "lrs: got 1, wanted at least 2"),
    (["curve", *FINE, "--lrs", "0:1:1000000"], "at most 100,000 rates"),
    ([*OPTIMUM, "--steps", "0"], "steps: got 0, wanted at least 1"),
    ([*OPTIMUM, "--interval", "2,1"], "interval: got '2,1', wanted a,b with 0 <= a < b"),
    ([*OPTIMUM, "--interval", "1,1"], "interval: got '1,1', wanted a,b with 0 <= a < b"),
    ([*OPTIMUM, "--interval=-1,1"], "interval: got '-1,1', wanted a,b with 0 <= a < b"),
    ([*OPTIMUM, "--interval", "0,inf"], "interval: got '0,inf', wanted a,b with 0 <= a < b"),
    ([*OPTIMUM, "--interval", "1"], "interval: got '1', wanted a,b"),
    ([*OPTIMUM, "--budget", "0"], "budget: got '0', wanted a positive number"),
    ([*OPTIMUM, "--budget", "nan"], "budget: got 'nan', wanted a positive number"),
    (
        ["optimum", *bad_file("pull.npz")],
        "K y = 0), wanted K y != 0: the first step moves no output",
    ),
    (["polynomial", *FINE, "--seed", "-1"], "seed: got -1, wanted at least 0"),
    (["fluctuation", *FINE, "--widths", "8,16"], "wanted at least three different widths"),
    (["fluctuation", *FINE, "--seeds", "1"], "seeds: got 1, wanted at least 2"),
    (["fluctuation", *FINE, "--scheme", "sp"], "limit: got another scheme, wanted mup"),
    (["fluctuation", *FINE, "--band", "0"], "band: got 0, wanted at least 1"),
    (["exponents", *FINE, "--draws", "0"], "draws: got 0, wanted at least 1"),
    (["exponents", *FINE, "--abc", "small.toml", "--steps", "2"], "outputs start at n^-1"),
    (
        ["polynomial", "--data", "ok.npz", "--depth", "3", "--steps", "4", "--width", "8"],
        "steps: got 4, at which the loss has degree 936",
    ),
    (["polynomial", "--data", "ok.npz", "--depth", "3", "--steps", "99"], "has degree 10^"),
    (["optimum", *bad_file("pull.npz"), "--width", "64"], "so that there is no optimum"),
]


def write_bad_files() -> None:
    np.savez("lengths.npz", X=np.ones((3, 2)), y=np.ones(2))
    np.savez("nan.npz", X=np.ones((2, 2)), y=[1.0, np.nan])
    np.savez("empty.npz", X=np.ones((0, 2)), y=np.ones(0))
    np.savez("pickled.npz", X=np.array([{}, {}], dtype=object), y=np.ones(2))
    np.savez("other.npz", Z=np.ones(2))
    np.savez("pull.npz", X=[[1.0], [1.0]], y=[1.0, -1.0])
    Path("text.npz").write_text("no archive")
    Path("cut.npz").write_bytes(Path("nan.npz").read_bytes()[:-40])
    Path("rows.toml").write_text("head = { a = 1 }")
    Path("small.toml").write_text("hidden = { b = 0.5 }\noutput = { b = 1.5 }")


@pytest.mark.parametrize(("arguments", "message"), BAD_INPUT, ids=str)
def test_bad_input_is_one_error(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_bad_files()
    assert main(["theory", *arguments]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("lrtransfer: ")
    assert output.err.count("\n") == 1
    assert message in output.err


def test_the_limit_optimum_is_certified(capsys: pytest.CaptureFixture[str]) -> None:
    answer = document(capsys, *OPTIMUM)
    (minimiser,) = answer["minimisers"]
    assert minimiser["low"] <= 0.2 <= minimiser["high"]
    assert minimiser["high"] - minimiser["low"] < 1e-15
    assert answer["unique"] is answer["certified"] is answer["complete"] is True
    assert answer["interval"] == [0, 0.4]  # 5 (1 − 5η)² exceeds 5 beyond
    assert main(["theory", *OPTIMUM]) == 0
    output = capsys.readouterr().out
    assert "is unique: the assumption of Theorem 3 holds" in output
    assert "Certified on 0 … 0.4 (all critical points of the exact polynomial" in output


def test_several_minimisers_are_all_shown(capsys: pytest.CaptureFixture[str]) -> None:
    answer = document(capsys, *OPTIMUM, "--steps", "2")
    assert answer["unique"] is False
    assert len(answer["minimisers"]) > 1
    assert main(["theory", *OPTIMUM, "--steps", "2"]) == 0
    assert "not unique: the assumption of Theorem 3 fails" in capsys.readouterr().out


def test_an_interval_may_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    answer = document(capsys, *OPTIMUM, "--interval", "2^-2,1")
    assert answer["minimisers"] == [{"low": 0.25, "high": 0.25, "loss": pytest.approx(5 / 16)}]
    assert answer["certified"] is True
    assert answer["complete"] is False
    assert main(["theory", *OPTIMUM, "--interval", "0,1"]) == 0
    assert "beyond that interval are not excluded" in capsys.readouterr().out


def test_what_is_not_proved_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    options = [*OPTIMUM, "--depth", "3", "--steps", "5"]
    answer = document(capsys, *options, "--budget", "2")
    assert answer["certified"] is answer["complete"] is False
    assert answer["unique"] is None
    assert main(["theory", *options]) == 0
    output = capsys.readouterr().out
    assert "Not certified, computed in float64" in output
    assert "stays open" in output


def test_finite_optima_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    options = [*OPTIMUM, "--width", "64", "--seeds", "3"]
    answer = document(capsys, *options)
    assert answer["width"] == 64
    assert answer["limit"] == pytest.approx(0.2)
    assert answer["mean"] == pytest.approx(np.mean(answer["lrs"]))
    assert answer["sd"] == pytest.approx(np.std(answer["lrs"], ddof=1))
    assert answer["bias"] == pytest.approx(answer["mean"] - answer["limit"])
    assert len(answer["losses"]) == 3
    assert main(["theory", *options]) == 0
    assert "The limit is 0.2; the mean differs by" in capsys.readouterr().out
    assert main(["theory", *options, "--scheme", "sp"]) == 0
    assert "no one limit to compare with" in capsys.readouterr().out


def test_the_polynomial_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    answer = document(capsys, "polynomial", *FINE)
    assert answer["loss"] == [5, -50, 125]  # 5 (1 − 5η)²
    assert answer["output"] == [[[0], [0]], [[10], [20]]]
    assert (answer["degree_output"], answer["degree_loss"]) == (1, 2)
    assert answer["radius"] == pytest.approx(0.2)
    assert answer["condition"] == pytest.approx(4)
    options = ["--width", "8", "--seed", "3"]
    assert document(capsys, "polynomial", *FINE, *options)["degree_loss"] == 4
    assert main(["theory", "polynomial", *FINE]) == 0
    assert "The output has degree 1, the loss 2;" in capsys.readouterr().out


def test_the_fluctuation_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["fluctuation", *FINE, "--widths", "16,32,64,128", "--seeds", "16"]
    answer = document(capsys, *options, "--band", "1024")
    assert answer["limit"] == pytest.approx(0.2)
    assert [row["width"] for row in answer["widths"]] == [16, 32, 64, 128]
    assert answer["spread_exponent"]["low"] < -0.5 < answer["spread_exponent"]["high"]
    assert answer["variance"] > 0
    assert answer["band"]["width"] == 1024
    assert answer["band"]["low"] < 0.2 < answer["band"]["high"]
    assert main(["theory", *options]) == 0
    output = capsys.readouterr().out
    assert "The spread between draws goes as n^-0." in output
    assert "At width 128 about 95 % of draws lie in" in output


def test_the_exponent_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    answer = document(capsys, "exponents", *FINE, "--scheme", "sp")
    assert (answer["exponent"], answer["limit"], answer["start"]) == (-1, "random", "random")
    assert answer["quantiles"]["0.5"] == pytest.approx(0.2)  # d = 1: the same for every draw
    assert main(["theory", "exponents", *FINE, "--scheme", "sp"]) == 0
    output = capsys.readouterr().out
    assert "after 1 steps scales as n^-1" in output
    assert "has a random limit" in output
    assert main(["theory", "exponents", *FINE]) == 0
    output = capsys.readouterr().out
    assert "does not depend on n" in output
    assert "It tends to 0.2." in output
    assert "Features are learned; outputs before training vanish; what moves: hidden." in output


def test_bad_input_ends_the_process_with_2() -> None:
    arguments = [sys.executable, "-m", "lrtransfer", "theory", *CURVE, "--width", "abc"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "width: got 'abc'" in done.stderr


def test_no_torch_is_loaded() -> None:
    code = (
        f"import sys; from lrtransfer.cli.main import main; main({['theory', *CURVE]!r}); "
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Loss at infinite width" in done.stdout


def test_an_interruption_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*args: object, **settings: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lrtransfer.theory.exact.curve.loss_curve", interrupt)
    assert main(["theory", *CURVE]) == 130
    output = capsys.readouterr()
    assert output.out == ""
    assert "interrupted. Nothing was changed." in output.err


def test_too_little_memory_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def exhaust(*args: object, **settings: object) -> None:
        raise MemoryError

    monkeypatch.setattr("lrtransfer.theory.exact.curve.loss_curve", exhaust)
    assert main(["theory", *CURVE]) == 2
    assert "needs more memory than there is" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "curve", "optimum", "polynomial", "fluctuation", "exponents"])
def test_help_shows_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["theory", *name.split(), "--help"])
    assert stop.value.code == 0
    output = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert f"Example: lrtransfer theory {name or 'curve'} --synthetic" in output
