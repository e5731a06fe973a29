"""What a study is and how it went, in words for people."""

from collections.abc import Iterator

from ..statistics.axis import AXES
from ..statistics.curves.columns import seed_noise
from ..statistics.failures import exclude_failures
from ..statistics.notation import format_power
from ..study.describe import (
    describe_conditions,
    describe_data,
    describe_held_out,
    describe_model,
    describe_optimizer,
    describe_varied,
)
from ..study.model_work import ModelWork
from ..study.program import Program
from ..study.study import Study
from ..sweeps.confirm import Confirmation
from ..sweeps.result import Counts, StudyResult
from .notation import (
    LOSS_UNIT,
    compute_log2,
    format_cost,
    format_interval,
    format_optimum,
    format_optimum_range,
    format_rate,
)


def name_loss_unit(study: Study) -> str:
    """Return the unit of a study's losses: nats where we computed a cross-entropy.

    Example:
        >>> name_loss_unit(Study())
        'nats'
    """
    is_ours = isinstance(study.work, ModelWork) and study.training.loss == "cross-entropy"
    return "nats" if is_ours else LOSS_UNIT


def describe_counts(counts: Counts) -> str:
    """Return how many runs there are; a run that schemes share counts once.

    Example:
        >>> describe_counts(Counts(planned=147, finished=140, diverged=3, reused=0))
        '140 of 147 runs finished, 3 of them diverged'
    """
    return (
        f"{counts.finished} of {counts.planned} runs finished, {counts.diverged} of them diverged"
    )


def describe_noise(result: StudyResult) -> str:
    """Return how much the held-out loss scatters between the seeds of one learning rate."""
    curves = [
        curve
        for scheme in result.answers
        for curve in exclude_failures(scheme, result.table.curves(scheme))[0]
    ]
    deviation = seed_noise(curves)
    if deviation is None:
        cause = "with one seed" if result.study.seeds == 1 else "yet"
        return f"standard deviation between seeds not known {cause}"
    return (
        f"standard deviation between seeds {deviation:.2g}, after removing what a seed adds to all "
        "its runs alike"
    )


def describe_confirmation(confirmation: Confirmation) -> str:
    """Return what was predicted for the target beside what was measured there."""
    name, optimum = AXES[confirmation.axis].name, confirmation.optimum
    prediction, regret = confirmation.predicted, confirmation.regret
    predicted = "nothing" if prediction is None else format_rate(compute_log2(prediction.lr))
    used = format_power(confirmation.log2_lr)
    line = (
        f"{confirmation.scheme}: at {name} {confirmation.size} the optimum of the base {name} "
        f"({used}) was tried with its neighbours; predicted {predicted}"
    )
    if optimum.log2_lr is None:
        return f"{line}, no optimum measured"
    least = ""
    if optimum.status == "ok":
        interval = format_interval(format_optimum_range(optimum))
        line += f", best measured {format_optimum(optimum)} {interval}"
    else:
        least = "at least "
        line += f", the optimum at the edge of what was tried: {format_optimum(optimum)}"
    if regret is None:
        return line
    cost = format_cost(regret, regret.estimate, unit=LOSS_UNIT)
    return f"{line}; the rate used costs {least}{cost}"


def list_facts(result: StudyResult) -> Iterator[tuple[str, str]]:
    """Yield label and value of what a study trained, and of what it held fixed."""
    study, axis = result.study, AXES[result.study.along]
    match study.work:
        case Program(command=command, loss_from=loss_from):
            yield "command", command
            yield "loss", loss_from
        case work:
            yield "model", describe_model(study)
            yield "data", describe_data(study)
            yield "optimizer", describe_optimizer(study)
            yield "training", describe_conditions(study)
            if work.tokens_per_step is not None:
                yield "tokens per parameter", _describe_tokens_per_parameter(result)
            yield "held-out loss", f"{describe_held_out(study)}, the same for all runs"
    if study.vary:
        yield "varied", describe_varied(study)
    yield "noise of the loss", describe_noise(result)
    yield axis.plural, ", ".join(map(str, study.measured_sizes)) + f" (base {study.base_size})"
    yield "seeds", f"{study.seeds} (study seed {study.study_seed})"
    yield "runs", describe_counts(result.counts)


def _describe_tokens_per_parameter(result: StudyResult) -> str:
    """Return how the sizes differ in data per parameter, which moves optima by itself."""
    study, shares = result.study, []
    for size, count in sorted(result.parameters.items()):
        work = study.work_at(study.variants[0], size)
        assert isinstance(work, ModelWork)
        tokens = work.training.steps * (work.tokens_per_step or 0)
        shares.append(f"{tokens / count:.2g} at {AXES[study.along].name} {size}")
    return ", ".join(shares)
