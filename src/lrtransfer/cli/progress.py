"""Progress of training: a bar on a terminal, elsewhere a line every few seconds."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TextIO

from ..sweeps.execute import Listener, Progress
from .plain_text import print_line

SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def show_progress(stream: TextIO) -> Generator[Listener, None, None]:
    """Yield a listener that shows how far the runs are and how long they will take."""
    if not stream.isatty():
        yield _Lines(stream)
        return
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    from .console import PlainConsole

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[runs]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[last]}", markup=False),
    )
    with Bar(*columns, console=PlainConsole(file=stream), transient=True) as bar:
        task = bar.add_task("training", total=1.0, runs="starting workers", last="")

        def show(now: Progress) -> None:
            if now.done == 1:
                bar.reset(task)
            bar.update(
                task, completed=now.share, runs=f"{now.done}/{now.total} runs", last=_describe(now)
            )

        yield show


class _Lines:
    """Listener that prints a line after the first run, the last, and every few seconds between."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._started = time.monotonic()
        self._printed = -SECONDS_BETWEEN_LINES
        self._share = 0.0

    def __call__(self, now: Progress) -> None:
        if now.share < self._share:  # a new round
            self._started = time.monotonic()
        self._share = now.share
        elapsed = time.monotonic() - self._started
        if now.done < now.total and elapsed - self._printed < SECONDS_BETWEEN_LINES:
            return
        self._printed = elapsed
        left = elapsed * (1 - now.share) / now.share
        self._print(
            f"{now.done}/{now.total} runs, {elapsed:.0f} s, about {left:.0f} s left "
            f"({_describe(now)})"
        )

    def _print(self, line: str) -> None:
        """Print a line; a log that is full stops no training, a reader that is gone does."""
        try:
            print_line(line, file=self._stream)
        except BrokenPipeError:
            raise
        except OSError:  # `Output` takes in silence what follows
            return


def _describe(now: Progress) -> str:
    end = " diverged" if now.diverged else ""
    return f"{now.run.scheme} width {now.run.width} lr {now.run.lr:.3g}{end}"
