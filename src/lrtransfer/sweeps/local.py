"""Train runs on this machine: one run per process, one thread per process. Loads no torch."""

import json
import os
import selectors
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any, Self

from ..errors import UserError
from .plan import Run
from .store import Result, Row


@dataclass(frozen=True)
class Failure:
    """State that a run gave no result, through no fault of its learning rate."""

    run: Run
    reason: str


def default_workers() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class LocalWorkers:
    """Keep worker processes, started when first needed, until the end of the context."""

    def __init__(self, count: int) -> None:
        """Allow this many processes at once."""
        self._count = count
        self._idle: list[_Worker] = []
        self._processes = ExitStack()

    def __enter__(self) -> Self:
        """Start nothing yet."""
        return self

    def __exit__(self, *exception: object) -> None:
        """End all processes."""
        self._processes.close()

    def train(self, runs: Iterable[Run]) -> Iterator[tuple[Run, Row | Failure]]:
        """Yield runs with their rows as they finish, in no fixed order.

        A worker that dies costs the run it was training; another takes its place.

        Raises:
            UserError: If a worker cannot start at all.
        """
        waiting = deque(runs)
        with selectors.DefaultSelector() as busy:
            for _ in range(min(self._count, len(waiting))):
                self._engage(waiting.popleft(), busy)
            while busy.get_map():
                for key, _ in busy.select():
                    worker: _Worker = key.data
                    yield from worker.receive()
                    if worker.is_busy:
                        continue
                    busy.unregister(worker.answers)
                    if worker.is_alive:
                        self._idle.append(worker)
                    if waiting:
                        self._engage(waiting.popleft(), busy)

    def _engage(self, run: Run, busy: selectors.BaseSelector) -> None:
        worker = self._idle.pop() if self._idle else self._processes.enter_context(_Worker())
        worker.start(run)
        busy.register(worker.answers, selectors.EVENT_READ, worker)


class _Worker:
    """One worker process and the run it is training."""

    def __init__(self) -> None:
        # Blocked signals stay blocked in the child: Ctrl-C is the driver's to handle, and the
        # child's terminal message would only cover the driver's.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "lrtransfer.sweeps.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests = self._process.stdin
        self.answers = self._process.stdout
        self._run: Run | None = None
        self._is_ready = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.wait()
        with suppress(BrokenPipeError):
            self._requests.close()
        self.answers.close()

    def start(self, run: Run) -> None:
        self._run = run
        # A process that died meanwhile is found out by its answer, the end of its output.
        with suppress(BrokenPipeError):
            self._requests.write(run.identity.encode() + b"\n")
            self._requests.flush()

    def receive(self) -> Iterator[tuple[Run, Row | Failure]]:
        """Yield the run with what the process says of it; nothing for the greeting."""
        line = self.answers.readline()
        if line and not self._is_ready:
            self._is_ready = True
            return
        run, self._run = self._run, None
        assert run is not None  # a worker speaks of the run it was given
        yield run, _read(run, json.loads(line)) if line else Failure(run, self._end())

    @property
    def is_busy(self) -> bool:
        """Whether an answer is awaited."""
        return self._run is not None

    @property
    def is_alive(self) -> bool:
        """Whether the process has not been seen to end."""
        return self._process.returncode is None

    def _end(self) -> str:
        """Return in words how the process ended."""
        code = self._process.wait()
        if not self._is_ready:
            raise UserError(
                f"worker: got exit code {code} before its first run, wanted a process that can "
                "import lrtransfer and torch. Its own message stands above; `lrtransfer doctor` "
                "shows the environment."
            )
        return f"its process ended with {'signal' if code < 0 else 'exit code'} {abs(code)}"


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
