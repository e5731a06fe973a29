"""`lrtransfer verdict` as a user meets it."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lrtransfer.cli.main import main


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write_runs(
    name: str, *, drift: float, scheme: str = "", widths: tuple[int, ...] = (64, 128, 256)
) -> str:
    """Write parabolas in log2 lr whose optimum moves by so many octaves per doubling."""
    rng = np.random.default_rng(0)
    header = "d_model,learning_rate,seed,val_loss" + (",scheme" if scheme else "")
    lines = [header]
    for i, width in enumerate(widths):
        for x in range(-11, -1):
            for seed in range(3):
                loss = 3 + (x + 6.3 - drift * i) ** 2 / 16 + 0.002 * rng.standard_normal()
                lines.append(f"{width},{2.0**x},{seed},{loss}" + (f",{scheme}" if scheme else ""))
    Path(name).write_text("\n".join(lines) + "\n")
    return name


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(["verdict", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_steady_optimum_transfers(capsys: pytest.CaptureFixture[str]) -> None:
    answer = document(capsys, write_runs("runs.csv", drift=0), "--target-width", "1024")
    scheme = answer["schemes"]["all"]
    assert scheme["verdict"] == "transfers"
    regrets = [(regret["size"], regret["measured"]) for regret in scheme["regrets"]]
    assert regrets == [(128, True), (256, True), (1024, False)]
    assert scheme["regret"] == scheme["regrets"][1]
    assert scheme["prediction"]["size"] == 1024
    assert "read width from column 'd_model'" in answer["warnings"]


def test_a_moving_optimum_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    name = write_runs("runs.csv", drift=-2)
    assert document(capsys, name)["schemes"]["all"]["verdict"] == "does not transfer"
    assert main(["verdict", name]) == 0
    output = capsys.readouterr().out
    assert "all: does not transfer" in output
    assert "regret at width 128:" in " ".join(output.split())
    assert "in units of the loss" in " ".join(output.split())
    assert "about a straight line no more than their intervals explain" in " ".join(output.split())
    assert "Note: read width from column 'd_model'." in output


def test_the_tolerance_may_be_absolute(capsys: pytest.CaptureFixture[str]) -> None:
    name = write_runs("runs.csv", drift=-0.5)  # costs 1/16 at 256: 2 % of 3
    for option, verdict in (("0.2", "transfers"), ("0.01", "does not transfer")):
        scheme = document(capsys, name, "--tolerance-regret-abs", option)["schemes"]["all"]
        assert scheme["verdict"] == verdict
        absolute = scheme["regret"]["tolerance"] * scheme["regret"]["best_loss"]
        assert absolute == pytest.approx(float(option))
    scheme = document(capsys, name, "--tolerance-regret", "0.1")["schemes"]["all"]
    assert scheme["verdict"] == "transfers"


def test_schemes_do_not_depend_on_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    alone = Path(write_runs("mup.csv", drift=0, scheme="mup")).read_text()
    other = Path(write_runs("sp.csv", drift=-1, scheme="sp")).read_text()
    Path("both.csv").write_text(alone + other.split("\n", 1)[1])
    both = document(capsys, "both.csv")["schemes"]
    assert list(both) == ["mup", "sp"]
    assert both["mup"] == document(capsys, "mup.csv")["schemes"]["mup"]
    (comparison,) = document(capsys, "both.csv")["comparisons"]
    assert (comparison["scheme"], comparison["reference"], comparison["size"]) == (
        "sp",
        "mup",
        256,
    )
    assert comparison["drift"]["high"] < 0 < comparison["regret"]["low"]
    assert main(["verdict", "both.csv"]) == 0
    output = capsys.readouterr().out
    assert "sp − mup: drift −" in " ".join(output.split())


@pytest.mark.parametrize(
    ("axis", "column", "name"),
    [
        ("depth", "n_layer", "depth"),
        ("batch", "batch_size", "batch size"),
        ("steps", "max_steps", "training length"),
    ],
)
def test_the_axis_may_be_another_one(
    axis: str,
    column: str,
    name: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "160")  # else a narrow terminal breaks the head of the table
    sizes = (64, 128, 256, 512)
    one = Path(write_runs("one.csv", drift=0, scheme="mup", widths=sizes)).read_text()
    other = Path(write_runs("other.csv", drift=-1, scheme="sp", widths=sizes)).read_text()
    both = one + other.split("\n", 1)[1]
    Path("width.csv").write_text(both)
    Path("runs.csv").write_text(both.replace("d_model", column))
    expected = document(capsys, "width.csv", "--target-width", "1024")["schemes"]
    for options in (("--target", "1024"), ("--target-width", "1024", "--base", "64")):
        answers = document(capsys, "runs.csv", "--along", axis, *options)["schemes"]
        assert {scheme["axis"] for scheme in answers.values()} == {axis}
        for scheme, answer in answers.items():
            measured = [regret for regret in answer["regrets"] if regret["measured"]]
            assert measured == expected[scheme]["regrets"][: len(measured)]
            assert len(measured) >= 3
            assert answer["optima"] == expected[scheme]["optima"]
    assert main(["verdict", "runs.csv", "--along", axis, "--target", "1024"]) == 0
    output = " ".join(capsys.readouterr().out.split())
    others = output.replace("another width", "")
    assert not re.search(r"width|wide|narrow", others, flags=re.IGNORECASE)
    assert f"┃ {name} ┃ learning rate" in output
    assert f"octaves per doubling of {name} (95 % CI " in output
    assert f"learning rate for {name} 1024: " in output
    assert f"regret at {name} 128: " in output
    assert f"regret expected at {name} 1024: " in output
    assert re.search(
        rf"the base's rate is expected to cost \S+ % of the best loss at {name} 4096", output
    )
    assert re.search(rf"{name}s predict costs \S+ % of the best loss at {name} 512", output)
    assert f"; best loss at {name} 512 " in output
    assert f"Note: read {axis} from column '{column}'." in output


def test_the_axis_is_width_by_default(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    name = write_runs("runs.csv", drift=0)
    assert document(capsys, name) == document(capsys, name, "--along", "width")
    assert document(capsys, name)["schemes"]["all"]["axis"] == "width"
    assert main(["verdict", name, "--target", "1024"]) == 0
    output = " ".join(capsys.readouterr().out.split())
    assert "┃ scheme ┃ width ┃ learning rate " in output
    assert "octaves per doubling of width (95 % CI " in output
    assert "learning rate for width 1024: " in output
    assert "regret expected at width 1024: " in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.csv"], "No such file"),
        (["runs.csv", "--columns", "width"], "columns: got 'width', wanted FIELD=NAME"),
        (["runs.csv", "--columns", "width=size"], "got width=size, wanted a column"),
        (["runs.csv", "--base-width", "99"], "got base=99"),
        (["runs.csv", "--target-width", "0"], "target: got 0, wanted at least 1"),
        (["runs.csv", "--along", "size"], "along: got 'size', wanted the axis that grows"),
        (["runs.csv", "--along", "depth"], "wanted also depth. Name them"),
        (["runs.csv", "--along", "steps", "--target", "0"], "target: got 0, wanted at least 1"),
        (["runs.csv", "--tolerance-regret", "0"], "got tolerance=0"),
        (["runs.csv", "--tolerance-regret-abs", "nan"], "got absolute_tolerance=nan"),
        (
            ["runs.csv", "--tolerance-regret", "0.1", "--tolerance-regret-abs", "1"],
            "wanted one of them",
        ),
        (["one.csv"], "wanted at least two widths"),
    ],
)
def test_bad_input_is_one_error(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_runs("runs.csv", drift=0)
    write_runs("one.csv", drift=0, widths=(64,))
    assert main(["verdict", *arguments]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert message in output.err


def test_no_torch_is_loaded() -> None:
    write_runs("runs.csv", drift=0)
    code = (
        "import sys; from lrtransfer.cli.main import main; main(['verdict', 'runs.csv']); "
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "transfers" in done.stdout


def test_a_score_without_a_ceiling_has_an_absolute_tolerance(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [(w, x) for w in (64, 128, 256) for x in range(-11, -2)]
    text = "".join(f"{w},{2.0**x},{300 - 2 * (x + 7) ** 2}\n" for w, x in rows)
    Path("runs.csv").write_text("width,lr,reward\n" + text)
    assert main(["verdict", "runs.csv", "--maximize"]) == 2
    assert "--tolerance-regret-abs" in capsys.readouterr().err
    answer = document(capsys, "runs.csv", "--maximize", "--tolerance-regret-abs", "1")
    assert answer["schemes"]["all"]["verdict"] == "transfers"
    assert answer["schemes"]["all"]["optima"][2]["log2_lr"] == pytest.approx(-7, abs=0.01)
    assert "the loss is minus the score" in answer["warnings"]


def write_settings(name: str) -> str:
    """Write runs of two schedules, one of which moves the optimum."""
    one = Path(write_runs(name, drift=0, scheme="cosine")).read_text()
    other = Path(write_runs(name, drift=-2, scheme="constant")).read_text().split("\n", 1)[1]
    Path(name).write_text((one + other).replace("scheme", "schedule"))
    return name


def test_settings_are_selected_or_judged_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    name = write_settings("runs.csv")
    assert main(["verdict", name]) == 2
    assert "looks like a setting: schedule (cosine, constant)" in capsys.readouterr().err
    cosine = document(capsys, name, "--where", "schedule=cosine, width=64,width=256")
    assert cosine["schemes"]["all"]["verdict"] == "transfers"
    assert [optimum["size"] for optimum in cosine["schemes"]["all"]["optima"]] == [64, 256]
    assert "120 of 180 rows are left out by `where`" in cosine["warnings"]
    both = document(capsys, name, "--group-by", "schedule")["schemes"]
    assert {scheme: answer["verdict"] for scheme, answer in both.items()} == {
        "schedule=cosine": "transfers",
        "schedule=constant": "does not transfer",
    }
    assert list(document(capsys, name, "--where", "schedule=*")["schemes"]) == ["all"]


def test_a_score_is_judged_by_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(w, x) for w in (64, 128, 256) for x in range(-11, -2)]
    text = "".join(f"{w},{2.0**x},{0.9 - 0.002 * (x + 7) ** 2}\n" for w, x in rows)
    Path("runs.csv").write_text("width,lr,accuracy\n" + text)
    assert main(["verdict", "runs.csv"]) == 2
    assert "--maximize" in capsys.readouterr().err
    answer = document(capsys, "runs.csv", "--maximize")
    regret = answer["schemes"]["all"]["regret"]
    assert answer["schemes"]["all"]["verdict"] == "transfers"
    assert regret["best_loss"] == pytest.approx(0.1)
    assert answer["schemes"]["all"]["optima"][0]["log2_lr"] == pytest.approx(-7, abs=0.01)
    assert any("1 minus the score" in note for note in answer["warnings"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--where", "width"], "where: got 'width', wanted FIELD=VALUE"),
        (["--where", ""], "where: got '', wanted FIELD=VALUE"),
        (["--where", "width=7"], "where: got d_model=7, wanted a value of this column"),
        (["--where", "colour=7"], "where: got colour, wanted one column"),
        (["--group-by", "colour"], "group_by: got colour, wanted one column"),
        (["--maximize"], "maximize: got|wanted also loss"),
        (["--maximize", "--columns", "loss=val_loss"], "maximize: got 'val_loss', wanted a score"),
    ],
)
def test_wrong_choices_are_one_error(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verdict", write_runs("runs.csv", drift=0), *arguments]) == 2
    assert re.search(message, capsys.readouterr().err)


def test_a_second_opinion_is_given_if_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(w, x) for w in (64, 128, 256) for x in range(-11, -2)]
    text = "".join(f"{w},{2.0**x},{3 + (x + 6.3) ** 2 / 16}\n" for w, x in rows)
    Path("runs.csv").write_text("width,lr,loss\n" + text)
    assert document(capsys, "runs.csv")["schemes"]["all"]["check"] is None
    check = document(capsys, "runs.csv", "--check")["schemes"]["all"]["check"]
    assert (check["held"], check["judged"]) == (3, 3)
    assert [one["size"] for one in check["sizes"]] == [256, 128, 64]
    assert main(["verdict", "runs.csv", "--check"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"second opinion: {check['text']}" in said
    assert "leaving out one width at a time, 3 of 3 predictions held" in said
    assert "width 128 from the others: predicted" in said
