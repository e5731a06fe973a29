"""Nothing that was started survives its starter, by whatever signal that ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lrtransfer.executors.leftovers import MARK, end_leftovers, mark_study
from lrtransfer.executors.supervised import SupervisedProcess

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="adopts orphans on Linux alone")

# Ignores requests to end, and so do a child in its group, one in a session of its own, and an
# orphan in another session. Each writes its pid.
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)

def note():
    open(os.path.join(sys.argv[1], f"pid-{os.getpid()}"), "w").close()
    time.sleep(600)
    os._exit(0)

if os.fork() == 0:
    note()
if os.fork() == 0:
    os.setsid()
    note()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        note()
    os._exit(0)
note()
"""
STARTER = """
import sys, time
from pathlib import Path
from lrtransfer.executors.leftovers import mark_study
from lrtransfer.executors.supervised import SupervisedProcess
folder = Path(sys.argv[1])
process = SupervisedProcess([sys.executable, "stubborn.py", sys.argv[1]],
                            grace=0.2, study=mark_study(folder))
print(process.supervisor.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def stubborn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    return tmp_path


def await_pids(folder: Path, count: int = 4) -> list[int]:
    deadline = time.monotonic() + 60
    while len(found := list(folder.glob("pid-*"))) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return [int(path.name.removeprefix("pid-")) for path in found]


def await_end(pids: list[int], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while alive := list(filter(is_alive, pids)):
        assert time.monotonic() < deadline, f"{alive} of {pids} run on"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that waits to be reaped does not."""
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat")
        return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


@pytest.mark.parametrize(
    ("script", "code"),
    [("true", 0), ("exit 3", 3), ("exit 200", 200), ("kill -9 $$", -9), ("kill -11 $$", -11)],
)
def test_the_code_of_a_command_is_its_own(script: str, code: int) -> None:
    process = SupervisedProcess(["sh", "-c", script])
    assert process.wait(60) == process.poll() == process.returncode == code
    assert process.start_error is None


@pytest.mark.parametrize(("name", "error"), [("no-such-program", 2), ("/", 13)])
def test_a_command_that_cannot_be_started_says_why(name: str, error: int) -> None:
    process = SupervisedProcess([name])
    assert process.wait(60) == 127
    assert process.start_error is not None
    assert process.start_error.errno == error


def test_a_command_gets_signals_as_if_nothing_stood_between() -> None:
    # Ignored signals, a blocked set or an inherited lifeline would show here.
    script = (
        "import os, signal; print(signal.getsignal(15), signal.getsignal(2) is "
        "signal.default_int_handler, signal.pthread_sigmask(0, []), "
        "sorted(os.listdir('/proc/self/fd')))"
    )
    command = [sys.executable, "-S", "-c", script]
    process = SupervisedProcess(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    said = process.supervisor.communicate(timeout=60)[0].decode()
    assert process.wait() == 0
    assert said == "0 True set() ['0', '1', '2', '3']\n"  # 3 is the folder that is read


@LINUX
@pytest.mark.parametrize("whom", ["starter", "starter and group", "supervisor and starter"])
def test_nothing_survives_the_end_of_the_starter(stubborn: Path, whom: str) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(stubborn)], stdout=subprocess.PIPE, text=True
    )
    assert starter.stdout is not None
    with starter:
        supervisor = int(starter.stdout.readline())
        pids = await_pids(stubborn)
        if whom == "supervisor and starter":
            os.kill(supervisor, signal.SIGSTOP)  # so that it sees nothing of the starter's end
        starter.kill()
        starter.wait()
    if whom == "supervisor and starter":
        os.kill(supervisor, signal.SIGKILL)
        assert any(map(is_alive, pids))
        assert end_leftovers(mark_study(stubborn)) > 0  # as the call that resumes the study does
    await_end(pids)


@LINUX
def test_nothing_survives_the_end_of_its_supervisor(stubborn: Path) -> None:
    process = SupervisedProcess([sys.executable, "stubborn.py", str(stubborn)])
    pids = await_pids(stubborn)
    process.supervisor.kill()
    assert process.wait(60) == -signal.SIGKILL
    await_end(pids, seconds=0.1)


@LINUX
@pytest.mark.parametrize("patience", [0.0, 0.3])
def test_nothing_survives_a_forced_end(stubborn: Path, patience: float) -> None:
    process = SupervisedProcess([sys.executable, "stubborn.py", str(stubborn)])
    pids = await_pids(stubborn)
    process.terminate()
    process.end(time.monotonic() + patience)
    assert process.returncode == -signal.SIGKILL
    await_end(pids, seconds=0.1)
    process.end(time.monotonic())  # again is no error


@LINUX
def test_what_a_command_leaves_running_ends_with_it(tmp_path: Path) -> None:
    (tmp_path / "leave").write_text("touch pid-$$; sleep 600")
    script = f"cd {tmp_path}; setsid sh leave & while [ ! -e pid-* ]; do sleep 0.01; done"
    process = SupervisedProcess(["sh", "-c", script])
    assert process.wait(60) == 0
    await_end(await_pids(tmp_path, 1), seconds=0.1)


def test_a_command_that_ends_when_asked_to_is_given_the_time(tmp_path: Path) -> None:
    trap = "trap 'sleep 0.2; touch saved; exit 5' TERM"
    script = f"cd {tmp_path}; {trap}; touch pid-$$; while :; do sleep 0.05; done"
    process = SupervisedProcess(["sh", "-c", script], grace=30)
    await_pids(tmp_path, 1)
    process._lifeline.close()  # as at the end of this process
    process.supervisor.wait(60)
    assert (tmp_path / "saved").exists()


@LINUX
def test_marks_are_of_a_folder_and_not_of_its_name(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "one-more"
    one.mkdir()
    other.mkdir()
    process = SupervisedProcess(["sleep", "600"], study=mark_study(other))
    assert end_leftovers(mark_study(one)) == 0
    assert process.poll() is None
    process.end(time.monotonic())
    assert MARK not in os.environ
