"""The runs that a study asks for.

A run is named by the hash of all that determines its result, never by the study it belongs to:
a width, rate or seed added later leaves finished runs valid. The name is identity alone; no
random stream is derived from it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .study import Study

# Counts changes of meaning: raise it when equal settings no longer give equal results.
SEMANTICS = 1

# At the base width every relative scheme is the same model and optimizer, trained once for all.
SHARED_SCHEME = "base"

# Settings that say which runs are wanted or what is concluded, not what a run gives. Whatever else
# a study may come to hold is part of a run's identity.
NOT_IN_IDENTITY = frozenset({
    "name", "widths", "target", "schemes", "seeds", "tolerance_regret", "grid",
})  # fmt: skip

# Lattice indices of the rates tried, for each (scheme, width).
Cells = Mapping[tuple[str, int], tuple[int, ...]]


@dataclass(frozen=True)
class Run:
    """Name one training run.

    Attributes:
        settings: Canonical JSON of all that the runs of a study have in common.
        scheme: Name of the scheme, or `base` at the base width.
        width: Width n.
        lr: Learning rate at the base width's scale.
        seed: Seed index, from 0.
    """

    settings: str
    scheme: str
    width: int
    lr: float
    seed: int

    @cached_property
    def identity(self) -> str:
        """The canonical JSON of all that determines the result."""
        return canonical({
            "semantics": SEMANTICS,
            "settings": json.loads(self.settings),
            "scheme": self.scheme,
            "width": self.width,
            "lr": self.lr,
            "seed": self.seed,
        })

    @cached_property
    def id(self) -> str:
        """The name of the run, a hash of its identity."""
        return hashlib.sha256(self.identity.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class PlannedRun:
    """Say for which scheme of the study a run is wanted."""

    scheme: str
    run: Run


def canonical(value: Any) -> str:
    """Return JSON that is the same for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def first_cells(study: Study) -> Cells:
    """Return the grid of the study, the same at every width and under every scheme."""
    indices = tuple(study.grid.indices())
    return {(scheme, width): indices for scheme in study.schemes for width in study.widths}


def expand(study: Study, cells: Cells, *, data_digest: str) -> tuple[PlannedRun, ...]:
    """Return the runs of all cells with all seeds, the costly ones first.

    Runs at the base width stand once per scheme and have the same id.
    """
    settings = run_settings(study, data_digest)
    planned = [
        PlannedRun(
            scheme,
            Run(
                settings,
                SHARED_SCHEME if width == study.base_width else scheme,
                width,
                study.grid.rate(index),
                seed,
            ),
        )
        for (scheme, width), indices in cells.items()
        for index in indices
        for seed in range(study.seeds)
    ]
    # Long runs last would leave workers idle at the end.
    return tuple(sorted(planned, key=lambda p: -p.run.width))


def run_settings(study: Study, data_digest: str) -> str:
    """Return the canonical JSON of what all runs of a study share."""
    settings = study.model_dump(mode="json", exclude=set(NOT_IN_IDENTITY))
    return canonical(settings | {"data_digest": data_digest})


def unique_runs(planned: Iterable[PlannedRun]) -> tuple[Run, ...]:
    """Return the runs to be trained, each once, in order."""
    return tuple({p.run.id: p.run for p in planned}.values())
