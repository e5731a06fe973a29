"""What the tables of one tracker have of their own."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """The words of one tracker, by which its tables are read as they come.

    A tracker puts a prefix before the user's names, so that `params.lr` means lr, may have a column
    of its own for the value that was minimized, and says in words how a run ended.

    Attributes:
        prefixes: Prefixes of columns, before a dot, slash or underscore.
        losses: Columns of the value that was minimized, the best first.
        unfinished: States of runs that did not end, in small letters.
    """

    prefixes: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
    unfinished: frozenset[str] = frozenset()
