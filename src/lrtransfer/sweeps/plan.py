"""The runs that a study asks for.

A run is named by the hash of all that determines its result, never by the study it belongs to:
a width, rate or seed added later leaves finished runs valid. The name is identity alone; no
random stream is derived from it.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import product
from typing import Any

from ..parametrization.rules import SCHEMES
from ..statistics.curves.optimum import FINE_RATES
from .arms import Arm
from .digests import Digests
from .sections import GridConfig
from .study import Study

# Counts changes of meaning: raise it when equal settings no longer give equal results.
SEMANTICS = 2

COARSE = 2.0  # octaves between the rates of an adaptive design's first round, at most

# Where every relative scheme is the same model and optimizer, it is trained once for all.
SHARED_SCHEME = "base"

# Settings that say which runs are wanted, what is concluded or where they are trained, not what a
# run gives. Whatever else a study may come to hold is part of a run's identity.
NOT_IN_IDENTITY = frozenset({
    "name", "widths", "target", "along", "sizes", "width", "schemes", "vary", "seeds",
    "tolerance_regret", "grid", "design", "until", "budget", "confirm", "device", "trainer",
})  # fmt: skip
WHERE_DATA_ARE = "path"  # their digest says what they are

# Settings of a user's program that do not change what it gives.
HOW_LONG = frozenset({"timeout", "retries"})

Kind = tuple[int, str]  # width, settings
Cell = tuple[int, int]  # lattice index of the rate, seed
# What is tried, for each (name of an arm, size).
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

    @property
    def kind(self) -> Kind:
        """What runs that cost the same have in common."""
        return self.width, self.settings

    @cached_property
    def work(self) -> float:
        """What it takes beside other runs of its study, roughly: width x steps x batch."""
        settings = json.loads(self.settings)
        known = settings.get("training", settings.get("values", {}))
        return float(self.width * max(1, known.get("steps", 1)) * max(1, known.get("batch", 1)))

    @cached_property
    def id(self) -> str:
        """The name of the run, a hash of its identity."""
        return hashlib.sha256(self.identity.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class PlannedRun:
    """Say for which arm of the study, and for which size along its axis, a run is wanted."""

    scheme: str
    size: int
    run: Run


def canonical(value: Any) -> str:
    """Return JSON that is the same for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def first_cells(study: Study) -> Cells:
    """Return the cells tried first, the same for every arm at every size.

    They are the whole grid, or, of an adaptive design, a coarse one of the first seed.
    """
    if study.design == "grid":
        cells = tuple(product(study.grid.indices(), range(study.seeds)))
    else:
        cells = tuple((index, 0) for index in _coarse(study.lattice))
    return {(arm.name, size): cells for arm in study.arms for size in study.measured}


def _coarse(lattice: GridConfig) -> list[int]:
    """Return evenly spread rates, both ends among them, at most COARSE octaves apart."""
    indices = lattice.indices()
    octaves = (len(indices) - 1) / lattice.per_octave
    count = min(len(indices), max(FINE_RATES, math.ceil(octaves / COARSE) + 1))
    return [indices[round(i * (len(indices) - 1) / (count - 1))] for i in range(count)]


def expand(study: Study, cells: Cells, *, digests: Digests) -> tuple[PlannedRun, ...]:
    """Return the runs of all cells, the costly ones first.

    Runs that schemes share stand once for each and have the same id.
    """
    arms = {arm.name: arm for arm in study.arms}
    planned = [
        PlannedRun(name, size, run)
        for (name, size), chosen in cells.items()
        for run in _runs(study, arms[name], size, chosen, digests)
    ]
    # Long runs last would leave workers idle at the end.
    return tuple(sorted(planned, key=lambda p: -p.run.work))


def _runs(
    study: Study, arm: Arm, size: int, chosen: Iterable[Cell], digests: Digests
) -> Iterable[Run]:
    settings, width = run_settings(study, arm, size, digests), study.width_at(size)
    scheme = SHARED_SCHEME if is_shared(study, arm, size) else arm.scheme
    return [Run(settings, scheme, width, study.lattice.rate(i), seed) for i, seed in chosen]


def is_shared(study: Study, arm: Arm, size: int) -> bool:
    """Tell whether the runs of an arm at a size are those of every scheme that does not differ.

    At the base width all relative schemes are one, but for the branches of those that scale depth.
    """
    if study.trainer is not None or study.width_at(size) != study.base_width:
        return False
    settings = study.at(arm, size)
    base_depth = settings.parametrization.base_depth
    at_base_depth = base_depth is None or settings.depth == base_depth
    return at_base_depth or not SCHEMES[arm.scheme].depth


def curve_key(study: Study, name: str, size: int) -> tuple[str, int]:
    """Name the curve of an arm at a size; one that schemes share has one name."""
    arm = next(arm for arm in study.arms if arm.name == name)
    return arm.renamed(SHARED_SCHEME) if is_shared(study, arm, size) else name, size


def run_settings(study: Study, arm: Arm, size: int, digests: Digests) -> str:
    """Return the canonical JSON of what all runs of an arm at a size share."""
    if study.trainer is not None:
        values = dict(arm.values)
        if study.along != "width":
            values[study.along] = size
        program = {"trainer": study.trainer.model_dump(exclude=set(HOW_LONG))}
        return canonical(program | ({"values": values} if values else {}))
    settings = study.at(arm, size).model_dump(mode="json", exclude=set(NOT_IN_IDENTITY))
    settings["data"].pop(WHERE_DATA_ARE, None)
    return canonical(settings | {f"{key}_digest": d for key, d in asdict(digests).items()})


def unique_runs(planned: Iterable[PlannedRun]) -> tuple[Run, ...]:
    """Return the runs to be trained, each once, in order."""
    return tuple({p.run.id: p.run for p in planned}.values())
