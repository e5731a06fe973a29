"""The blocks that wait to be trained: in which order, and which are given up. Loads no torch."""

from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable

from ..runs.failure import Failure
from ..runs.result import TrainedRun
from ..runs.run import RunSpec
from .blocks import Block

FIRST_TRIES = 3  # runs of a kind that fail before other kinds are tried, while none gave a result


class Agenda:
    """The blocks that wait.

    A run whose failure may pass is tried again: at once while none of its kind gave a result, so
    that what never works is soon known; else after the others, when the cause may be gone.
    """

    def __init__(
        self,
        blocks: Iterable[Block],
        *,
        retries: int,
        patience: float,
        proven: Collection[object] = (),
    ) -> None:
        """Let all blocks wait.

        Arguments:
            blocks: In the order in which they are to be trained.
            retries: How often a run whose failure may pass is tried again.
            patience: Runs of a kind that may fail before any gave a result; then the rest of the
                kind is not tried.
            proven: Kinds of which some run gave a result before.
        """
        self._waiting = deque(blocks)
        self._retries, self._patience = retries, patience
        self._retried = Counter[str]()
        self._failed = defaultdict[object, int](int)  # by kind
        self._proven = set(proven)

    def take(self) -> Block | None:
        """Return the next block; None if none is to be trained as things stand.

        While no run at all gave a result, kinds of which the first runs failed wait for the others:
        where all kinds fail, the cause lies with the study, and the rest is not tried.
        """
        for index, block in enumerate(self._waiting):
            if self._proven or self._failed[block[0].cost_class] < FIRST_TRIES:
                del self._waiting[index]
                return block
        return None

    def settle(self, run: RunSpec, result: TrainedRun | Failure) -> bool:
        """Take note of what came of a run, and return whether that is final."""
        kind = run.cost_class
        if isinstance(result, TrainedRun):
            self._proven.add(kind)
            return True
        if result.may_pass and self._retried[run.id] < self._retries:
            self._retried[run.id] += 1
            again = self._waiting.append if kind in self._proven else self._waiting.appendleft
            again((run,))
            return False
        self._failed[kind] += 1
        if kind not in self._proven and self._failed[kind] >= self._patience:
            self._waiting = deque(b for b in self._waiting if b[0].cost_class != kind)
        return True
