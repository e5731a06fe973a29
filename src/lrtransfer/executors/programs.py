"""A trainer: the user's own program, one process per run, each in a folder of its own.

Whatever a program does costs its own run only: a crash, a hang or a missing loss is a failure with
the program's last words, and a loss that is not finite is divergence. Loads no torch.
"""

import math
import os
import subprocess
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

from ..errors import UserError
from ..runs.failure import Failure, describe_output, shorten_line
from ..runs.result import Provenance, TrainedRun
from ..runs.run import ProgramSettings, RunSpec
from ..study.program import (
    Program,
    describe_start_error,
    fill_command,
    find_start_error,
    locate_result,
    read_end,
    read_loss,
)
from ..training.outcome import Outcome
from .blocks import Block
from .executor import GRACE_SECONDS, Result
from .folders import locate_folder, locate_output, open_output
from .leftovers import mark_study
from .supervised import SupervisedProcess

UNREADABLE = 3  # programs that may end well without a loss before any gave one
ORPHAN_SECONDS = 3.0  # that a program has to end by itself when the driver is gone


class Programs:
    """The user's program."""

    name: ClassVar[str] = "command"
    patience: ClassVar[float] = math.inf

    def __init__(self, program: Program, directory: Path, *, timeout: float | None = None) -> None:
        """Start nothing yet.

        Arguments:
            program: How it is called.
            directory: Holds the runs' folders.
            timeout: Seconds that a run may take; None for what the program's settings say.
        """
        self.program = program
        self.directory = directory
        self.timeout = timeout or program.timeout
        self._without_loss = 0
        self._has_loss = False

    @property
    def retries(self) -> int:
        """How often a run is tried again that crashed or took too long."""
        return self.program.retries

    def open(self) -> "ProgramWorker":
        """Return a worker that starts a process for each run."""
        return ProgramWorker(self)

    def require_usable(self) -> None:
        """Refuse a program that cannot be started, before anything is written.

        Raises:
            UserError: If it cannot.
        """
        if error := find_start_error(self.program):
            raise UserError(describe_start_error(self.program, error))

    def take_note(self, result: TrainedRun | Failure) -> None:
        """Count the programs that end well and leave no loss.

        Raises:
            UserError: If the first ones leave none: then `loss_from` names the wrong place.
        """
        self._has_loss |= isinstance(result, TrainedRun)
        if isinstance(result, Failure) and not result.may_pass:
            self._without_loss += 1
            if self._without_loss >= UNREADABLE and not self._has_loss:
                raise UserError(
                    f"trainer.loss_from: got no loss from {self.program.loss_from!r} though "
                    f"{UNREADABLE} programs ended well, wanted where they leave it. The last one:"
                    f"\n{result.reason}"
                )


class ProgramWorker:
    """Processes of the user's program, one after the other."""

    answers: ClassVar[None] = None
    is_alive: ClassVar[bool] = True

    def __init__(self, trainer: Programs) -> None:
        """Start nothing yet."""
        self._trainer = trainer
        self._waiting = deque[RunSpec]()
        self._process: _Process | None = None
        self._results: list[Result] = []

    def start(self, block: Block) -> None:
        """Start the process of the first run of a block."""
        self._waiting, self._results = deque(block), []
        self._start_next()

    def has_ended(self) -> bool:
        """Return whether all runs of the block have ended; start the next where one has."""
        if self._process is not None and self._process.has_ended():
            self._results.append((self._process.run, self._process.read_result()))
            self._start_next()
        return self._process is None

    def results(self) -> Sequence[Result]:
        """Return what came of every run of the block.

        Raises:
            UserError: If the first programs end well and leave no loss.
        """
        for _, result in self._results:
            self._trainer.take_note(result)
        return self._results

    def terminate(self) -> None:
        """Ask the process and what it started to end."""
        if self._process is not None:
            self._process.process.terminate()

    def close(self, deadline: float) -> None:
        """End the process and what it started."""
        if self._process is not None:
            self._process.process.end(deadline)

    def _start_next(self) -> None:
        self._process = None
        if self._waiting:
            self._process = _Process.start(self._waiting.popleft(), self._trainer)


@dataclass
class _Process:
    """One process of the program, in a session of its own, and the run it trains."""

    run: RunSpec
    program: Program
    values: dict[str, str]
    output: Path
    timeout: float | None
    process: SupervisedProcess
    started: float = field(default_factory=time.monotonic)
    forced_at: float | None = None  # when it is ended by force, where it took too long

    @classmethod
    def start(cls, run: RunSpec, trainer: Programs) -> Self:
        """Start the program in a session of its own, its output going to a file.

        Raises:
            UserError: If its files cannot be made.
        """
        program, out = trainer.program, locate_folder(trainer.directory, run)
        values, output = _list_values(run, out), locate_output(trainer.directory, run)
        try:
            out.mkdir(parents=True, exist_ok=True)
            # A result of an earlier attempt must not be taken for this one's.
            if file := locate_result(program.loss_from, values):
                file.unlink(missing_ok=True)
            writing = open_output(output)
        except OSError as error:
            raise UserError(
                f"{error.filename}: got '{error.strerror}', wanted a folder and a result file of "
                "the run's own. Choose another --out or --loss-from."
            ) from None
        try:
            process = SupervisedProcess(
                fill_command(program, values),
                grace=ORPHAN_SECONDS,
                study=mark_study(trainer.directory),
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=subprocess.STDOUT,
            )
        finally:
            os.close(writing)
        return cls(run, program, values, output, trainer.timeout, process)

    def has_ended(self) -> bool:
        """Tell whether the program has ended; end it if it takes too long."""
        if self.process.poll() is not None:
            return True
        now, limit = time.monotonic(), self.timeout
        if self.forced_at is None and limit is not None and now - self.started > limit:
            self.forced_at = now + GRACE_SECONDS
            self.process.terminate()
        if self.forced_at is not None and now > self.forced_at:
            self.process.end(now)
        return self.process.poll() is not None

    def read_result(self) -> TrainedRun | Failure:
        """Return what came of the run, or why there is nothing.

        Raises:
            UserError: If the program could not be started.
        """
        if error := self.process.start_error:
            raise UserError(describe_start_error(self.program, error))
        if self.forced_at is not None:
            why = f"took longer than {self.timeout:g} s and was ended"
            return self._describe_failure(why, may_pass=True)
        code = self.process.wait()
        loss = read_loss(self.program.loss_from, self.values, self.output)
        diverged = isinstance(loss, float) and not math.isfinite(loss)
        if code != 0 and not diverged:
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            return self._describe_failure(f"ended with {how}", may_pass=True)
        if isinstance(loss, str):
            return self._describe_failure(loss, may_pass=False)
        seconds = round(time.monotonic() - self.started, 3)
        outcome = Outcome("non-finite", None, ()) if diverged else Outcome("finished", loss, ())
        provenance = Provenance(engine=Programs.name, seconds=seconds)
        return TrainedRun(self.run.id, self.run.identity, outcome, provenance)

    def _describe_failure(self, why: str, *, may_pass: bool) -> Failure:
        """Return a failure whose last line sums it up, after the end of what was printed."""
        run, output = self.run, self.output
        tail, why = describe_output(read_end(output)), shorten_line(why)
        which = f"{run.scheme}, width {run.width}, lr {run.lr:.4g}, seed {run.seed}"
        reason = "\n".join([*tail, f"{which}: {why}; all it printed: {output}"])
        return Failure(run, reason, may_pass, kind="\n".join([*tail, why]))


def _list_values(run: RunSpec, out: Path) -> dict[str, str]:
    """Return what the placeholders of the command stand for in a run."""
    users = run.settings.values if isinstance(run.settings, ProgramSettings) else {}
    return {key: str(value) for key, value in users.items()} | {
        "width": str(run.width),
        "lr": repr(run.lr),
        "seed": str(run.seed),
        "scheme": run.scheme,
        "out": str(out),
    }
