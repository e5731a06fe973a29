"""The largest problems that are taken on: what is larger would take days, or all memory.

Within these bounds a computation may still be long; beyond them a slip of the pen is likelier.
"""

from ..errors import UserError

LARGEST = {
    "depth": 10_000,
    "steps": 10_000,
    "width": 100_000,  # a hidden matrix of 80 GB
    "seeds": 100_000,
    "draws": 1_000_000,
}


def require_bearable(**sizes: int) -> None:
    """Refuse sizes beyond the largest.

    Arguments:
        **sizes: Sizes by name, one of `LARGEST` each.

    Raises:
        UserError: If one is larger; the message names it.

    Example:
        >>> require_bearable(steps=10**8)
        Traceback (most recent call last):
        lrtransfer.errors.UserError: steps: got 100,000,000, wanted at most 10,000. Lower it.
    """
    for name, size in sizes.items():
        if size > LARGEST[name]:
            raise UserError(f"{name}: got {size:,}, wanted at most {LARGEST[name]:,}. Lower it.")
