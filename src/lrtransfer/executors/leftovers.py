"""Processes that outlived the call that started them: found by a mark in their environment.

Supervisors leave none. Where they were killed themselves, what they watched over may run on, and
would train beside the runs of the call that resumes the study. Reads /proc: on Linux alone.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

MARK = "LRTRANSFER_PROCESS"  # variable: the mark of a study, a slash, and a process's own mark
END_SECONDS = 10.0  # for killed processes to be gone

_PROCESSES = Path("/proc")


def mark_study(directory: Path) -> str:
    """Return the mark of a study's folder, the same for every call; the folder must be there."""
    status = directory.stat()
    return f"{status.st_dev}:{status.st_ino}:{directory.resolve()}"


def end_leftovers(study: str) -> int:
    """End what an earlier call left running, and return how many processes these were.

    Arguments:
        study: Mark of the study; only its one writer may call this.
    """
    return end_marked(f"{study}/")


def end_marked(mark: str) -> int:
    """Kill the processes whose mark begins so until none is left; return how many these were."""
    ended, deadline = set[int](), time.monotonic() + END_SECONDS
    while found := [*_find_marked(mark)]:
        for process in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        ended.update(found)
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    return len(ended)


def _find_marked(mark: str) -> Iterator[int]:
    """Yield our own processes with a mark; those that only wait to be reaped have none left."""
    wanted = b"\0" + os.fsencode(f"{MARK}={mark}")
    for entry in _PROCESSES.glob("[1-9]*"):
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):  # it has ended, or is somebody else's
            if wanted in b"\0" + (entry / "environ").read_bytes():
                yield int(entry.name)
