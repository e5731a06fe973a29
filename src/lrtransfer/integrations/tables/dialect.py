"""What the tables of one tracker have of their own."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """The words of one tracker, by which its tables are read as they come.

    A tracker puts a prefix before the user's names, so that `params.lr` means lr, may have a column
    of its own for the value that was minimized, and says in words how a run ended.

    Attributes:
        settings: Prefixes of what was set before a run, before a dot, slash, underscore or space.
        metrics: Prefixes of what a run gave.
        others: Prefixes that say neither.
        losses: Columns of the value that was minimized, the best first.
        finished: States of runs that ended as they should, in small letters.
        unfinished: States of runs that did not end.
    """

    settings: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
    finished: frozenset[str] = frozenset()
    unfinished: frozenset[str] = frozenset()
