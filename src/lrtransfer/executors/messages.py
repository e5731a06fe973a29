"""What a worker process of ours and its starter say to each other. Loads no torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .blocks import Block
from .executor import Result

WITHOUT_PIPES = 76  # exit code of a worker whose pipes the user's code closed (EX_PROTOCOL)


@dataclass(frozen=True)
class Assignment:
    """To the worker: train a block.

    Attributes:
        block: The runs.
        output: File for what is printed meanwhile; None for the worker's own output.
    """

    block: Block
    output: Path | None


@dataclass(frozen=True)
class Ready:
    """From the worker: it has loaded what it needs. If it ends from now on, a run has ended it."""


@dataclass(frozen=True)
class StepMade:
    """From the worker: the run goes on."""


@dataclass(frozen=True)
class BlockAnswer:
    """From the worker: what came of a block.

    Attributes:
        runs: Ids of the runs of the block.
        results: What came of each.
    """

    runs: tuple[str, ...]
    results: Sequence[Result]


def name_runs(block: Block) -> tuple[str, ...]:
    """Return the ids of the runs of a block, by which its answer is told from any other."""
    return tuple(run.id for run in block)
