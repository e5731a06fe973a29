"""What runs and studies cost."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import mean

from .plan import PlannedRun


@dataclass(frozen=True, kw_only=True)
class RunCost:
    """Cost of a run; None where it is not known.

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
    """Cost of the runs of one size.

    Attributes:
        size: The size: the width n, or what the study goes along.
        runs: Runs at it that are not finished.
        each: Cost of a run, the mean where values are varied.
    """

    size: int
    runs: int
    each: RunCost


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Cost of a study.

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


def group_by_size(runs: Iterable[tuple[PlannedRun, RunCost]]) -> tuple[SizeCost, ...]:
    """Return the cost of the runs of every size, by increasing size."""
    by_size: dict[int, list[RunCost]] = defaultdict(list)
    for planned, cost in runs:
        by_size[planned.size].append(cost)
    return tuple(
        SizeCost(size, len(costs), _average(costs)) for size, costs in sorted(by_size.items())
    )


def add_up(key: str, parts: Iterable[SizeCost]) -> float | None:
    """Return the sum of one cost over all runs, None where it is not known of some."""
    costs = [(part.runs, getattr(part.each, key)) for part in parts]
    if any(cost is None for _, cost in costs):
        return None
    return float(sum(runs * cost for runs, cost in costs))


def _average(costs: list[RunCost]) -> RunCost:
    def average(key: str) -> float | None:
        values = [value for cost in costs if (value := getattr(cost, key)) is not None]
        return mean(values) if len(values) == len(costs) else None

    def average_count(key: str) -> int | None:
        value = average(key)
        return None if value is None else round(value)

    return RunCost(
        parameters=average_count("parameters"),
        tokens=average_count("tokens"),
        flops=average("flops"),
        seconds=average("seconds"),
        memory=average_count("memory"),
    )
