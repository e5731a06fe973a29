"""A worker process: trains the blocks that it receives, and answers each once.

Blocks come in on its standard input, messages go out on a pipe of its own, both pickled, so that
nothing printed can be taken for a message. Only this process speaks on that pipe, whatever the
user's code forks, and every answer names the runs that it is of. What is printed while a block is
trained goes to a file of its own.
"""

import fcntl
import os
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ..runs.own_process import require_process
from .folders import open_output
from .messages import WITHOUT_PIPES, Assignment, BlockAnswer, Ready, StepMade, name_runs

SECONDS_BETWEEN_STEPS = 1.0  # that are told of: the starter only wants to know that there are any
_ABOVE_STREAMS = 3  # the lowest descriptor that is none of input, output and errors


class Line:
    """The pipes to and from the process that started this one, for this process alone."""

    def __init__(self, requests: Connection, messages: Connection) -> None:
        """Take the pipes; programs that the user's code starts do not get them."""
        self._pipes = (requests, messages)
        for pipe in self._pipes:
            os.set_inheritable(pipe.fileno(), False)
        self._owner, self._files = os.getpid(), self._identify()

    def hear(self) -> Assignment | None:
        """Return the next block; None if none can come."""
        self._require_intact()
        try:
            assignment: Assignment = self._pipes[0].recv()
        except (EOFError, OSError):  # the starter is gone
            return None
        return assignment

    def say(self, message: object) -> None:
        """Send a message."""
        self._require_intact()
        self._pipes[1].send(message)

    def require_owner(self) -> None:
        """End this process if it is a forked child of the user's code, which returned or raised."""
        require_process(self._owner)

    def _require_intact(self) -> None:
        """End this process if it may not speak, or if the user's code closed a pipe.

        Another file may stand in the place of a closed one.
        """
        self.require_owner()
        if self._identify() != self._files:
            os._exit(WITHOUT_PIPES)

    def _identify(self) -> list[tuple[int, int] | None]:
        return [_identify(pipe.fileno()) for pipe in self._pipes]


def serve(device: str, messages: Connection) -> None:
    """Train block after block on a device until the input ends."""
    line = Line(_take_input(), messages)
    import torch

    from ..runs.train import train_block

    torch.set_num_threads(1)  # one run per core: more threads cost more than they gain
    line.say(Ready())
    while assignment := line.hear():
        if assignment.output is not None:
            _print_to(assignment.output)
        block, on_step = assignment.block, _tell_of_steps(line)
        results = list(train_block(block, device=device, on_step=on_step))
        line.say(BlockAnswer(name_runs(block), results))


def _tell_of_steps(line: Line) -> Callable[[], None]:
    """Return a function that says, at most once a second, that training goes on."""
    told = time.monotonic()

    def tell() -> None:
        nonlocal told
        line.require_owner()
        now = time.monotonic()
        if now - told > SECONDS_BETWEEN_STEPS:
            told = now
            line.say(StepMade())

    return tell


def _identify(descriptor: int) -> tuple[int, int] | None:
    """Return which file is open as a descriptor, None if none is."""
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _take_input() -> Connection:
    """Return the input with the blocks; the user's own code finds its input at an end."""
    requests = Connection(os.dup(0), writable=False)
    _make_streams(os.open(os.devnull, os.O_RDONLY), 0)
    return requests


def _print_to(output: Path) -> None:
    """Let all that is printed from now on go to a file.

    The streams are made anew for every block: the user's code may have closed them.
    """
    output.parent.mkdir(exist_ok=True)
    _make_streams(open_output(output), 1, 2)
    options: dict[str, Any] = {"encoding": "utf-8", "errors": "backslashreplace"}
    sys.stdout, sys.stderr = (
        open(descriptor, "w", buffering=1, closefd=False, **options) for descriptor in (1, 2)
    )


def _make_streams(opened: int, *descriptors: int) -> None:
    """Turn an open file into these descriptors, each of which may be closed or open."""
    file = fcntl.fcntl(opened, fcntl.F_DUPFD_CLOEXEC, _ABOVE_STREAMS)
    os.close(opened)
    for descriptor in descriptors:
        os.dup2(file, descriptor)
    os.close(file)


if __name__ == "__main__":
    serve(sys.argv[1], Connection(int(sys.argv[2]), readable=False))
