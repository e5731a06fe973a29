"""The user's own program as the trainer: real processes that crash, hang and diverge."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lrtransfer.errors import UserError
from lrtransfer.study.load import load
from lrtransfer.study.study import Study
from lrtransfer.sweeps.result import StudyResult
from lrtransfer.sweeps.tune import run_study
from tests.executors.test_supervised import is_alive
from tests.studies import program_settings

# A quadratic valley in log2 lr whose place moves with the width, and some special runs.
PROGRAM = """
import json, math, pathlib, sys, time
width, lr, seed, out = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
x, best = math.log2(lr), -5 - 0.5 * math.log2(width / 64)
loss = 2.5 + (x - best) ** 2 / 20 + seed / 100
with (pathlib.Path(out) / "calls").open("a") as calls:
    calls.write("x")
tries = len((pathlib.Path(out) / "calls").read_text())
special = (width, round(x), seed)
if special == (128, -6, 1): print("boom"); sys.exit(3)
if special == (64, -6, 1): time.sleep(1000)
if special == (256, -6, 1): sys.exit(0)
if special == (256, -7, 1) and tries == 1: sys.exit(1)
if x - best > 3: loss = math.nan
print(f"step 1 loss 9.0\\nfinal loss {loss}")
(pathlib.Path(out) / "result.json").write_text(json.dumps({"eval": [{"loss": loss}]}))
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "my train.py"
    path.write_text(PROGRAM)
    return path


@pytest.fixture(scope="module")
def finished(
    program: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Study, Path, StudyResult]:
    directory = tmp_path_factory.mktemp("finished")
    study = load(None, program_settings(program))
    return study, directory, run_study(study, directory, workers=2)


def folders(directory: Path) -> list[Path]:
    return [path for path in (directory / "runs").iterdir() if path.is_dir()]


def outputs(directory: Path) -> list[Path]:
    return list((directory / "runs").glob("*.txt"))


def test_a_program_is_the_trainer(finished: tuple[Study, Path, StudyResult]) -> None:
    _, _, result = finished
    answer = result.answers["all"]
    assert answer.verdict == "does not transfer"
    assert answer.drift is not None
    assert answer.drift.estimate == pytest.approx(-0.5, abs=0.05)
    assert result.counts.planned == 3 * 8 * 2


def test_a_bad_run_costs_itself_only_and_says_why(
    finished: tuple[Study, Path, StudyResult],
) -> None:
    _, directory, result = finished
    reasons = {(f.run.width, f.run.seed): f.reason for f in result.failures}
    assert set(reasons) == {(128, 1), (64, 1), (256, 1)}
    assert "boom" in reasons[128, 1]
    assert "width 128, lr 0.01562, seed 1: ended with exit code 3" in reasons[128, 1]
    assert "took longer than 3 s and was ended" in reasons[64, 1]
    assert "left no result" in reasons[256, 1]
    # One that ended well would end so again.
    may_pass = {(f.run.width, f.run.seed): f.may_pass for f in result.failures}
    assert may_pass == {(128, 1): True, (64, 1): True, (256, 1): False}
    assert result.counts.finished == result.counts.planned - 3
    assert len(folders(directory)) == len(outputs(directory)) == result.counts.planned


def test_a_loss_that_is_not_finite_is_divergence(
    finished: tuple[Study, Path, StudyResult],
) -> None:
    _, _, result = finished
    diverged = [row for row in result.table.observations if row.diverged]
    assert result.counts.diverged == len(diverged) > 0
    assert all(row.lr > 2.0**-3 for row in diverged)


def test_failures_are_tried_again(finished: tuple[Study, Path, StudyResult]) -> None:
    _, directory, result = finished
    tries = {len((run / "calls").read_text()) for run in folders(directory)}
    assert tries == {1, 2}
    # The run that fails the first time alone has a result.
    kept = [r for r in result.table.observations if (r.size, r.lr, r.seed) == (256, 2.0**-7, 1)]
    assert len(kept) == 1


def test_going_on_runs_what_is_missing_alone(
    finished: tuple[Study, Path, StudyResult], program: Path
) -> None:
    _, directory, result = finished
    study = load(None, program_settings(program, trainer={"timeout": 1.0, "retries": 0}))
    again = run_study(study, directory, workers=3)
    assert again.counts.reused == result.counts.finished
    assert len(again.failures) == 3
    assert again.answers["all"].optima == result.answers["all"].optima


def test_losses_from_the_output(program: Path, tmp_path: Path) -> None:
    trainer = {"loss_from": r"stdout:final loss (\S+)", "timeout": 1.0, "retries": 0}
    study = load(None, program_settings(program, trainer=trainer, widths=(128, 256), seeds=1))
    result = run_study(study, tmp_path, workers=2)
    assert not result.failures
    assert min(row.loss or 9 for row in result.table.observations) == pytest.approx(2.5, abs=0.02)


def test_a_shell_is_used_when_asked_for(tmp_path: Path) -> None:
    trainer = {
        "command": 'python3 -c "print({width} * 0 + 2 + abs({lr} - 0.03))" | sed s/^/loss:/',
        "loss_from": "stdout:loss:(.*)",
        "shell": True,
    }
    study = load(None, program_settings(Path(), trainer=trainer, widths=(64, 128), seeds=1))
    assert run_study(study, tmp_path, workers=2).counts.finished == 16


def test_a_program_that_cannot_start_is_one_error(tmp_path: Path) -> None:
    trainer = {"command": "no-such-program {width} {lr} {seed}"}
    study = load(None, program_settings(Path(), trainer=trainer))
    with pytest.raises(UserError, match=r"command: got 'no-such-program .* wanted a program"):
        run_study(study, tmp_path, workers=1)


def test_when_every_run_fails_the_first_says_why(tmp_path: Path) -> None:
    trainer = {"command": "false {width} {lr} {seed}", "retries": 0}
    study = load(None, program_settings(Path(), trainer=trainer))
    with pytest.raises(UserError, match=r"got no result from any of 48 runs.*exit code 1"):
        run_study(study, tmp_path, workers=4)


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ("no-such-program {width} {lr} {seed}", "No such file or directory"),
        ("./not-executable {width} {lr} {seed}", "Permission denied"),
        ("python3 no-such.py {width} {lr} {seed}", "no-such.py: No such file or directory"),
        ("python3 -u -X dev no-such.py {width} {lr} {seed}", "no-such.py: No such file"),
        ("sh -e no-such.sh {width} {lr} {seed}", "no-such.sh: No such file or directory"),
    ],
)
def test_what_cannot_be_started_is_found_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("not-executable").touch()
    study = load(None, program_settings(Path(), trainer={"command": command}))
    with pytest.raises(UserError, match=rf"command: got .*{what}.* wanted a program"):
        run_study(study, Path("out"), workers=1)
    assert not Path("out").exists()


@pytest.mark.parametrize(
    "command",
    [
        "python3 -m no.such.module {width} {lr} {seed}",
        "env python3 no-such.py {width} {lr} {seed}",
        "python3 -S -c pass/{width}{lr}{seed}",
    ],
)
def test_what_fails_in_every_run_is_not_tried_for_every_run(tmp_path: Path, command: str) -> None:
    study = load(None, program_settings(Path(), trainer={"command": command, "retries": 0}))
    with pytest.raises(UserError, match=r"from any of 48 runs \(9 were tried\).*exit code"):
        run_study(study, tmp_path, workers=1)
    assert len(outputs(tmp_path)) == 9  # three of every width


def test_a_wrong_place_of_the_loss_is_found_out_at_once(tmp_path: Path) -> None:
    trainer = {"command": "echo {width} {lr} {seed}", "loss_from": "stdout:loss (.*)"}
    study = load(None, program_settings(Path(), trainer=trainer))
    with pytest.raises(UserError, match=r"loss_from: got no loss .* though 3 programs ended well"):
        run_study(study, tmp_path, workers=1)
    assert len(outputs(tmp_path)) == 3


def test_a_program_may_empty_its_folder(tmp_path: Path) -> None:
    trainer = {"command": "rm -rf {out} {width} {lr} {seed}", "loss_from": "{out}/r.json:loss"}
    study = load(None, program_settings(Path(), trainer=trainer))
    with pytest.raises(UserError, match=r"left no result"):
        run_study(study, tmp_path, workers=1)


def test_what_a_program_leaves_running_is_ended(tmp_path: Path) -> None:
    trainer = {
        "command": "sleep 300 & echo $! > {out}/pid; echo loss {width}{lr}{seed} | head -c 6",
        "loss_from": "stdout:loss (.)",
        "shell": True,
    }
    run_study(load(None, program_settings(Path(), trainer=trainer)), tmp_path, workers=2)
    pids = [int((folder / "pid").read_text()) for folder in folders(tmp_path)]
    assert len(pids) >= 48
    assert not any(map(is_alive, pids))


@pytest.mark.parametrize("loss_from", ["{out}:loss", "{out}.txt/x:loss"])
def test_a_result_that_is_no_file_is_one_error(tmp_path: Path, loss_from: str) -> None:
    trainer = {"command": "true {width} {lr} {seed}", "loss_from": loss_from}
    study = load(None, program_settings(Path(), trainer=trainer))
    with pytest.raises(UserError, match=r"wanted a folder and a result file|loss_from: got no"):
        run_study(study, tmp_path, workers=1)


def test_json_names_the_failures(program: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lrtransfer", "tune", "--json", "--out", "out"]
    command += ["--widths", "128,256", "--target", "512", "--seeds", "2", "--retries", "0"]
    command += ["--lr-low", "2^-8", "--lr-high", "2^-3", "--scheme", "mine", "--workers", "2"]
    command += ["--command", f"'{sys.executable}' '{program}' {{width}} {{lr}} {{seed}} {{out}}"]
    command += ["--loss-from", "{out}/result.json:eval.0.loss"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert set(answer["schemes"]) == {"mine"}
    assert any("boom" in note and "exit code 3" in note for note in answer["warnings"])
    page = tmp_path / "out" / "report.html"
    page.unlink()
    for name, expected in (("status", "21 of 24 runs finished"), ("report", "mine: ")):
        again = [sys.executable, "-m", "lrtransfer", name, "out"]
        told = subprocess.run(again, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert told.returncode == 0, told.stderr
        assert expected in told.stdout
    assert "train.py" in page.read_text()
