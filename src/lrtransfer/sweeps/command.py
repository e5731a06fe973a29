"""Train runs by the user's own program: one process per run, each in a folder of its own.

Whatever a program does costs its own run only: a crash, a hang or a missing loss is a failure with
the program's last words, and a loss that is not finite is divergence. Loads no torch.
"""

import json
import math
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from ..errors import UserError
from .local import Failure
from .plan import Run
from .store import Result, Row
from .trainer import TrainerConfig, arguments, end_of, read_loss, result_file

PATIENCE = 3  # programs that may end well without a loss before any gave one
POLL_SECONDS = 0.05
GRACE_SECONDS = 5.0  # between asking a program to end and ending it
TAIL_LINES = 15  # of a failed program's output that are shown


class CommandWorkers:
    """Run at most so many programs at once, until the end of the context."""

    def __init__(self, trainer: TrainerConfig, directory: Path, count: int) -> None:
        """Keep the runs' folders in this one."""
        self._trainer = trainer
        self._directory = directory
        self._count = count
        self._going: list[_Program] = []

    def __enter__(self) -> Self:
        """Start nothing yet."""
        return self

    def __exit__(self, *exception: object) -> None:
        """End all programs and what they started."""
        _end(self._going)

    def train(self, runs: Iterable[Run]) -> Iterator[tuple[Run, Row | Failure]]:
        """Yield runs with their rows as their programs end, in no fixed order.

        A run that failed is tried again as often as the trainer's `retries` say.

        Raises:
            UserError: If the first programs end well and leave no loss: then `loss_from` is wrong.
        """
        waiting = deque((run, 0) for run in runs)
        unread, has_loss = 0, False
        while waiting or self._going:
            while waiting and len(self._going) < self._count:
                run, attempt = waiting.popleft()
                self._going.append(_Program.start(run, attempt, self._trainer, self._directory))
            ended = [program for program in self._going if program.has_ended()]
            for program in ended:
                self._going.remove(program)
                answer = program.answer()
                has_loss |= isinstance(answer, Row)
                ended_well = program.process.returncode == 0 and not program.timed_out
                if isinstance(answer, Failure) and ended_well:
                    unread += 1
                    if unread >= PATIENCE and not has_loss:
                        raise UserError(_unreadable(self._trainer, answer))
                elif isinstance(answer, Failure) and program.attempt < self._trainer.retries:
                    waiting.append((program.run, program.attempt + 1))
                    continue
                yield program.run, answer
            if not ended:
                time.sleep(POLL_SECONDS)


@dataclass
class _Program:
    """One program and the run it trains."""

    run: Run
    attempt: int
    trainer: TrainerConfig
    values: dict[str, str]
    output: Path  # beside the run's folder, which the program may empty
    process: "subprocess.Popen[bytes]"
    started: float = field(default_factory=time.monotonic)
    timed_out: bool = False

    @classmethod
    def start(cls, run: Run, attempt: int, trainer: TrainerConfig, directory: Path) -> Self:
        """Start the program in a session of its own, its output going to a file.

        Raises:
            UserError: If it cannot be started.
        """
        out = (directory / "runs" / run.id[:16]).absolute()
        values, output = _values(run, out), out.with_suffix(".txt")
        try:
            out.mkdir(parents=True, exist_ok=True)
            # A result of an earlier attempt must not be taken for this one's.
            if file := result_file(trainer.loss_from, values):
                file.unlink(missing_ok=True)
            writing = output.open("wb")
        except OSError as error:
            raise UserError(
                f"{error.filename}: got '{error.strerror}', wanted a folder and a result file of "
                "the run's own. Choose another --out or --loss-from."
            ) from None
        with writing:
            try:
                process = subprocess.Popen(
                    arguments(trainer, values),
                    stdin=subprocess.DEVNULL,
                    stdout=writing,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise UserError(
                    f"command: got {trainer.command!r} ({error.strerror}), wanted a program that "
                    "can be started. Check its name and that it may be executed."
                ) from None
        return cls(run, attempt, trainer, values, output, process)

    def has_ended(self) -> bool:
        """Tell whether the program has ended; end it if it took too long."""
        if self.process.poll() is not None:
            self.send(signal.SIGKILL)  # what it left running would hold memory from the next run
            return True
        limit = self.trainer.timeout
        if limit is not None and time.monotonic() - self.started > limit:
            self.timed_out = True
            _end([self])
        return self.timed_out

    def send(self, sent: signal.Signals) -> None:
        """Send a signal to the program and what it started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, sent)

    def answer(self) -> Row | Failure:
        """Return the run's row, or why there is none."""
        if self.timed_out:
            return self._failure(f"took longer than {self.trainer.timeout:g} s and was ended")
        code = self.process.returncode
        loss = read_loss(self.trainer.loss_from, self.values, self.output)
        diverged = isinstance(loss, float) and not math.isfinite(loss)
        if code != 0 and not diverged:
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            return self._failure(f"ended with {how}")
        if isinstance(loss, str):
            return self._failure(loss)
        record = {"engine": "command", "seconds": round(time.monotonic() - self.started, 3)}
        result = Result("non-finite" if diverged else "finished", None if diverged else loss, ())
        return Row(self.run.id, self.run.identity, result, record)

    def _failure(self, why: str) -> Failure:
        """Return a failure whose last line sums it up, after the end of what was printed."""
        run, output = self.run, self.output
        said = [f"    {line}" for line in end_of(output).splitlines()[-TAIL_LINES:]]
        which = f"{run.scheme}, width {run.width}, lr {run.lr:.4g}, seed {run.seed}"
        return Failure(run, "\n".join([*said, f"{which}: {why}; all it printed: {output}"]))


def _end(programs: Sequence[_Program]) -> None:
    """End programs and what they started: ask first, then kill."""
    for program in programs:
        program.send(signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    for program in programs:
        with suppress(subprocess.TimeoutExpired):
            program.process.wait(max(0.0, deadline - time.monotonic()))
    for program in programs:
        program.send(signal.SIGKILL)
        program.process.wait()


def _values(run: Run, out: Path) -> dict[str, str]:
    own = json.loads(run.settings).get("values", {})
    return {key: str(value) for key, value in own.items()} | {
        "width": str(run.width),
        "lr": repr(run.lr),
        "seed": str(run.seed),
        "scheme": run.scheme,
        "out": str(out),
    }


def _unreadable(trainer: TrainerConfig, failure: Failure) -> str:
    return (
        f"trainer.loss_from: got no loss from {trainer.loss_from!r} though {PATIENCE} programs "
        f"ended well, wanted where they leave it. The last one:\n{failure.reason}"
    )
