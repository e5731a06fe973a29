"""A study small enough to be trained for real in tests, and what tests make of studies."""

import sys
from pathlib import Path
from typing import Any

from lrtransfer.runs.digests import Digests, compute_digests
from lrtransfer.runs.run import RunSpec
from lrtransfer.study.study import Study
from lrtransfer.sweeps.plan import PlannedRun
from lrtransfer.sweeps.sweep import Sweep

SMALL: dict[str, Any] = {
    "name": "small",
    "widths": (16, 32, 48),
    "base_width": 16,
    "target": 64,
    "seeds": 1,
    "grid": {"low": 2.0**-7, "high": 2.0**-1},
    "model": {"depth": 1, "context": 16},
    "training": {"steps": 4, "batch": 2},
    "data": {"held_out_tokens": 512},
}


def run_of(
    study: Study,
    width: int = 16,
    *,
    scheme: str = "mup",
    lr: float = 2.0**-6,
    seed: int = 0,
    digests: Digests | None = None,
) -> RunSpec:
    """Return a run of the first variant, whose size need not be among the study's."""
    curves = Sweep(study, digests or compute_digests(study)).curves
    settings = next(iter(curves.values())).settings
    return RunSpec(settings, scheme, width, lr, seed)


def first_runs(study: Study, data: str = "d") -> tuple[PlannedRun, ...]:
    """Return the runs that a study of data with this digest begins with."""
    sweep = Sweep(study, Digests(data))
    return sweep.expand(sweep.design.first())


def program_settings(program: Path, **changes: Any) -> dict[str, Any]:
    """Return the settings of a study whose runs are trained by a Python file."""
    trainer = {
        "command": f"'{sys.executable}' '{program}' {{width}} {{lr}} {{seed}} {{out}}",
        "loss_from": "{out}/result.json:eval.0.loss",
        "timeout": 3.0,
    }
    study: dict[str, Any] = {
        "widths": (64, 128, 256),
        "target": 1024,
        "seeds": 2,
        "grid": {"low": 2.0**-9, "high": 2.0**-2},
        "trainer": trainer | changes.pop("trainer", {}),
    }
    return study | changes
