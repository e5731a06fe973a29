"""The output of a command: what is closed, full or read by nobody ends it quietly."""

import io
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_STDERR = 2  # the highest number of a standard stream


class Output(io.FileIO):
    """A standard stream that keeps why it could not be written, and takes in silence what follows.

    The streams of Python lose what could not be written and say so once, anywhere: without this,
    a full disk below stdout is not told from one below the store.
    """

    failure: OSError | None = None

    def write(self, data: Any) -> int:
        """Write bytes and return how many were."""
        if self.failure is not None:
            return len(data)
        try:
            return super().write(data) or 0
        except OSError as error:
            self.failure = error
            raise


@contextmanager
def watch_streams() -> Generator[dict[str, Output], None, None]:
    """Put streams that keep their failures in the place of stdout and stderr; yield them by name.

    Streams that somebody else has put there, as tests do, stay.
    """
    watched, before = dict[str, Output](), dict[str, Any]()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is getattr(sys, f"__{name}__"):
            stream.flush()
            watched[name], before[name] = Output(stream.fileno(), "w", closefd=False), stream
            text = io.TextIOWrapper(
                io.BufferedWriter(watched[name]),
                encoding=stream.encoding,
                errors=stream.errors,
                line_buffering=stream.line_buffering or name == "stderr",
            )
            setattr(sys, name, text)
    try:
        yield watched
    finally:
        for name, stream in before.items():
            with suppress(OSError):
                getattr(sys, name).flush()
            setattr(sys, name, stream)


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


def flush_streams() -> None:
    """Write what is still to be written.

    Raises:
        OSError: If that cannot be.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
