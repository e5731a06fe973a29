"""Where in a study's folder each run keeps what is its own. Loads no torch."""

import os
from pathlib import Path

from ..runs.run import RunSpec

RUNS_FOLDER = "runs"


def locate_folder(directory: Path, run: RunSpec) -> Path:
    """Return the folder of a run, whether or not it is there."""
    return (directory / RUNS_FOLDER / run.id[:16]).absolute()


def locate_output(directory: Path, run: RunSpec) -> Path:
    """Return the file of what a run prints: beside its folder, which a program may empty."""
    return locate_folder(directory, run).with_suffix(".txt")


def open_output(path: Path) -> int:
    """Return a descriptor of the file of what a run prints, emptied; a link is not followed.

    Raises:
        OSError: If that cannot be.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    return os.open(path, flags, 0o666)
