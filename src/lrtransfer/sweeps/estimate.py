"""What a study will cost, before anything is trained. Loads no torch.

Operations and parameters follow from the model; seconds and memory from a few steps that a process
of its own times at every width. What a user's program costs is known from its finished runs alone.
"""

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from ..errors import StoreError, UserError
from .plan import Run, expand, first_cells, run_settings, unique_runs
from .store import Row, read_store
from .study import Study
from .tune import data_digest

STORED_BYTES = 1_600  # of a run, beside 20 for the training loss of each step
REPORT_BYTES = 5_000_000


@dataclass(frozen=True)
class WidthCost:
    """State what one width costs; None where it is not known.

    Attributes:
        width: Width n.
        runs: Runs at it that are not finished.
        parameters: Number of parameters of its model.
        tokens: Tokens that a run is trained on.
        flops: Floating-point operations of a run's training.
        seconds: Time of a run on one worker.
        memory: Bytes that a worker holds.
    """

    width: int
    runs: int
    parameters: int | None
    tokens: int | None
    flops: float | None
    seconds: float | None
    memory: int | None


@dataclass(frozen=True)
class Estimate:
    """State what a study costs.

    Attributes:
        runs: Runs to be trained.
        finished: Runs of the study that are finished.
        widths: Cost by increasing width.
        target: Cost of the same grid at the target width, tuned directly; its seconds are those of
            the widest width, in proportion to the operations.
        seconds: Time of all runs with the workers, None if not known.
        disk: Bytes of store and report.
        workers: Number of processes.
    """

    runs: tuple[Run, ...]
    finished: int
    widths: tuple[WidthCost, ...]
    target: WidthCost
    seconds: float | None
    disk: int
    workers: int


@dataclass(frozen=True)
class _Probe:
    """What a few steps told: seconds to start a worker, seconds of a run, bytes."""

    startup: float
    seconds: float
    memory: int


def estimate(study: Study, directory: Path, *, workers: int) -> Estimate:
    """Estimate the cost of a study; trains and writes nothing.

    Arguments:
        study: What would be done. Of an adaptive design the first round is counted.
        directory: Folder whose finished runs need no training; it need not exist.
        workers: Number of processes.

    Raises:
        UserError: If the model cannot be trained at all.
    """
    digest = data_digest(study)
    planned = unique_runs(expand(study, first_cells(study), data_digest=digest))
    rows = _finished(directory)
    runs = tuple(run for run in planned if run.id not in rows)
    by_width: dict[int, list[Run]] = defaultdict(list)
    for run in runs:
        by_width[run.width].append(run)
    if study.trainer is None:
        probes = {width: _probe(some[0], workers) for width, some in sorted(by_width.items())}
    else:
        settings = json.loads(run_settings(study, digest))
        probes = _from_finished(rows.values(), settings)
    widths = tuple(
        _cost(study, w, len(some), probes.get(w)) for w, some in sorted(by_width.items())
    )
    known = [w.runs * w.seconds for w in widths if w.seconds is not None]
    startup = max((probe.startup for probe in probes.values()), default=0.0)
    return Estimate(
        runs=runs,
        finished=len(planned) - len(runs),
        widths=widths,
        target=_target(study, widths),
        seconds=sum(known) / workers + startup if len(known) == len(widths) else None,
        disk=REPORT_BYTES + len(runs) * (STORED_BYTES + 20 * _steps(study)),
        workers=workers,
    )


def _steps(study: Study) -> int:
    return study.training.steps if study.trainer is None else 0


def _finished(directory: Path) -> dict[str, Row]:
    try:
        with read_store(directory) as store:
            return dict(store.rows())
    except StoreError:
        return {}


def _probe(run: Run, workers: int) -> _Probe:
    """Time a run's steps in as many processes at once as will train: they share the memory bus."""
    command = [sys.executable, "-P", "-m", "lrtransfer.sweeps.probe"]
    going = [
        subprocess.Popen([*command, run.identity], stdout=subprocess.PIPE, text=True)
        for _ in range(workers)
    ]
    told = [process.communicate()[0] for process in going]
    if code := max((process.returncode for process in going), key=abs):
        raise UserError(
            f"dry run: got exit code {code} from a few steps at width {run.width}, "
            "wanted a model that trains. The process's own message stands above."
        )
    found = [_Probe(**json.loads(text)) for text in told]
    return _Probe(
        startup=max(probe.startup for probe in found),
        seconds=mean(probe.seconds for probe in found),
        memory=max(probe.memory for probe in found),
    )


def _from_finished(rows: Iterable[Row], settings: dict[str, Any]) -> dict[int, _Probe]:
    seconds: dict[int, list[float]] = defaultdict(list)
    for row in rows:
        identity = json.loads(row.identity)
        if identity["settings"] == settings:
            seconds[identity["width"]].append(row.record["seconds"])
    return {width: _Probe(0.0, mean(known), 0) for width, known in seconds.items()}


def _cost(study: Study, width: int, runs: int, probe: _Probe | None) -> WidthCost:
    own = study.trainer is None
    tokens = study.training.steps * study.training.batch * study.model.context
    return WidthCost(
        width=width,
        runs=runs,
        parameters=study.model.parameters(width) if own else None,
        tokens=tokens if own else None,
        flops=tokens * study.model.training_flops(width) if own else None,
        seconds=probe.seconds if probe else None,
        memory=(probe.memory or None) if probe else None,
    )


def _target(study: Study, widths: Sequence[WidthCost]) -> WidthCost:
    """Return the cost of the first grid of one scheme at the target."""
    runs = len(study.grid.indices()) * study.seeds
    plain = _cost(study, study.target, runs, None)
    widest = widths[-1] if widths else None
    if widest is None or widest.seconds is None or widest.flops is None or plain.flops is None:
        return plain
    seconds = widest.seconds * plain.flops / widest.flops
    return _cost(study, study.target, runs, _Probe(0.0, seconds, 0))
