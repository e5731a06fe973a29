"""Run one wrong input as a process of its own, without starting an interpreter for each.

The process is forked from one that has imported everything, so a thousand cost seconds each less.
"""

import json
import os
import re
import signal
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

from lrtransfer.cli.main import main

from .case import WrongInput

LIMIT = 20.0  # seconds; nothing wrong may take longer
# How a note begins that says of rows why they are no runs of the verdict.
_LEFT_OUT = re.compile(
    r"(\d+) (rows (are called|have no|of another|repeat)|earlier rows|of \d+ rows are left out)"
)


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a command ended.

    Attributes:
        code: Its exit code; None if it was still running at the limit.
        out: What it printed.
        error: What it printed on the standard error.
        seconds: How long it took.
    """

    code: int | None
    out: str
    error: str
    seconds: float


def run(case: WrongInput, folder: Path) -> Ending:
    """Run a command in a folder with its files."""
    home = folder / "home"
    home.mkdir()
    for name, content in case.files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        _run_here(case, home, folder)
    code = _wait(child, start + LIMIT)
    seconds = time.monotonic() - start
    out, error = ((folder / name).read_text(errors="replace") for name in ("out", "error"))
    return Ending(code=code, out=out, error=error, seconds=seconds)


def find_fault(case: WrongInput, ending: Ending) -> str | None:
    """Return what is wrong with the way a command ended; None if nothing is."""
    if ending.code is None:
        return f"still ran after {LIMIT:.0f} seconds"
    if "Traceback (most recent call last)" in ending.out + ending.error:
        return "printed a traceback"
    usual = (0, 1, 2, 3) if case.arguments[0] == "check" else (0, 1, 2)
    if ending.code not in usual:
        return f"ended with exit code {ending.code}"
    if ending.code == 2 and not ending.error.strip():
        return "gave no reason"
    if "\x1b" in ending.out + ending.error:
        return "sent control characters to the terminal"
    if ending.code == 0 and case.rows is not None:
        return _find_lost_rows(case.rows, ending.out)
    return None


def _find_lost_rows(rows: int, out: str) -> str | None:
    document = json.loads(out)
    notes = [match for note in document["warnings"] if (match := _LEFT_OUT.match(note))]
    read, used = document["rows"]["read"], document["rows"]["used"]
    told = used + sum(int(match[1]) for match in notes)
    if read == told == rows:
        return None
    return f"of {rows} rows {read} were read and {told} are accounted for"


def _run_here(case: WrongInput, home: Path, folder: Path) -> None:
    """Become the command: this process ends with its exit code."""
    os.setpgid(0, 0)
    warnings.resetwarnings()  # tests make errors of them, commands do not
    os.chdir(home)
    for number, name in ((0, os.devnull), (1, folder / "out"), (2, folder / "error")):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        os.dup2(os.open(name, flags, 0o600), number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", encoding="utf-8") for number in (1, 2))
    code = 70
    try:
        code = main(case.arguments)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _wait(child: int, deadline: float) -> int | None:
    """Return the exit code of a process; None if it had to be ended at the deadline."""
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return None
        time.sleep(0.005)
