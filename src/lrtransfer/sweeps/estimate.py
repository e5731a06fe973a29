"""What a study will cost, before anything is trained. Loads no torch.

Processes of their own count the model of every size, on no device, and time a few steps of all but
the target's. What a user's program costs is known from its finished runs alone.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from statistics import mean

from ..errors import StoreError
from ..executors.probe import Probe, probe_runs
from ..runs.result import TrainedRun
from ..runs.run import CurveSettings, RunSettings, RunSpec, parse_identity
from ..study.model_work import ModelWork
from ..study.program import Program
from ..study.study import Study
from .confirm import NEIGHBOURS
from .cost import Estimate, RunCost, SizeCost, add_up, group_by_size
from .store import read_store
from .sweep import prepare_sweep

STORED_BYTES = 1_600  # of a run, beside 20 for the training loss of each step
REPORT_BYTES = 5_000_000

CostClass = tuple[int, CurveSettings]


def estimate_cost(study: Study, directory: Path, *, workers: int) -> Estimate:
    """Estimate the cost of a study; trains and writes nothing.

    Arguments:
        study: What would be done. Of an adaptive design the first round is counted.
        directory: Folder whose finished runs need no training; it need not exist.
        workers: Number of processes.

    Raises:
        UserError: If the model cannot be trained at all.
    """
    sweep = prepare_sweep(study)
    planned = {p.run.id: p for p in sweep.expand(sweep.design.first())}
    trained = _read_trained(directory)
    missing = [p for id_, p in planned.items() if id_ not in trained]
    at_target = sweep.curves[study.variants[0].name, study.target].run(study.grid.low, 0)
    match study.work:
        case ModelWork():
            classes = {p.run.cost_class: p.run for p in missing}
            probes = probe_runs(
                list(classes.values()), counted=at_target, device=study.device, workers=workers
            )
        case Program():
            probes = _probe_trained(trained.values())
    runs = tuple((p, _cost(p.run, probes)) for p in missing)
    sizes = group_by_size(runs)
    target = _cost_target(study, _cost(at_target, probes), sizes)
    confirming = _cost_confirming(study, target)
    parts = (*sizes, *([confirming] if confirming else []))
    seconds = add_up("seconds", parts)
    startup = max((probe.startup for probe in probes.values()), default=0.0)
    return Estimate(
        runs=runs,
        finished=len(planned) - len(runs),
        sizes=sizes,
        target=target,
        confirming=confirming,
        flops=add_up("flops", parts),
        seconds=None if seconds is None else seconds / workers + startup,
        disk=REPORT_BYTES + sum(STORED_BYTES + 20 * p.run.settings.steps for p, _ in runs),
        workers=workers,
    )


def _read_trained(directory: Path) -> Mapping[str, TrainedRun]:
    try:
        with read_store(directory) as store:
            return store.rows()
    except StoreError:
        return {}


def _probe_trained(trained: Iterable[TrainedRun]) -> dict[CostClass, Probe]:
    """Return the mean time of the finished runs of each class."""
    seconds: dict[CostClass, list[float]] = defaultdict(list)
    for run in trained:
        with suppress(ValueError):  # made by another version: it is no run of this study
            seconds[parse_identity(run.identity).cost_class].append(run.provenance.seconds)
    return {key: Probe(seconds=mean(times)) for key, times in seconds.items()}


def _cost(run: RunSpec, probes: Mapping[CostClass, Probe]) -> RunCost:
    """Return the cost of a run, from what is known of its cost class."""
    probe = probes.get(run.cost_class, Probe())
    if not isinstance(run.settings, RunSettings):
        return RunCost(seconds=probe.seconds)
    steps, tokens = run.settings.steps, run.settings.work.tokens_per_step
    return RunCost(
        parameters=probe.parameters,
        tokens=None if tokens is None else tokens * steps,
        flops=None if probe.flops is None else probe.flops * steps,
        seconds=probe.seconds,
        memory=probe.memory,
    )


def _cost_confirming(study: Study, target: SizeCost) -> SizeCost | None:
    """Return the cost of the runs that confirm the answer; None where none are wanted."""
    if not study.confirm:
        return None
    rates = 2 * NEIGHBOURS + 1
    return SizeCost(study.target, len(study.variants) * rates * study.seeds, target.each)


def _cost_target(study: Study, counted: RunCost, sizes: tuple[SizeCost, ...]) -> SizeCost:
    """Return the cost of the first grid of one variant at the target."""
    flops = counted.flops if counted.flops is not None else _extrapolate_flops(study, sizes)
    largest = sizes[-1].each if sizes else RunCost()
    seconds = None
    if largest.seconds is not None and largest.flops and flops is not None:
        seconds = largest.seconds * flops / largest.flops
    each = RunCost(
        parameters=counted.parameters, tokens=counted.tokens, flops=flops, seconds=seconds
    )
    return SizeCost(study.target, len(study.grid.indices()) * study.seeds, each)


def _extrapolate_flops(study: Study, sizes: tuple[SizeCost, ...]) -> float | None:
    r"""Return the operations at the target width as :math:`a n^2 + b n` of the largest two."""
    if study.along != "width" or len(sizes) < 2:
        return None
    (m, y), (n, z) = [(size.size, size.each.flops) for size in sizes[-2:]]
    if y is None or z is None:
        return None
    a = (z / n - y / m) / (n - m)
    return a * study.target**2 + (z / n - a * n) * study.target
