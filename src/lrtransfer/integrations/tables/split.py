"""Runs by two sizes: a controlled variable becomes the second size, and a pair of sizes a cell."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ...errors import TableError
from ...scaling import FloatArray
from ...statistics.batches import LEAST_BATCHES
from ...statistics.curves.columns import BoolArray
from .attempts import Attempts
from .cells import combine_codes, encode

_FOLLOWS = {"tokens": "steps", "steps": "tokens", "batch": "steps"}  # at a fixed other setting


def split_cells(attempts: Attempts, second: str) -> tuple[Attempts, tuple[tuple[int, int], ...]]:
    """Return runs whose sizes are numbers of cells, from 1, and the sizes of every cell.

    Arguments:
        attempts: Runs of one size, of which the second is a controlled variable.
        second: Field of the second size.

    Raises:
        TableError: If no run has a second size, or it is not whole.
    """
    values = attempts.controlled.get(second, np.full(len(attempts), np.nan))
    known = ~np.isnan(values)
    if not known.any() or (values[known] % 1 != 0).any() or (values[known] <= 0).any():
        raise TableError(
            f"along: got no column of positive whole numbers for {second}, wanted one beside the "
            f"other size. Name it with --columns {second}=NAME, or choose one axis."
        )
    attempts = attempts.take(known)
    pairs, cell = np.unique(np.stack((attempts.size, values[known])), axis=1, return_inverse=True)
    held = _hold(attempts.controlled, second)
    numbers = cell.reshape(-1).astype(np.float64) + 1
    sizes = tuple((int(a), int(b)) for a, b in pairs.T)
    return replace(attempts, size=numbers, controlled=held), sizes


def _hold(controlled: Mapping[str, FloatArray], second: str) -> dict[str, FloatArray]:
    """Return what stays a controlled variable where another one varies."""
    varied = {second}
    if second != "batch" or not np.isnan(controlled.get("tokens", np.array([np.nan]))).all():
        varied.add(_FOLLOWS.get(second, second))
    return {field: values for field, values in controlled.items() if field not in varied}


def take_batches(attempts: Attempts, kept: BoolArray) -> BoolArray:
    """Return the runs that differ from those judged in their batch size at most.

    Arguments:
        attempts: All runs of a table.
        kept: Those that are judged.

    Returns:
        The runs of all schemes and sizes with `LEAST_BATCHES` batch sizes or more; none where the
        batch size is not known, or what the table goes along.
    """
    batch = attempts.controlled.get("batch", np.full(len(attempts), np.nan))
    usable = (batch > 0) & (batch % 1 == 0)
    if not usable.any():
        return np.zeros(len(attempts), dtype=np.bool_)
    held = [encode(values) for values in _hold(attempts.controlled, "batch").values()]
    setting = combine_codes(*held) if held else np.zeros(len(attempts), dtype=np.int64)
    judged = kept & ~attempts.is_diverged
    counts = np.zeros((int(attempts.group.max()) + 1, int(setting.max()) + 1), dtype=np.int64)
    np.add.at(counts, (attempts.group[judged], setting[judged]), 1)
    usable &= setting == counts.argmax(axis=1)[attempts.group]
    tried = np.unique(np.stack((attempts.group[usable], batch[usable].astype(np.int64))), axis=1)
    enough = np.bincount(tried[0], minlength=len(counts)) >= LEAST_BATCHES
    taken: BoolArray = usable & enough[attempts.group]
    return taken
