"""The user's own program as the trainer: real processes that crash, hang and diverge."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lrtransfer.errors import ConfigError, UserError
from lrtransfer.study.load import load
from lrtransfer.study.program import Program, fill_command, fill_in, read_loss
from lrtransfer.study.study import Study
from lrtransfer.sweeps.result import StudyResult
from lrtransfer.sweeps.tune import run_study

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


def settings(program: Path, **changes: Any) -> dict[str, Any]:
    trainer = {
        "command": f"'{sys.executable}' '{program}' {{width}} {{lr}} {{seed}} {{out}}",
        "loss_from": "{out}/result.json:eval.0.loss",
        "timeout": 3.0,
    }
    study: dict[str, Any] = {
        "widths": (64, 128, 256),
        "target": 1024,
        "seeds": 2,
        "grid": {"low": 2.0**-9, "high": 2.0**-2},
        "trainer": trainer | changes.pop("trainer", {}),
    }
    return study | changes


@pytest.fixture(scope="module")
def finished(
    program: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Study, Path, StudyResult]:
    directory = tmp_path_factory.mktemp("finished")
    study = load(None, settings(program))
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
    study = load(None, settings(program, trainer={"timeout": 1.0, "retries": 0}))
    again = run_study(study, directory, workers=3)
    assert again.counts.reused == result.counts.finished
    assert len(again.failures) == 3
    assert again.answers["all"].optima == result.answers["all"].optima


def test_losses_from_the_output(program: Path, tmp_path: Path) -> None:
    trainer = {"loss_from": r"stdout:final loss (\S+)", "timeout": 1.0, "retries": 0}
    study = load(None, settings(program, trainer=trainer, widths=(128, 256), seeds=1))
    result = run_study(study, tmp_path, workers=2)
    assert not result.failures
    assert min(row.loss or 9 for row in result.table.observations) == pytest.approx(2.5, abs=0.02)


def test_a_shell_is_used_when_asked_for(tmp_path: Path) -> None:
    trainer = {
        "command": 'python3 -c "print({width} * 0 + 2 + abs({lr} - 0.03))" | sed s/^/loss:/',
        "loss_from": "stdout:loss:(.*)",
        "shell": True,
    }
    study = load(None, settings(Path(), trainer=trainer, widths=(64, 128), seeds=1))
    assert run_study(study, tmp_path, workers=2).counts.finished == 16


def test_a_program_that_cannot_start_is_one_error(tmp_path: Path) -> None:
    trainer = {"command": "no-such-program {width} {lr} {seed}"}
    study = load(None, settings(Path(), trainer=trainer))
    with pytest.raises(UserError, match=r"command: got 'no-such-program .* wanted a program"):
        run_study(study, tmp_path, workers=1)


def test_when_every_run_fails_the_first_says_why(tmp_path: Path) -> None:
    trainer = {"command": "false {width} {lr} {seed}", "retries": 0}
    study = load(None, settings(Path(), trainer=trainer))
    with pytest.raises(UserError, match=r"got no result from any of 48 runs.*exit code 1"):
        run_study(study, tmp_path, workers=4)


def test_a_wrong_place_of_the_loss_is_found_out_at_once(tmp_path: Path) -> None:
    trainer = {"command": "echo {width} {lr} {seed}", "loss_from": "stdout:loss (.*)"}
    study = load(None, settings(Path(), trainer=trainer))
    with pytest.raises(UserError, match=r"loss_from: got no loss .* though 3 programs ended well"):
        run_study(study, tmp_path, workers=1)
    assert len(outputs(tmp_path)) == 3


def test_a_program_may_empty_its_folder(tmp_path: Path) -> None:
    trainer = {"command": "rm -rf {out} {width} {lr} {seed}", "loss_from": "{out}/r.json:loss"}
    study = load(None, settings(Path(), trainer=trainer))
    with pytest.raises(UserError, match=r"left no result"):
        run_study(study, tmp_path, workers=1)


def test_what_a_program_leaves_running_is_ended(tmp_path: Path) -> None:
    trainer = {
        "command": "sleep 300 & echo $! > {out}/pid; echo loss {width}{lr}{seed} | head -c 6",
        "loss_from": "stdout:loss (.)",
        "shell": True,
    }
    run_study(load(None, settings(Path(), trainer=trainer)), tmp_path, workers=2)
    pids = [int((folder / "pid").read_text()) for folder in folders(tmp_path)]
    assert len(pids) >= 48
    assert not any(map(is_alive, pids))


@pytest.mark.parametrize("loss_from", ["{out}:loss", "{out}.txt/x:loss"])
def test_a_result_that_is_no_file_is_one_error(tmp_path: Path, loss_from: str) -> None:
    trainer = {"command": "true {width} {lr} {seed}", "loss_from": loss_from}
    study = load(None, settings(Path(), trainer=trainer))
    with pytest.raises(UserError, match=r"wanted a folder and a result file|loss_from: got no"):
        run_study(study, tmp_path, workers=1)


SLEEPER = """
import os, pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
(pathlib.Path(sys.argv[1]) / "pids").write_text(f"{os.getpid()} {child.pid}")
time.sleep(600)
"""


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_programs_and_their_children_end_with_the_driver(
    tmp_path: Path, sent: signal.Signals, code: int
) -> None:
    (tmp_path / "sleep.py").write_text(SLEEPER)
    command = [sys.executable, "-m", "lrtransfer", "tune", "--widths", "64,128", "--target", "256"]
    command += ["--command", f"{sys.executable} sleep.py {{out}} {{width}} {{lr}} {{seed}}"]
    command += ["--loss-from", "{out}/r.json:loss", "--workers", "2", "--out", "out"]
    driver = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while len(found := list(tmp_path.glob("out/runs/*/pids"))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(0.2)
    pids = [int(pid) for path in found for pid in path.read_text().split()]
    driver.send_signal(sent)
    _, said = driver.communicate(timeout=60)
    assert driver.returncode == code, said
    assert len(pids) == 4
    assert not any(map(is_alive, pids))


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that waits to be reaped does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trainer": {"command": "train {width} {lrr} {seed}"}}, "did you mean {lr}"),
        ({"trainer": {"command": "train {width} {seed}"}}, "wanted {lr} in it"),
        ({"trainer": {"command": "train {width} {lr}"}}, "wanted {seed} in it"),
        ({"schemes": ("a", "b")}, "wanted {scheme} in it"),
        ({"trainer": {"command": "train '{width} {lr} {seed}"}}, "wanted closed quotes"),
        ({"trainer": {"loss_from": "result.json"}}, "wanted PATH:KEY"),
        ({"trainer": {"loss_from": "result.json:loss"}}, "wanted a file of each run's own"),
        ({"trainer": {"loss_from": "r-{width}-{lr}.json:loss"}}, "{width}, {lr}, {seed}"),
        ({"trainer": {"loss_from": "{ouut}/r.json:loss"}}, "did you mean {out}"),
        ({"trainer": {"command": "a\0 {width} {lr} {seed}"}}, "null character"),
        ({"trainer": {"comand": "x"}}, "did you mean 'command'"),
        (
            {"trainer": {"command": "x {width} {lr}"}, "seeds": 1, "design": "adaptive"},
            "wanted {seed} in it",
        ),
        ({"target": 10**23}, "target: got"),
        ({"design": "adaptive", "budget": 1.5}, "budget: got 1.5, wanted runs"),
        ({"trainer": {"loss_from": "stdout:("}}, "wanted a regular expression"),
        ({"trainer": {"timeout": 0.0}}, "trainer.timeout: got 0.0"),
        ({"steps": 5}, "steps: unknown key"),
        ({"training": {"steps": 5}}, "training: got a value, wanted none beside"),
        ({"design": "adaptive", "budget": "1e15 flops"}, "wanted runs: what a command computes"),
        ({"widths": ()}, "widths"),
    ],
)
def test_wrong_settings_are_one_error(program: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, settings(program, **changes))
    assert message in str(caught.value)


def test_widths_and_target_must_be_given() -> None:
    trainer = {"command": "train {width} {lr} {seed}", "loss_from": "stdout:(.*)"}
    with pytest.raises(ConfigError, match="widths: got nothing"):
        load(None, {"trainer": trainer})


def test_what_is_missing_is_named_with_its_option() -> None:
    with pytest.raises(ConfigError, match=r"trainer.loss_from: .* the option --loss-from"):
        load(None, {"trainer": {"command": "train {width} {lr}"}, "widths": (1, 2), "target": 4})


def test_placeholders_are_filled_without_a_shell() -> None:
    trainer = Program(command="train '--opt {lr}' {out} '{\"a\": 1}'", loss_from="a:b")
    values = {"lr": "0.1", "out": "my folder; rm -rf x"}
    assert fill_command(trainer, values) == [
        "train",
        "--opt 0.1",
        "my folder; rm -rf x",
        '{"a": 1}',
    ]
    with_shell = trainer.model_copy(update={"command": "train {out}", "shell": True})
    assert fill_command(with_shell, values) == ["sh", "-c", "train 'my folder; rm -rf x'"]
    assert fill_in("{width} {other}", {"width": "64"}) == "64 {other}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"loss": 2.5}', 2.5),
        ('{"loss": "2.5"}', 2.5),
        ('{"loss": "much"}', "gave 'much' as its loss, which is no number"),
        ('{"other": 2.5}', "left a result without 'loss'"),
        ("[1, 2]", "left a result without 'loss'"),
        ("[1, 2", "left a result that is not JSON"),
    ],
)
def test_results_are_read_or_explained(tmp_path: Path, text: str, expected: float | str) -> None:
    (tmp_path / "r.json").write_text(text)
    found = read_loss("{out}/r.json:loss", {"out": str(tmp_path)}, tmp_path / "output.txt")
    if isinstance(expected, str):
        assert isinstance(found, str)
        assert found.startswith(expected)
    else:
        assert found == expected


@pytest.mark.parametrize("text", ['{"loss": NaN}', '{"loss": null}', '{"loss": Infinity}'])
def test_losses_that_are_not_finite_are_numbers(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.json").write_text(text)
    found = read_loss("{out}/r.json:loss", {"out": str(tmp_path)}, tmp_path / "output.txt")
    assert isinstance(found, float)
    assert found != found or found == float("inf")


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
