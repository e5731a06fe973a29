"""Train runs on this machine: one run per process, one thread per process. Loads no torch."""

import json
import math
import os
import select
import selectors
import signal
import subprocess
import sys
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self, TextIO

from ..errors import UserError
from .plan import Kind, Run
from .store import Result, Row

PATIENCE = 3  # runs of a kind that may fail before any gave a result
POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Failure:
    """State that a run gave no result, through no fault of its learning rate.

    Attributes:
        run: The run.
        reason: What went wrong, in the last line; before it, where.
    """

    run: Run
    reason: str


def default_workers() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class LocalWorkers:
    """Keep worker processes, started when first needed, until the end of the context."""

    def __init__(self, count: int, *, device: str = "cpu", path: str | None = None) -> None:
        """Allow this many processes at once, on a device, with data from files at a path."""
        self._count = count
        self._place = json.dumps({"device": device, "path": path})
        self._idle: list[_Worker] = []
        self._busy = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        """Start nothing yet."""
        return self

    def __exit__(self, *exception: object) -> None:
        """End all processes, whatever they are doing."""
        for worker in (*self._idle, *(key.data for key in self._busy.get_map().values())):
            worker.close()
        self._busy.close()

    def train(self, runs: Iterable[Run]) -> Iterator[tuple[Run, Row | Failure]]:
        """Yield runs with their rows as they finish, in no fixed order.

        A worker that dies costs the run it was training; another takes its place. Where the first
        runs of one kind (width and settings) all fail, the rest of that kind is not tried.

        Raises:
            UserError: If a worker cannot start at all.
        """
        waiting, failures = deque(runs), defaultdict[Kind, float](float)
        for _ in range(min(self._count, len(waiting))):
            self._engage(waiting.popleft())
        while self._busy.get_map():
            for worker in self._ended():
                run, answer = worker.receive()
                self._release(worker)
                failures[run.kind] += 1 if isinstance(answer, Failure) else -math.inf
                if failures[run.kind] >= PATIENCE:
                    waiting = deque(other for other in waiting if other.kind != run.kind)
                if waiting:
                    self._engage(waiting.popleft())
                yield run, answer

    def _ended(self) -> "list[_Worker]":
        """Return the workers that have answered or died, as soon as there are any."""
        ready = [key.data for key, _ in self._busy.select(timeout=POLL_SECONDS)]
        # What a worker's own children hold open does not become readable when it dies.
        return ready or [key.data for key in self._busy.get_map().values() if key.data.has_died()]

    def _engage(self, run: Run) -> None:
        worker = self._idle.pop() if self._idle else _Worker(self._place)
        worker.start(run)
        self._busy.register(worker.answers, selectors.EVENT_READ, worker)

    def _release(self, worker: "_Worker") -> None:
        self._busy.unregister(worker.answers)
        if worker.is_alive:
            self._idle.append(worker)
        else:
            worker.close()


class _Worker:
    """One worker process and the run it is training.

    The process answers every request with one line, so that a readable pipe holds one answer.
    """

    def __init__(self, place: str) -> None:
        reading, writing = os.pipe()
        # Blocked signals stay blocked in the child: Ctrl-C is the driver's to handle.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            # -P: a random.py or torch.py in the user's folder must not be imported.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "lrtransfer.sweeps.worker", str(writing), place],
                stdin=subprocess.PIPE,
                stdout=sys.stderr.fileno() if _has_file(sys.stderr) else subprocess.DEVNULL,
                pass_fds=(writing,),
                env=os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            os.close(writing)
        assert self._process.stdin is not None
        self._requests = self._process.stdin
        self.answers = os.fdopen(reading, "rb")
        self._run: Run | None = None
        self._has_answered = False

    def start(self, run: Run) -> None:
        self._run = run
        # A process that died meanwhile is found out by its answer, the end of its output.
        with suppress(BrokenPipeError):
            self._requests.write(run.identity.encode() + b"\n")
            self._requests.flush()

    def receive(self) -> tuple[Run, Row | Failure]:
        """Return the run with what the process says of it.

        Raises:
            UserError: If the process ended because it cannot train anything.
        """
        assert self._run is not None
        run, self._run = self._run, None
        line = b"" if self._is_silent() else self.answers.readline()
        if line.endswith(b"\n"):
            self._has_answered = True
            return run, _read(run, json.loads(line))
        return run, Failure(run, self._end())

    def has_died(self) -> bool:
        """Tell whether the process has ended."""
        return self._process.poll() is not None

    def _is_silent(self) -> bool:
        """Tell whether the process has ended and left no answer."""
        return self.has_died() and not select.select([self.answers], [], [], 0)[0]

    @property
    def is_alive(self) -> bool:
        """Whether the process has not been seen to end."""
        return self._process.returncode is None

    def close(self) -> None:
        """End the process, if it has not ended."""
        self._process.kill()
        self._process.wait()
        with suppress(BrokenPipeError):
            self._requests.close()
        self.answers.close()

    def _end(self) -> str:
        """Return in words how the process ended."""
        code = self._process.wait()
        if code > 0 and not self._has_answered:
            raise UserError(
                f"worker: got exit code {code} before its first result, wanted a process that can "
                "import lrtransfer and torch. Its own message stands above; `lrtransfer doctor` "
                "shows the environment."
            )
        return f"its process ended with {'signal' if code < 0 else 'exit code'} {abs(code)}"


def _has_file(stream: TextIO) -> bool:
    """Return whether a stream is a file of the operating system (in a notebook it is not)."""
    try:
        stream.fileno()
    except OSError:
        return False
    return True


def _read(run: Run, message: dict[str, Any]) -> Row | Failure:
    if "error" in message:
        return Failure(run, message["error"])
    result = message["result"]
    return Row(
        run.id,
        run.identity,
        Result(result["status"], result["loss"], tuple(result["curve"])),
        message["record"],
    )
