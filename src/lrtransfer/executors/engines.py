"""A trainer: our engines, in worker processes of one thread each. Loads no torch.

A worker is a Python process (`worker`) that takes one block after the other.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Pipe
from typing import ClassVar, TextIO

from ..errors import UserError
from ..runs.failure import Failure
from .blocks import Block
from .executor import Result


@dataclass(frozen=True)
class Engines:
    """Our engines on one kind of device.

    Attributes:
        device: Where models are trained, such as `cpu`.
    """

    patience: ClassVar[float] = 3
    retries: ClassVar[int] = 0

    device: str = "cpu"

    def open(self) -> "EngineWorker":
        """Return a new worker; its process is starting."""
        return EngineWorker(self.device)


class EngineWorker:
    """A process that trains blocks, and the block that it is training.

    It answers every block once, so that a readable pipe holds one answer.
    """

    def __init__(self, device: str) -> None:
        """Start the process."""
        self.answers, child_answers = Pipe(duplex=False)
        child_requests, self._requests = Pipe(duplex=False)
        # Blocked signals stay blocked in the child: Ctrl-C is the driver's to handle.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            # -P: a random.py or torch.py in the user's folder must not be imported.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", WORKER, device, str(child_answers.fileno())],
                stdin=child_requests.fileno(),
                stdout=sys.stderr.fileno() if _has_file(sys.stderr) else subprocess.DEVNULL,
                pass_fds=(child_answers.fileno(),),
                env=os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            child_answers.close()
            child_requests.close()
        self._block: Block = ()
        self._has_answered = False

    def start(self, block: Block) -> None:
        """Begin to train a block."""
        self._block = block
        # A process that died meanwhile is noticed by its answer, the end of its output.
        with suppress(BrokenPipeError):
            self._requests.send(block)

    def has_ended(self) -> bool:
        """Return whether the process has answered or died."""
        # What its own children hold open does not become readable when it dies.
        return self.answers.poll() or self._process.poll() is not None

    def results(self) -> Sequence[Result]:
        """Return what the process says of the runs of its block, or how it ended.

        Raises:
            UserError: If the process ended because it cannot train anything.
        """
        # A process that died before its answer, or in the middle of it, leaves the end of a file.
        with suppress(EOFError, OSError):
            if self.answers.poll():
                results: Sequence[Result] = self.answers.recv()
                self._has_answered = True
                return results
        end = self._describe_end()
        return [(run, Failure(run, end)) for run in self._block]

    @property
    def is_alive(self) -> bool:
        """Whether the process has not been seen to end."""
        return self._process.returncode is None

    def terminate(self) -> None:
        """End the process: an engine has nothing to put in order."""
        self._process.kill()

    def close(self, deadline: float) -> None:
        """End the process, if it has not ended."""
        self._process.kill()
        self._process.wait()
        self._requests.close()
        self.answers.close()

    def _describe_end(self) -> str:
        """Return in words how the process ended."""
        code = self._process.wait()
        if code > 0 and not self._has_answered:
            raise UserError(
                f"worker: got exit code {code} before its first result, wanted a process that can "
                "import lrtransfer and torch. Its own message stands above; `lrtransfer doctor` "
                "shows the environment."
            )
        return f"its process ended with {'signal' if code < 0 else 'exit code'} {abs(code)}"


WORKER = f"{__package__}.worker"


def _has_file(stream: TextIO) -> bool:
    """Return whether a stream is a file of the operating system (in a notebook it is not)."""
    try:
        stream.fileno()
    except OSError:
        return False
    return True
