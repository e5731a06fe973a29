"""However a study is ended, nothing of it runs on, and the same command resumes it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lrtransfer.sweeps.store import read_store
from tests.executors.bad_models import MODELS
from tests.executors.test_supervised import STUBBORN, await_end, is_alive

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="adopts orphans on Linux alone")

# The first runs never end, whatever is sent to them; once there is a file `go`, all do at once.
PROGRAM = f"""
import os, sys
if os.path.exists("go"):
    print("loss", 2.5)
    sys.exit()
{STUBBORN}
"""
COMMAND = [sys.executable, "-m", "lrtransfer", "tune", "--out", "out", "--workers", "2"]
PROGRAMS = [
    *("--command", f"{sys.executable} program.py {{out}} {{width}} {{lr}} {{seed}}"),
    *("--loss-from", "stdout:loss (.*)", "--widths", "64,128", "--target", "256"),
    *("--seeds", "1", "--lr-low", "2^-6", "--lr-high", "2^-4"),
]
MODELS_TOML = """
widths = [8, 16]
base_width = 8
target = 32
schemes = ["mup"]
seeds = 1
grid = {{ low = 0.0078125, high = 0.125 }}
model = {{ build = "{own}:starts_others", arguments = {{ bad = true }} }}
data = {{ batches = "{own}:batches", held_out_batches = 2 }}
training = {{ steps = 4, batch = 8 }}
"""

Ending = Callable[["subprocess.Popen[str]"], int]


def kill(driver: "subprocess.Popen[str]") -> int:
    driver.kill()
    return -signal.SIGKILL


def interrupt(driver: "subprocess.Popen[str]") -> int:
    driver.send_signal(signal.SIGINT)
    return 130


def interrupt_twice(driver: "subprocess.Popen[str]") -> int:
    driver.send_signal(signal.SIGINT)
    time.sleep(0.3)
    driver.send_signal(signal.SIGINT)
    return 130


def terminate(driver: "subprocess.Popen[str]") -> int:
    driver.send_signal(signal.SIGTERM)
    return 143


def hang_up(driver: "subprocess.Popen[str]") -> int:
    driver.send_signal(signal.SIGHUP)
    return 129


def kill_with_supervisors(driver: "subprocess.Popen[str]") -> int:
    """Kill the driver and its supervisors at once, so that no one sees to the end of the rest."""
    children = Path(f"/proc/{driver.pid}/task/{driver.pid}/children").read_text().split()
    driver.send_signal(signal.SIGSTOP)
    for child in children:
        os.kill(int(child), signal.SIGSTOP)
    for process in (driver.pid, *map(int, children)):
        os.kill(process, signal.SIGKILL)
    return -signal.SIGKILL


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("program.py").write_text(PROGRAM)
    return tmp_path


def start(
    arguments: list[str], pattern: str, count: int
) -> tuple["subprocess.Popen[str]", list[int]]:
    """Return a study that runs, and the processes that noted themselves."""
    driver = subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while len(found := [*Path().glob(pattern)]) < count:
        assert driver.poll() is None, driver.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.2)
    texts = (path.read_text() or path.name.removeprefix("pid-") for path in found)
    return driver, [int(pid) for text in texts for pid in text.split()]


@pytest.mark.parametrize(
    "end",
    [
        kill,
        interrupt_twice,
        pytest.param(interrupt, marks=pytest.mark.slow),
        pytest.param(terminate, marks=pytest.mark.slow),
        pytest.param(hang_up, marks=pytest.mark.slow),
    ],
)
def test_no_program_survives_its_driver(folder: Path, end: Ending) -> None:
    driver, pids = start(PROGRAMS, "out/runs/*/pid-*", 8)
    started = time.monotonic()
    code = end(driver)
    _, said = driver.communicate(timeout=60)
    assert driver.returncode == code
    assert "Traceback" not in said
    if end is interrupt_twice:  # the second does not wait for those that ignore the first
        assert time.monotonic() - started < 4
    await_end(pids)


def test_a_study_that_is_resumed_ends_what_an_earlier_call_left(folder: Path) -> None:
    driver, pids = start(PROGRAMS, "out/runs/*/pid-*", 8)
    code = kill_with_supervisors(driver)
    driver.communicate(timeout=60)
    assert driver.returncode == code
    time.sleep(0.2)
    left = list(filter(is_alive, pids))
    assert left  # or nothing is tested
    Path("go").touch()
    resumed = subprocess.run([*COMMAND, *PROGRAMS], capture_output=True, text=True, check=False)
    assert resumed.returncode == 0, resumed.stderr
    await_end(left, seconds=0.1)
    with read_store(Path("out")) as store:
        assert {row.outcome.loss for row in store.rows().values()} == {2.5}


@pytest.mark.slow
@pytest.mark.parametrize("end", [kill, interrupt, interrupt_twice, terminate])
def test_nothing_that_a_model_started_survives_its_driver(
    folder: Path, write_module: Callable[[str], str], end: Ending
) -> None:
    own = write_module(MODELS)
    Path("study.toml").write_text(MODELS_TOML.format(own=own))
    driver, pids = start(["study.toml", "--allow-code"], "pids-*", 2)
    assert len(pids) == 8
    code = end(driver)
    _, said = driver.communicate(timeout=60)
    assert driver.returncode == code
    assert "Traceback" not in said
    await_end(pids)


@pytest.mark.slow
def test_nothing_that_a_model_started_survives_its_worker(
    folder: Path, write_module: Callable[[str], str]
) -> None:
    own = write_module(MODELS)
    Path("study.toml").write_text(MODELS_TOML.format(own=own))
    driver, pids = start(["study.toml", "--allow-code"], "pids-*", 2)
    for path in Path().glob("pids-*"):
        os.kill(int(path.name.removeprefix("pids-")), signal.SIGKILL)
    await_end(pids)
    driver.kill()
    driver.communicate(timeout=60)
