"""Train runs by the user's own program: one process per run, each in a folder of its own.

Whatever a program does costs its own run only: a crash, a hang or a missing loss is a failure with
the program's last words, and a loss that is not finite is divergence. Loads no torch.
"""

import json
import math
import os
import re
import shlex
import signal
import subprocess
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from ..errors import UserError
from .local import Failure
from .plan import Run
from .store import Result, Row
from .study import TrainerConfig

PATIENCE = 3  # programs that may end well without a loss before any gave one
POLL_SECONDS = 0.05
GRACE_SECONDS = 5.0  # between asking a program to end and ending it
TAIL_LINES = 15  # of a failed program's output that are shown
LOSSES_IN_OUTPUT = 10_000_000  # bytes at the end of the output that are searched for a loss


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
    out: Path
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
        values = _values(run, out)
        try:
            out.mkdir(parents=True, exist_ok=True)
            # A result of an earlier attempt must not be taken for this one's.
            if file := result_file(trainer.loss_from, values):
                file.unlink(missing_ok=True)
            output = _output(values).open("wb")
        except OSError as error:
            raise UserError(
                f"{error.filename}: got '{error.strerror}', wanted a folder and a result file of "
                "the run's own. Choose another --out or --loss-from."
            ) from None
        with output:
            try:
                process = subprocess.Popen(
                    arguments(trainer, values),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise UserError(
                    f"command: got {trainer.command!r} ({error.strerror}), wanted a program that "
                    "can be started. Check its name and that it may be executed."
                ) from None
        return cls(run, attempt, trainer, out, process)

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
        loss = read_loss(self.trainer.loss_from, _values(self.run, self.out))
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
        run, output = self.run, _output(_values(self.run, self.out))
        said = [f"    {line}" for line in _tail(output).splitlines()[-TAIL_LINES:]]
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


def arguments(trainer: TrainerConfig, values: dict[str, str]) -> list[str]:
    """Return the program and its arguments, placeholders filled in.

    Example:
        >>> trainer = TrainerConfig(command="train --lr {lr}", loss_from="stdout:loss (.*)")
        >>> arguments(trainer, {"lr": "0.01"})
        ['train', '--lr', '0.01']
    """
    if trainer.shell:
        quoted = {key: shlex.quote(value) for key, value in values.items()}
        return ["sh", "-c", fill(trainer.command, quoted)]
    return [fill(part, values) for part in shlex.split(trainer.command)]


def fill(text: str, values: dict[str, str]) -> str:
    """Put values in the place of {width}, {lr} and the like; other braces stay.

    Example:
        >>> fill('{"lr": {lr}}', {"lr": "0.01"})
        '{"lr": 0.01}'
    """
    return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], match[0]), text)


def result_file(loss_from: str, values: dict[str, str]) -> Path | None:
    """Return the file that a loss is read from, None if it is read from the output."""
    if loss_from.startswith("stdout:"):
        return None
    return Path(fill(loss_from.rpartition(":")[0], values))


def read_loss(loss_from: str, values: dict[str, str]) -> float | str:
    """Return the loss of a run, or in words why there is none.

    Arguments:
        loss_from: `PATH:KEY` for a key of a JSON file, nested ones joined by dots, or
            `stdout:REGEX` for the first group (or all) of the last match in the output.
        values: The run's values of the placeholders.
    """
    if loss_from.startswith("stdout:"):
        found = re.findall(loss_from.removeprefix("stdout:"), _tail(_output(values)), re.MULTILINE)
        if not found:
            return f"printed nothing that matches {loss_from.removeprefix('stdout:')!r}"
        last = found[-1]
        return _number(last if isinstance(last, str) else last[0])
    file, key = result_file(loss_from, values), loss_from.rpartition(":")[2]
    assert file is not None
    try:
        value: Any = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        return f"left no result: {file} ({error.strerror})"
    except ValueError as error:
        return f"left a result that is not JSON: {file} ({error})"
    try:
        for part in key.split("."):
            value = value[int(part) if isinstance(value, list) else part]
    except (KeyError, IndexError, TypeError, ValueError):
        return f"left a result without {key!r}: {file}"
    return _number(value)


def _number(value: Any) -> float | str:
    """Return a finite or infinite loss; null is what JSON writers make of NaN."""
    try:
        return math.nan if value is None else float(value)
    except (TypeError, ValueError, OverflowError):
        return f"gave {value!r} as its loss, which is no number"


def _values(run: Run, out: Path) -> dict[str, str]:
    return {
        "width": str(run.width),
        "lr": repr(run.lr),
        "seed": str(run.seed),
        "scheme": run.scheme,
        "out": str(out),
    }


def _output(values: dict[str, str]) -> Path:
    """Return where a program's output goes: beside its folder, which it may empty."""
    return Path(f"{values['out']}.txt")


def _unreadable(trainer: TrainerConfig, failure: Failure) -> str:
    return (
        f"trainer.loss_from: got no loss from {trainer.loss_from!r} though {PATIENCE} programs "
        f"ended well, wanted where they leave it. The last one:\n{failure.reason}"
    )


def _tail(path: Path) -> str:
    """Return the end of a file as text."""
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - LOSSES_IN_OUTPUT))
        return file.read().decode(errors="replace")
