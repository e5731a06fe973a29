"""The output of a command: what is closed, full or read by nobody ends it quietly."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_STDERR = 2  # the highest number of a standard stream


def open_closed_streams() -> None:
    """Let streams that were closed before we were started (`>&-`) lead nowhere.

    The next files that are opened would get their numbers, and whatever prints would write there.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))


def make_console(**options: Any) -> "Console":
    """Return a console that says when nobody reads; rich's own ends the process with code 1."""
    from rich.console import Console

    class _Console(Console):
        def on_broken_pipe(self) -> None:
            raise  # the BrokenPipeError that is being handled

    return _Console(**options)


def flush_streams() -> None:
    """Write what is still to be written.

    Raises:
        OSError: If that cannot be.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


def find_unwritable() -> tuple[str, OSError] | None:
    """Return a stream that cannot be written, and why, if there is one."""
    for name in ("stdout", "stderr"):
        try:
            getattr(sys, name).flush()  # what could not be written is still there to be written
        except OSError as error:
            return name, error
    return None


def discard_unwritable() -> None:
    """Let streams that cannot be written lead nowhere: the interpreter flushes them at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    while unwritable := find_unwritable():
        os.dup2(nowhere, getattr(sys, unwritable[0]).fileno())
    os.close(nowhere)
