"""The runs that a study asks for.

A run is named by the hash of all that determines its result, never by the study it belongs to:
a width, rate or seed added later leaves finished runs valid. The name is identity alone; no
random stream is derived from it.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

from ..statistics.optimum import FINE_RATES
from .study import GridConfig, Study

# Counts changes of meaning: raise it when equal settings no longer give equal results.
SEMANTICS = 1

COARSE = 2.0  # octaves between the rates of an adaptive design's first round, at most

# At the base width every relative scheme is the same model and optimizer, trained once for all.
SHARED_SCHEME = "base"

# Settings that say which runs are wanted or what is concluded, not what a run gives. Whatever else
# a study may come to hold is part of a run's identity.
NOT_IN_IDENTITY = frozenset({
    "name", "widths", "target", "schemes", "seeds", "tolerance_regret", "grid", "design", "until",
    "budget", "confirm",
})  # fmt: skip

# Settings of a user's program that do not change what it gives.
HOW_LONG = frozenset({"timeout", "retries"})

Cell = tuple[int, int]  # lattice index of the rate, seed
# What is tried, for each (scheme, width).
Cells = Mapping[tuple[str, int], tuple[Cell, ...]]


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
    """Return the cells tried first, the same at every width and under every scheme.

    They are the whole grid, or, of an adaptive design, a coarse one of the first seed.
    """
    if study.design == "grid":
        cells = tuple(product(study.grid.indices(), range(study.seeds)))
    else:
        cells = tuple((index, 0) for index in _coarse(study.lattice))
    return {(scheme, width): cells for scheme in study.schemes for width in study.widths}


def _coarse(lattice: GridConfig) -> list[int]:
    """Return evenly spread rates, both ends among them, at most COARSE octaves apart."""
    indices = lattice.indices()
    octaves = (len(indices) - 1) / lattice.per_octave
    count = min(len(indices), max(FINE_RATES, math.ceil(octaves / COARSE) + 1))
    return [indices[round(i * (len(indices) - 1) / (count - 1))] for i in range(count)]


def expand(study: Study, cells: Cells, *, data_digest: str) -> tuple[PlannedRun, ...]:
    """Return the runs of all cells, the costly ones first.

    Runs at the base width stand once per scheme and have the same id.
    """
    settings = run_settings(study, data_digest)
    planned = [
        PlannedRun(
            scheme,
            Run(
                settings,
                run_scheme(study, scheme, width),
                width,
                study.lattice.rate(index),
                seed,
            ),
        )
        for (scheme, width), chosen in cells.items()
        for index, seed in chosen
    ]
    # Long runs last would leave workers idle at the end.
    return tuple(sorted(planned, key=lambda p: -p.run.width))


def run_scheme(study: Study, scheme: str, width: int) -> str:
    """Return under which scheme a run is known: at the base width all of ours are one."""
    return SHARED_SCHEME if study.trainer is None and width == study.base_width else scheme


def run_settings(study: Study, data_digest: str) -> str:
    """Return the canonical JSON of what all runs of a study share."""
    if study.trainer is not None:
        return canonical({"trainer": study.trainer.model_dump(exclude=set(HOW_LONG))})
    settings = study.model_dump(mode="json", exclude={*NOT_IN_IDENTITY, "trainer"})
    return canonical(settings | {"data_digest": data_digest})


def unique_runs(planned: Iterable[PlannedRun]) -> tuple[Run, ...]:
    """Return the runs to be trained, each once, in order."""
    return tuple({p.run.id: p.run for p in planned}.values())
