"""Which runs can be judged: positive sizes, rates and losses, and one outcome per run.

R runs. All checks are of whole columns, and name the first run that fails.
"""

import numpy as np

from ..errors import TableError
from .axis import Axis
from .table import RunColumns

# Rates beyond are slips of units or of logarithms; between them no square of a rate overflows.
LOWEST_RATE, HIGHEST_RATE = 2.0**-100, 2.0**100


def check_rows(runs: RunColumns, axis: Axis, *, any_sign: bool = False) -> None:
    """Check every run of a table.

    Arguments:
        runs: The runs.
        axis: Words for the sizes.
        any_sign: Whether losses of 0 and below are judged, by a tolerance in units of the loss.

    Raises:
        TableError: If there is no run, or one has a size, rate or loss that cannot be, or two runs
            that should be the same have different losses.
    """
    if not len(runs):
        raise TableError(
            f"judge: got a table without runs, wanted runs at two or more {axis.plural}. Add some."
        )
    is_rate = (runs.lr >= LOWEST_RATE) & (runs.lr <= HIGHEST_RATE)
    if (wrong := np.flatnonzero((runs.size <= 0) | ~is_rate)).size:
        raise TableError(
            f"judge: got a run of {_describe(runs, wrong[0], axis)}, wanted a positive {axis.name} "
            "and a positive learning rate (not its logarithm) between 2^-100 and 2^100. Correct or "
            "remove the row."
        )
    if not any_sign and (wrong := np.flatnonzero(runs.loss <= 0)).size:
        raise TableError(
            f"judge: got loss {runs.loss[wrong[0]]} in the run of "
            f"{_describe(runs, wrong[0], axis)}, wanted a positive loss: regret is a share of the "
            "best one. Give a loss such as cross-entropy, not a score; or a tolerance in units of "
            "the loss, which judges losses of any sign (--tolerance-regret-abs; from Python: "
            "absolute_tolerance)."
        )
    _check_repeats(runs, axis)


def check_sizes(runs: RunColumns, axis: Axis, *, base: int | None) -> None:
    """Check that some scheme was measured at two sizes, and that the base was.

    Arguments:
        runs: The runs.
        axis: Words for the sizes.
        base: Size whose optimum would be used; None for the smallest measured.

    Raises:
        TableError: If it was not.
    """
    sizes, size = np.unique(runs.size, return_inverse=True)
    pairs = np.unique(runs.scheme * len(sizes) + size)
    measured = sizes.tolist()
    if np.bincount(pairs // len(sizes)).max() < 2:
        raise TableError(
            f"judge: got {axis.name} {', '.join(map(str, measured))} alone under every scheme, "
            f"wanted at least two {axis.plural}: transfer is between {axis.plural}. Add runs at "
            f"another {axis.name}."
        )
    if base is not None and base not in measured:
        raise TableError(
            f"judge: got base={base}, wanted one of the measured "
            f"{axis.plural} {', '.join(map(str, measured))}. Choose one of them or add its runs."
        )


def _check_repeats(runs: RunColumns, axis: Axis) -> None:
    order = np.lexsort((runs.seed, runs.lr, runs.size, runs.scheme))  # stable
    keys = (runs.seed[order], runs.lr[order], runs.size[order], runs.scheme[order])
    same = np.logical_and.reduce([key[1:] == key[:-1] for key in keys])
    loss = runs.loss[order]
    wrong = np.flatnonzero(same & (loss[1:] != loss[:-1]))
    if wrong.size:
        first, second = (runs[order[wrong[0] + i]].loss for i in (0, 1))
        raise TableError(
            f"judge: got losses {first} and {second} for the same run "
            f"({_describe(runs, order[wrong[0]], axis)}), wanted one. Remove one, or number the "
            "seeds differently."
        )


def _describe(runs: RunColumns, row: int, axis: Axis) -> str:
    run = runs[row]
    return f"scheme {run.scheme}, {axis.name} {run.size}, lr {run.lr}, seed {run.seed}"
