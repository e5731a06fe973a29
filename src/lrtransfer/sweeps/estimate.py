"""What a study will cost, before anything is trained. Loads no torch.

A process of its own counts the model of every size, on no device, and times a few steps of all but
the target's. What a user's program costs is known from its finished runs alone.
"""

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any

from ..errors import StoreError, UserError
from .confirm import NEIGHBOURS
from .describe import tokens_per_step
from .digests import Digests
from .plan import Kind, PlannedRun, Run, canonical, expand, first_cells, run_settings
from .reasons import told
from .store import Row, read_store
from .study import Study
from .tune import examined

STORED_BYTES = 1_600  # of a run, beside 20 for the training loss of each step
REPORT_BYTES = 5_000_000


@dataclass(frozen=True)
class RunCost:
    """State what a run costs; None where it is not known.

    Attributes:
        parameters: Number of parameters of its model.
        tokens: Tokens that it is trained on.
        flops: Floating-point operations of its training.
        seconds: Time on one worker.
        memory: Bytes that a worker holds.
    """

    parameters: int | None = None
    tokens: int | None = None
    flops: float | None = None
    seconds: float | None = None
    memory: int | None = None


@dataclass(frozen=True)
class SizeCost:
    """State what the runs of one size cost.

    Attributes:
        size: The size: the width n, or what the study goes along.
        runs: Runs at it that are not finished.
        each: Cost of a run, the mean where values are varied.
    """

    size: int
    runs: int
    each: RunCost


@dataclass(frozen=True)
class Estimate:
    """State what a study costs.

    Attributes:
        runs: Runs to be trained, with their costs.
        finished: Runs of the study that are finished.
        sizes: Cost by increasing size.
        target: Cost of the same grid at the target itself, under one scheme; its seconds are those
            of the largest size, in proportion to the operations.
        confirming: Cost of the runs at the target that confirm the answer, if they are wanted.
        flops: Floating-point operations of all runs, None if not known.
        seconds: Time of all runs with the workers, None if not known.
        disk: Bytes of store and report.
        workers: Number of processes.
    """

    runs: tuple[tuple[PlannedRun, RunCost], ...]
    finished: int
    sizes: tuple[SizeCost, ...]
    target: SizeCost
    confirming: SizeCost | None
    flops: float | None
    seconds: float | None
    disk: int
    workers: int


@dataclass(frozen=True)
class _Probe:
    """What a process told of a run; None where it was not asked or could not tell."""

    parameters: int | None = None
    flops: float | None = None  # of a step
    startup: float = 0.0
    seconds: float | None = None
    memory: int | None = None


def estimate(study: Study, directory: Path, *, workers: int) -> Estimate:
    """Estimate the cost of a study; trains and writes nothing.

    Arguments:
        study: What would be done. Of an adaptive design the first round is counted.
        directory: Folder whose finished runs need no training; it need not exist.
        workers: Number of processes.

    Raises:
        UserError: If the model cannot be trained at all.
    """
    found = examined(study)
    planned = {p.run.id: p for p in expand(study, first_cells(study), digests=found)}
    rows = _finished(directory)
    missing = [p for id_, p in planned.items() if id_ not in rows]
    kinds = {p.run.kind: p.run for p in missing}
    at_target = _target_run(study, found)
    if study.trainer is None:
        probes = _probe(study, kinds, workers, counted=at_target)
    else:
        probes = _from_finished(rows.values())
    arms = {arm.name: arm for arm in study.arms}
    runs = tuple(
        (p, _cost(study.at(arms[p.scheme], p.size), probes.get(p.run.kind, _Probe())))
        for p in missing
    )
    sizes = tuple(_by_size(runs))
    target = _target(study, probes.get(at_target.kind, _Probe()), sizes)
    confirming = _confirming(study, target)
    seconds = _total("seconds", sizes, confirming)
    startup = max((probe.startup for probe in probes.values()), default=0.0)
    return Estimate(
        runs=runs,
        finished=len(planned) - len(runs),
        sizes=sizes,
        target=target,
        confirming=confirming,
        flops=_total("flops", sizes, confirming),
        seconds=None if seconds is None else seconds / workers + startup,
        disk=REPORT_BYTES + sum(STORED_BYTES + 20 * _steps(p.run) for p, _ in runs),
        workers=workers,
    )


def _steps(run: Run) -> int:
    return int(json.loads(run.settings).get("training", {}).get("steps", 0))


def _finished(directory: Path) -> Mapping[str, Row]:
    try:
        with read_store(directory) as store:
            return store.rows()
    except StoreError:
        return {}


def _probe(
    study: Study, kinds: Mapping[Kind, Run], workers: int, *, counted: Run
) -> dict[Kind, _Probe]:
    """Time a run of every kind, and count one that is not trained.

    As many processes do the same at once as will train: they share the memory bus.

    Raises:
        UserError: If a model cannot be trained at all.
    """
    timed = dict(sorted(kinds.items()))
    request = {
        "place": {"device": study.device, "path": getattr(study.data, "path", None)},
        "timed": [run.identity for run in timed.values()],
        "counted": [counted.identity],
    }
    command = [sys.executable, "-P", "-m", "lrtransfer.sweeps.probe", json.dumps(request)]
    going = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for _ in range(workers if timed else 1)
    ]
    said = [process.communicate()[0] for process in going]
    if code := max((process.returncode for process in going), key=abs):
        raise UserError(
            f"dry run: got exit code {code} from a few steps, wanted a model that trains. The "
            "process's own message stands above."
        )
    # Whatever the user's own code printed stands before the last line.
    answers = [json.loads(text.strip().splitlines()[-1]) for text in said]
    for answer in answers:
        if "error" in answer:
            raise UserError(f"dry run: {told(answer['error'])}")
    columns = zip(*([_Probe(**one) for one in answer["timed"]] for answer in answers), strict=True)
    probes = {kind: _combined(list(some)) for kind, some in zip(timed, columns, strict=True)}
    return {counted.kind: _Probe(**answers[0]["counted"][0])} | probes


def _combined(found: list[_Probe]) -> _Probe:
    """Return what processes that did the same at once tell together."""
    return replace(
        found[0],
        startup=max(probe.startup for probe in found),
        seconds=mean(probe.seconds or 0.0 for probe in found),
        memory=max(probe.memory or 0 for probe in found),
    )


def _from_finished(rows: Iterable[Row]) -> dict[Kind, _Probe]:
    seconds: dict[Kind, list[float]] = defaultdict(list)
    for row in rows:
        run = json.loads(row.identity)
        seconds[run["width"], canonical(run["settings"])].append(row.record["seconds"])
    return {kind: _Probe(seconds=mean(known)) for kind, known in seconds.items()}


def _cost(settings: Study, probe: _Probe) -> RunCost:
    """Return the cost of a run with the settings of its arm at its size."""
    if settings.trainer is not None:
        return RunCost(seconds=probe.seconds)
    steps, tokens = settings.training.steps, tokens_per_step(settings)
    return RunCost(
        parameters=probe.parameters,
        tokens=None if tokens is None else tokens * steps,
        flops=None if probe.flops is None else probe.flops * steps,
        seconds=probe.seconds,
        memory=probe.memory,
    )


def _by_size(runs: Iterable[tuple[PlannedRun, RunCost]]) -> Iterable[SizeCost]:
    by_size: dict[int, list[RunCost]] = defaultdict(list)
    for planned, cost in runs:
        by_size[planned.size].append(cost)
    for size, costs in sorted(by_size.items()):
        yield SizeCost(size, len(costs), _mean(costs))


def _mean(costs: list[RunCost]) -> RunCost:
    def over(key: str) -> Any:
        known = [value for cost in costs if (value := getattr(cost, key)) is not None]
        return mean(known) if len(known) == len(costs) else None

    def whole(key: str) -> int | None:
        value = over(key)
        return None if value is None else round(value)

    return RunCost(
        whole("parameters"), whole("tokens"), over("flops"), over("seconds"), whole("memory")
    )


def _confirming(study: Study, target: SizeCost) -> SizeCost | None:
    """Return the cost of the rates tried at the target to confirm the answer, if that is wanted."""
    if not study.confirm:
        return None
    rates = 2 * NEIGHBOURS + 1
    return SizeCost(study.target, len(study.arms) * rates * study.seeds, target.each)


def _total(key: str, sizes: Iterable[SizeCost], confirming: SizeCost | None) -> float | None:
    """Return the sum over all runs, None where a cost is not known."""
    parts = [*sizes, *([confirming] if confirming else [])]
    costs = [(part.runs, getattr(part.each, key)) for part in parts]
    if any(cost is None for _, cost in costs):
        return None
    return float(sum(runs * cost for runs, cost in costs))


def _target_run(study: Study, found: Digests) -> Run:
    """Return a run of the first arm at the target."""
    arm, width = study.arms[0], study.width_at(study.target)
    return Run(run_settings(study, arm, study.target, found), arm.scheme, width, study.grid.low, 0)


def _target(study: Study, probe: _Probe, sizes: tuple[SizeCost, ...]) -> SizeCost:
    """Return the cost of the first grid of one arm at the target."""
    runs = len(study.grid.indices()) * study.seeds
    plain = _cost(study.at(study.arms[0], study.target), probe)
    flops = plain.flops if plain.flops is not None else _extrapolated(study, sizes)
    largest = sizes[-1].each if sizes else RunCost()
    seconds = None
    if largest.seconds is not None and largest.flops and flops is not None:
        seconds = largest.seconds * flops / largest.flops
    told = RunCost(plain.parameters, plain.tokens, flops, seconds)
    return SizeCost(study.target, runs, told)


def _extrapolated(study: Study, sizes: tuple[SizeCost, ...]) -> float | None:
    r"""Return the operations at the target width as :math:`a n^2 + b n` of the largest two."""
    if study.along != "width" or len(sizes) < 2:
        return None
    (m, y), (n, z) = [(size.size, size.each.flops) for size in sizes[-2:]]
    if y is None or z is None:
        return None
    a = (z / n - y / m) / (n - m)
    return a * study.target**2 + (z / n - a * n) * study.target
