"""Blocks: runs of one kind, which an engine may train together."""

from collections.abc import Iterable, Iterator

from ..runs.run import RunSpec

Block = tuple[RunSpec, ...]


def split_into_blocks(runs: Iterable[RunSpec], *, size: int = 1) -> Iterator[Block]:
    """Yield blocks of runs of one cost class, the class of the first run first.

    Arguments:
        runs: The runs, the costly ones first.
        size: Largest number of runs in a block.
    """
    kinds: dict[object, list[RunSpec]] = {}
    for run in runs:
        kinds.setdefault(run.cost_class if size > 1 else run.id, []).append(run)
    for members in kinds.values():
        for start in range(0, len(members), size):
            yield tuple(members[start : start + size])
