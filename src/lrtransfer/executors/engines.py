"""A trainer: our engines, in worker processes of one thread each. Loads no torch.

A worker is a Python process (`worker`) that takes one block after the other.
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import ClassVar, TextIO

from ..errors import UserError
from ..runs.failure import Failure, describe_output, shorten_line
from ..runs.result import TrainedRun
from ..runs.run import RunSpec
from ..study.program import read_end
from .blocks import Block
from .executor import Result
from .folders import locate_output
from .leftovers import mark_study
from .messages import WITHOUT_PIPES, Assignment, BlockAnswer, Ready, name_runs
from .pace import SILENCE, Pace
from .supervised import SupervisedProcess


class Engines:
    """Our engines on one kind of device."""

    patience: ClassVar[float] = 3
    retries: ClassVar[int] = 1

    def __init__(
        self, device: str = "cpu", directory: Path | None = None, *, timeout: float | None = None
    ) -> None:
        """Start nothing yet.

        Arguments:
            device: Where models are trained, such as `cpu`.
            directory: Folder of the study, below which is kept what runs print; None prints it.
            timeout: Seconds that a run may take; None for a multiple of what others of its kind
                took (`pace`).
        """
        self.device = device
        self.directory = directory
        self.pace = Pace(timeout)

    def open(self) -> "EngineWorker":
        """Return a new worker; its process is starting."""
        return EngineWorker(self)

    @property
    def study_mark(self) -> str:
        """The mark of what works for the study."""
        return "" if self.directory is None else mark_study(self.directory)

    def require_usable(self) -> None:
        """Refuse a device on which torch computes nothing, before anything is written.

        Raises:
            UserError: If it does not.
        """
        if self.device == "cpu":
            return
        code = f"import torch; torch.empty(1, device={self.device!r})"
        asked = subprocess.run(
            [sys.executable, "-P", "-c", code],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if asked.returncode:
            said = asked.stderr.decode(errors="replace").strip().splitlines()
            raise UserError(
                f"device: got {self.device!r}, on which torch computes nothing "
                f"({shorten_line(said[-1]) if said else 'it ended'}), wanted one that this machine "
                "and this torch have, such as cpu."
            )


class EngineWorker:
    """A process that trains blocks, and the block that it is training."""

    def __init__(self, trainer: Engines) -> None:
        """Start the process."""
        self._trainer = trainer
        self.answers, child_answers = Pipe(duplex=False)
        child_requests, self._requests = Pipe(duplex=False)
        try:
            # -P: a random.py or torch.py in the user's folder must not be imported.
            self._process = SupervisedProcess(
                [
                    *(sys.executable, "-P", "-m", WORKER, trainer.device),
                    str(child_answers.fileno()),
                ],
                study=trainer.study_mark,
                stdin=child_requests.fileno(),
                stdout=sys.stderr.fileno() if _has_file(sys.stderr) else subprocess.DEVNULL,
                pass_fds=(child_answers.fileno(),),
                environment={"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
            )
        except BaseException:
            self.answers.close()
            self._requests.close()
            raise
        finally:
            child_answers.close()
            child_requests.close()
        self._block: Block = ()
        self._output: Path | None = None
        self._results: Sequence[Result] | None = None
        self._ended_for: str | None = None  # why we ended it
        self._is_ready = False
        self._began = self._heard = time.monotonic()

    def start(self, block: Block) -> None:
        """Begin to train a block."""
        self._block, self._results = block, None
        if self._trainer.directory is not None:
            self._output = locate_output(self._trainer.directory, block[0])
        self._began = self._heard = time.monotonic()
        # A process that died meanwhile is noticed by its answer, the end of its output.
        with suppress(BrokenPipeError):
            self._requests.send(Assignment(block, self._output))

    def has_ended(self) -> bool:
        """Return whether the process has answered or died; end it if it takes too long."""
        # What its own children hold open does not become readable when it dies.
        self._process.poll()
        self._listen()
        if self._results is None and self.is_alive:
            self._ended_for = self._describe_excess()
            if self._ended_for is not None:
                self._process.end(time.monotonic())
        return self._results is not None or not self.is_alive

    def results(self) -> Sequence[Result]:
        """Return what the process says of the runs of its block, or how it ended.

        Raises:
            UserError: If the process ended because it cannot train anything.
        """
        if self._results is None:
            return [(run, self._describe_end(run)) for run in self._block]
        for run, result in self._results:
            if isinstance(result, TrainedRun):
                self._trainer.pace.note(run, result.provenance.seconds)
        self._remove_empty_output()
        return self._results

    @property
    def is_alive(self) -> bool:
        """Whether the process has not been seen to end."""
        return self._process.returncode is None

    def terminate(self) -> None:
        """Ask the process to end."""
        self._process.terminate()

    def close(self, deadline: float) -> None:
        """End the process, if it has not ended: an engine has nothing to put in order."""
        self._process.end(time.monotonic())
        self._remove_empty_output()
        self._requests.close()
        self.answers.close()

    def _listen(self) -> None:
        """Take note of all that the process has said; end it if that is not to be understood."""
        while self._results is None and self._ended_for is None and self.answers.poll():
            try:
                message = self.answers.recv()
            except (EOFError, OSError):  # it died before its answer, or in the middle of it
                self._lose(LOST)
                return
            except Exception as error:  # whatever wrote there, it is no message
                self._lose(f"its process wrote what is no result ({type(error).__name__})")
                return
            self._heard = time.monotonic()
            match message:
                case Ready():
                    self._is_ready, self._began = True, self._heard
                case BlockAnswer(runs=runs, results=results) if runs == name_runs(self._block):
                    self._results = results
                case BlockAnswer():
                    self._lose("its process answered for another run")

    def _lose(self, why: str) -> None:
        """End a process from which no answer can come; most have ended, and say how."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(DYING_SECONDS)
            return
        self._ended_for = why
        self._process.end(time.monotonic())

    def _describe_excess(self) -> str | None:
        """Return in words that the process takes too long; None if it does not."""
        now = time.monotonic()
        if not self._is_ready:
            late = now - self._began > SILENCE
            return f"its process was not ready to train after {SILENCE:g} s" if late else None
        taken, silent = (now - self._began) / len(self._block), now - self._heard
        excess = self._trainer.pace.describe_excess(self._block[0], taken=taken, silent=silent)
        return excess and f"{excess}, and was ended; --timeout gives another limit"

    def _describe_end(self, run: RunSpec) -> Failure:
        """Return in words how the process ended."""
        code = self._process.wait()
        if code > 0 and not self._is_ready:
            raise UserError(
                f"worker: got exit code {code} before its first result, wanted a process that can "
                "import lrtransfer and torch. Its own message stands above; `lrtransfer doctor` "
                "shows the environment."
            )
        how = f"its process ended with {'signal' if code < 0 else 'exit code'} {abs(code)}"
        why = self._ended_for or (LOST if code == WITHOUT_PIPES else how)
        printed = "" if self._output is None else read_end(self._output)
        if not printed.strip():
            return Failure(run, why, may_pass=code < 0)
        lines = [*describe_output(printed), f"{why}; all it printed: {self._output}"]
        return Failure(run, "\n".join(lines), may_pass=code < 0, kind=why)

    def _remove_empty_output(self) -> None:
        if self._output is not None:
            with suppress(OSError):
                if not self._output.stat().st_size:
                    self._output.unlink()


WORKER = f"{__package__}.worker"
LOST = "its process closed the pipe that results come on"
DYING_SECONDS = 2.0  # between the end of a process's pipe and its own


def _has_file(stream: TextIO) -> bool:
    """Return whether a stream is a file of the operating system (in a notebook it is not)."""
    try:
        stream.fileno()
    except OSError:
        return False
    return True
