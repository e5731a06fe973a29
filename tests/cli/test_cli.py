"""The command line as a user meets it."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lrtransfer.cli.main import main
from lrtransfer.errors import UserError
from lrtransfer.sweeps.store import read_store

OPTIONS = (
    "--widths 16,32,48 --base-width 16 --target 64 --seeds 1 --lr-low 2^-7 --lr-high 2^-1 --steps 3"
).split()
STUDY = """
name = "tiny"
model = { depth = 1, context = 16 }
training = { batch = 2 }
data = { held_out_tokens = 512 }
"""

Tuned = tuple[Path, "subprocess.CompletedProcess[str]"]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "study.toml"
    path.write_text(STUDY)
    return path


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "lrtransfer", *map(str, arguments)]


def call(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False)


def results(directory: Path) -> dict[str, Any]:
    with read_store(directory) as store:
        return {name: row.outcome for name, row in store.rows().items()}


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    """Folder of a study that was run, and how `tune --json` ended; tests leave both as they are."""
    folder = tmp_path_factory.mktemp("tuned")
    (folder / "study.toml").write_text(STUDY)
    done = call("tune", folder / "study.toml", *OPTIONS, "--json", "--out", folder / "out")
    assert done.returncode == 0, done.stderr
    return folder, done


def test_tune_json_is_one_document_of_the_promised_form(tuned: Tuned) -> None:
    folder, done = tuned
    answer = json.loads(done.stdout)
    assert answer["study"] == "tiny"
    assert set(answer["runs"]) == {"planned", "finished", "diverged", "reused"}
    assert answer["runs"]["planned"] == answer["runs"]["finished"] > 0
    assert set(answer["schemes"]) == {"mup", "sp"}
    assert answer["variants"] == {name: {"scheme": name, "values": {}} for name in ("mup", "sp")}
    assert "</html>" in (folder / "out" / answer["report"]).read_text()
    assert "runs, " in done.stderr  # progress
    for scheme in answer["schemes"].values():
        assert scheme["verdict"] in {"transfers", "does not transfer", "inconclusive"}
        assert "3 steps of 32 tokens" in scheme["covers"]
        assert [o["size"] for o in scheme["optima"]] == [16, 32, 48]
        assert all(set(o) == {"size", "log2_lr", "low", "high", "status"} for o in scheme["optima"])
        assert {o["status"] for o in scheme["optima"]} <= {"ok", "edge", "none"}
        for key, fields in {
            "regret": {"size", "measured", "estimate", "low", "high", "tolerance"},
            "drift": {"estimate", "low", "high"},
            "prediction": {"size", "lr", "low", "high"},
        }.items():
            assert scheme[key] is None or fields <= set(scheme[key])


def test_a_study_run_again_trains_nothing_and_answers_the_same(tuned: Tuned) -> None:
    folder, done = tuned
    answer, arguments = json.loads(done.stdout), ("tune", folder / "study.toml", *OPTIONS)
    page = folder / "out" / answer["report"]
    page.unlink()
    again = json.loads(call(*arguments, "--json", "--out", folder / "out").stdout)
    assert again["runs"].pop("reused") == answer["runs"]["finished"]
    answer["runs"].pop("reused")
    assert again == answer
    assert page.exists()
    text = call(*arguments, "--out", folder / "out").stdout
    for expected in ("drift", "mup: ", "sp: ", "learning rate for width 64", "Report: "):
        assert expected in text


def test_the_other_commands_read_the_same_study(tuned: Tuned) -> None:
    folder, done = tuned
    answer = json.loads(done.stdout)
    status = call("status", folder / "out")
    assert status.returncode == 0
    assert f"{answer['runs']['finished']} of {answer['runs']['planned']} runs" in status.stdout
    page = folder / "out" / answer["report"]
    page.unlink()
    report = json.loads(call("report", folder / "out", "--json").stdout)
    assert report["schemes"] == answer["schemes"]
    assert page.exists()


INTERRUPTED = (
    *(option.replace("16,32,48", "16,48") for option in OPTIONS),
    *("--steps", "120", "--schemes", "sp", "--json"),
)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "study.toml").write_text(STUDY)
    done = call("tune", folder / "study.toml", *INTERRUPTED, "--out", folder / "out")
    return folder / "out", json.loads(done.stdout)


@pytest.mark.parametrize(
    ("final", "times"),
    [(signal.SIGKILL, 2), (signal.SIGINT, 1)],
    ids=["kill -9", "ctrl-c"],
)
def test_an_interrupted_study_ends_as_an_undisturbed_one(
    study: Path,
    tmp_path: Path,
    undisturbed: tuple[Path, dict[str, Any]],
    final: signal.Signals,
    times: int,
) -> None:
    arguments = ("tune", study, *INTERRUPTED)
    generator, out = random.Random(0), tmp_path / "out"
    interruptions = 0
    for _ in range(times):
        process = subprocess.Popen(
            command(*arguments, "--out", out),
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        process.stderr.readline()  # the first run has ended
        time.sleep(generator.uniform(0, 1.0))
        if process.poll() is None:
            interruptions += 1
            os.killpg(process.pid, final)
        _, errors = process.communicate()
        if final is signal.SIGINT and process.returncode != 0:
            assert process.returncode == 130
            assert "the same command resumes" in errors
            assert "Traceback" not in errors
    assert interruptions
    resumed = json.loads(call(*arguments, "--out", out).stdout)
    assert resumed["runs"].pop("reused") > 0
    folder, answer = undisturbed
    assert resumed == answer | {"runs": resumed["runs"]}
    assert resumed["runs"].items() <= answer["runs"].items()
    assert results(out) == results(folder)
    pages = [(path / "report.html").read_bytes() for path in (out, folder)]
    assert pages[0] == pages[1]


def test_workers_end_with_their_driver(study: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("tune", study, *OPTIONS, "--out", tmp_path / "out"),
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    process.stderr.readline()
    process.kill()  # the driver alone, not its group
    process.communicate()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("a worker outlived its driver")


BAD_INPUT = [
    (["tune", "--widths", "32,x"], "widths: got 'x', wanted a whole number"),
    (["tune", "--widths", "32"], "widths: got [32], wanted at least 2"),
    (["tune", "--widths", "32,,64"], "widths: got '', wanted a whole number"),
    (["tune", "--widths", "32,33"], "widths: got 33, wanted multiples"),
    (["tune", "--base-width", "48"], "base_width: got 48, wanted one of the widths"),
    (["tune", "--target", "1.5"], "target: got '1.5'"),
    (["tune", "--target", "-16"], "target: got -16"),
    (["tune", "--lr-low", "small"], "lr_low: got 'small'"),
    (["tune", "--lr-low", "nan"], "grid.low: got nan"),
    (["tune", "--lr-low", "2^-2000"], "grid.low: got 0.0"),
    (["tune", "--lr-high", "1e-9"], "grid: got low="),
    (["tune", "--per-octave", "0"], "grid.per_octave: got 0"),
    (["tune", "--seeds", "0"], "seeds: got 0"),
    (["tune", "--schemes", "mup,ntk"], "schemes: got 'ntk', wanted one of sp, sp_per_layer"),
    (["tune", "--steps", "0"], "training.steps: got 0"),
    (["tune", "--study-seed", "-3"], "study_seed: got -3"),
    (["tune", "--tolerance-regret", "2"], "tolerance_regret: got 2"),
    (["tune", "--workers", "0"], "workers: got 0"),
    (["tune", "--workers", "two"], "workers: got 'two'"),
    (["tune", "large.toml"], "data.held_out_tokens: got 9,000,000, wanted at most"),
    (["tune", "none.toml"], "none.toml: got No such file"),
    (["tune", "--out", "a-file"], "out: got a-file, which is a file"),
    (["tune", "--out", "a-file/below"], "wanted a folder that can be written to"),
    (["report", "nothing-here"], "got no readable runs.sqlite in it"),
    (["status", "nothing-here"], "got no readable runs.sqlite in it"),
    (["tune", "--seeds", ""], "seeds: got '', wanted a whole number"),
    (["tune", "--out", "x" * 300], "File name too long"),
    (["status", "x" * 300], "got no readable runs.sqlite in it"),
    (["doctor", "--out", "nothing-here"], "out: got nothing-here"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_INPUT, ids=lambda v: " ".join(v)[:40])
def test_bad_input_is_one_error_and_nothing_is_written(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a-file").write_text("x")
    Path("large.toml").write_text("data = { held_out_tokens = 9_000_000 }")
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("lrtransfer: ")
    assert output.err.count("\n") == 1
    assert message in output.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-file", "large.toml"]


@pytest.mark.parametrize(
    "arguments", [["tune", "--widhts", "3"], ["nothing"], [], ["report", "a", "b"]]
)
def test_unknown_words_exit_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["", "tune", "init", "check", "report", "status", "doctor"])
def test_help_shows_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*name.split(), "--help"])
    assert stop.value.code == 0
    assert f"Example: lrtransfer {name or 'tune'}" in " ".join(capsys.readouterr().out.split())


def test_doctor_describes_the_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["torch"]
    assert facts["cores"] >= 1
    assert main(["doctor"]) == 0
    assert facts["corpus"] in capsys.readouterr().out


def test_doctor_reports_also_what_it_cannot_determine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise UserError("no library here")

    monkeypatch.setattr("lrtransfer.data.corpus.read_standard_library", fail)
    assert main(["doctor"]) == 0
    output = capsys.readouterr().out
    assert "corpus: UserError: no library here" in output
    assert "torch  " in output


def test_the_answer_is_printed_also_when_the_report_cannot_be_written(
    study: Path, undisturbed: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, answer = undisturbed
    page = folder / "report.html"
    content = page.read_bytes()
    page.unlink()
    page.mkdir()
    try:
        assert main(["report", str(folder), "--json"]) == 2
    finally:
        page.rmdir()
        page.write_bytes(content)
    output = capsys.readouterr()
    printed = json.loads(output.out)
    assert printed["report"] is None
    assert printed["schemes"] == answer["schemes"]
    assert "report.html: got 'Is a directory'" in output.err


def test_a_study_in_which_nothing_trains_is_an_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "study.toml"
    path.write_text(STUDY.replace("depth = 1", "depth = 1, vocabulary = 9000000000000"))
    assert main(["tune", str(path), *OPTIONS, "--out", str(tmp_path / "out")]) == 2
    output = capfd.readouterr()
    assert output.out == ""
    assert "got no result from any of" in output.err


def test_a_defect_is_distinguished_from_bad_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("lrtransfer.sweeps.tune.review_study", lambda directory: 1 / 0)
    assert main(["status", str(tmp_path)]) == 70
    assert "defect of lrtransfer" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [("--help",), ("tune", "--help"), ("doctor",)])
def test_a_reader_that_has_read_enough_is_no_error(arguments: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        command(*arguments), stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")
