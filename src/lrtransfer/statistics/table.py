"""The runs of a study as loss curves.

S seeds, K learning rates. A curve belongs to one scheme and one size; its learning rates are
kept as log2. Divergence is data: a diverged run is +inf, a run that was not made is NaN. A loss
beyond the largest float of a model is a divergence, too.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..errors import TableError
from ..scaling import FloatArray

Int64Array = npt.NDArray[np.int64]

# No float32 is larger, and no bfloat16: whoever writes more means infinity, as MLflow does.
LARGEST_LOSS = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Observation:
    """Outcome of one run: its final held-out loss, or that it diverged.

    Attributes:
        scheme: Name of the scheme.
        size: Size n along the axis that is varied.
        lr: Learning rate, not its logarithm.
        seed: Seed of initial weights and batches.
        loss: Final loss; None, or not finite, if the run diverged.
        diverged: Whether it diverged: then `loss` is not read.
    """

    scheme: str
    size: int
    lr: float
    seed: int
    loss: float | None
    diverged: bool = False


@dataclass(frozen=True, eq=False)
class LossCurve:
    """Final losses of one size under one scheme.

    Attributes:
        size: Size n.
        log2_lr: Learning rates as log2, increasing, shape (K,).
        loss: Final losses, shape (S, K); +inf where diverged, NaN where no run was made.
        seeds: Seeds of the rows of `loss`, S of them; empty where they are not known.
        error: Standard errors of losses that are means of several runs, NaN where they are not
            known, shape (S, K); None where no loss is such a mean.
    """

    size: int
    log2_lr: FloatArray
    loss: FloatArray
    seeds: tuple[int, ...] = ()
    error: FloatArray | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class RunColumns:
    """Outcomes of R runs as columns, for tables of any length.

    Attributes:
        schemes: Names of the schemes.
        scheme: Which of them each run has, shape (R,).
        size: Sizes n, shape (R,).
        lr: Learning rates, shape (R,).
        seed: Seeds, shape (R,).
        loss: Final losses, +inf where a run diverged, shape (R,).
        error: Standard errors of losses that are means, as in `LossCurve`, shape (R,); or None.
    """

    schemes: tuple[str, ...]
    scheme: Int64Array
    size: Int64Array
    lr: FloatArray
    seed: Int64Array
    loss: FloatArray
    error: FloatArray | None = None

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self.lr)

    def __getitem__(self, row: int) -> Observation:
        """Return one run."""
        loss = float(self.loss[row])
        return Observation(
            self.schemes[self.scheme[row]],
            int(self.size[row]),
            float(self.lr[row]),
            int(self.seed[row]),
            loss if math.isfinite(loss) else None,
            not math.isfinite(loss),
        )


class RunTable:
    """Outcomes of a study, one per scheme, size, learning rate and seed.

    Arguments:
        runs: The outcomes, one by one or as columns.

    Raises:
        TableError: If a size or a seed is no number that fits into 64 bits.

    Example:
        >>> table = RunTable([Observation("mup", 64, 0.1, 0, 2.5)])
        >>> len(table), table.columns.loss
        (1, array([2.5]))
    """

    def __init__(self, runs: Iterable[Observation] | RunColumns) -> None:
        """Keep the outcomes as columns."""
        if isinstance(runs, RunColumns):
            self.columns = runs
        else:
            self.observations = tuple(runs)
            self.columns = _make_columns(self.observations)

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self.columns)

    def __eq__(self, other: object) -> bool:
        """Compare the outcomes."""
        return isinstance(other, RunTable) and self.observations == other.observations

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Say how many runs there are of what."""
        return f"RunTable({len(self)} runs of {', '.join(self.schemes) or 'no scheme'})"

    @cached_property
    def observations(self) -> tuple[Observation, ...]:
        """The outcomes one by one."""
        return tuple(self.columns[row] for row in range(len(self)))

    @property
    def schemes(self) -> tuple[str, ...]:
        """The schemes in order of first appearance."""
        codes, first = np.unique(self.columns.scheme, return_index=True)
        return tuple(self.columns.schemes[code] for code in codes[np.argsort(first)])

    def curves(self, scheme: str) -> tuple[LossCurve, ...]:
        """Return one loss curve per size of a scheme, by increasing size."""
        if scheme not in self.columns.schemes:
            return ()
        rows = np.flatnonzero(self.columns.scheme == self.columns.schemes.index(scheme))
        rows = rows[np.argsort(self.columns.size[rows], kind="stable")]
        starts = np.flatnonzero(np.diff(self.columns.size[rows])) + 1
        parts = np.split(rows, starts) if len(rows) else []
        return tuple(_make_curve(self.columns, part) for part in parts)


def _make_columns(runs: Sequence[Observation]) -> RunColumns:
    """Return runs as columns; a run that diverged has the loss +inf."""
    codes: dict[str, int] = {}
    scheme = [codes.setdefault(run.scheme, len(codes)) for run in runs]
    try:
        size = np.array([run.size for run in runs], dtype=np.int64)
        seed = np.array([run.seed for run in runs], dtype=np.int64)
    except OverflowError:
        raise TableError(
            "RunTable: got a size or seed beyond 2**63, wanted whole numbers that fit into 64 "
            "bits. Check the units of the sizes; number the seeds from 0."
        ) from None
    losses = [math.inf if run.diverged or run.loss is None else run.loss for run in runs]
    loss = np.array(losses, dtype=np.float64)
    return RunColumns(
        schemes=tuple(codes),
        scheme=np.array(scheme, dtype=np.int64),
        size=size,
        lr=np.array([run.lr for run in runs], dtype=np.float64),
        seed=seed,
        loss=np.where(np.abs(loss) <= LARGEST_LOSS, loss, math.inf),  # NaN compares as False
    )


def _make_curve(columns: RunColumns, rows: Int64Array) -> LossCurve:
    rates, rate = np.unique(columns.lr[rows], return_inverse=True)
    seeds, seed = np.unique(columns.seed[rows], return_inverse=True)
    loss = np.full((len(seeds), len(rates)), np.nan)
    loss[seed, rate] = columns.loss[rows]
    error = None
    if columns.error is not None:
        error = np.full(loss.shape, np.nan)
        error[seed, rate] = columns.error[rows]
    return LossCurve(
        size=int(columns.size[rows[0]]),
        log2_lr=np.log2(rates),
        loss=loss,
        seeds=tuple(seeds.tolist()),
        error=error,
    )
