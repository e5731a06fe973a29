"""What a study gave, and what must be known before believing it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ..runs.failure import Failure
from ..runs.result import TrainedRun
from ..runs.run import RunSpec
from ..statistics.axis import AXES
from ..statistics.design import CurveKey
from ..statistics.failures import describe_failures
from ..statistics.table import RunTable
from ..statistics.transfer import Judgement
from ..study.program import Program
from ..study.study import Study
from .confirm import Confirmation


@dataclass(frozen=True)
class Counts:
    """How many runs of a study there are, and how they ended.

    Attributes:
        planned: Runs that the study asks for, edges extended; a run shared by schemes once.
        finished: Those with a result, diverged ones included.
        diverged: Those that ended as `non-finite` or `worse-than-init`.
        reused: Those that were finished before this call.
    """

    planned: int
    finished: int
    diverged: int
    reused: int


@dataclass(frozen=True)
class StudyResult:
    """What a study gave: every run, and what is concluded from them.

    Attributes:
        study: The settings.
        counts: How many runs there are, and how they ended.
        table: The outcome of every finished run.
        answers: What is concluded for each scheme; empty while the runs allow no conclusion.
        parameters: Number of parameters at each size with a finished run, of the first variant.
        shared_curves: The one name of every curve, by variant and size: schemes may share one.
        choices: Why runs were added to the first ones, one line per choice.
        confirmations: What was predicted for the target beside what was measured there, if it was.
        versions: What the finished runs were made with; more than one where they differ.
        failures: Runs that gave no result in this call.
        obstacle: Why nothing is concluded; empty where something is.
    """

    study: Study
    counts: Counts
    table: RunTable
    answers: Judgement
    parameters: Mapping[int, int]
    shared_curves: Mapping[CurveKey, CurveKey]
    choices: tuple[str, ...]
    confirmations: tuple[Confirmation, ...]
    versions: tuple[str, ...]
    failures: tuple[Failure, ...]
    obstacle: str = ""


def count_runs(
    runs: Sequence[RunSpec], trained: Sequence[TrainedRun], before: Collection[str]
) -> Counts:
    """Count the runs of a study.

    Arguments:
        runs: All that it asks for, each once.
        trained: Those with a result.
        before: Ids of those that had one before this call.
    """
    return Counts(
        planned=len(runs),
        finished=len(trained),
        diverged=sum(run.outcome.diverged for run in trained),
        reused=sum(run.id in before for run in trained),
    )


def _describe_obstacle(result: StudyResult) -> str:
    """Return in words why nothing is concluded yet."""
    sizes = sorted({row.size for row in result.table.observations})
    axis = AXES[result.study.along]
    if len(sizes) > 1:
        return result.obstacle
    found = f"of {axis.name} {sizes[0]} alone" if sizes else "not there yet"
    return f"the finished runs are {found}, and a verdict compares at least two {axis.plural}."


def _list_missing(result: StudyResult) -> list[str]:
    """Return a note for every way in which runs failed, the first such run standing for all."""
    alike = dict[str, list[Failure]]()
    for failure in result.failures:
        last = failure.reason.strip().splitlines()[-1]
        alike.setdefault(failure.kind or last, []).append(failure)
    notes = []
    for failures in alike.values():
        count, reason = len(failures), failures[0].reason.strip()
        if not isinstance(result.study.work, Program):
            notes.append(f"{count} runs gave no result: {reason.splitlines()[-1]}")
        elif count == 1:  # what a program printed says why it failed
            notes.append(f"a run gave no result.\n{reason}")
        else:
            notes.append(f"{count} runs gave no result, all as this one.\n{reason}")
    return notes


def list_warnings(result: StudyResult) -> list[str]:
    """Return what a reader must know before believing the answer."""
    notes = []
    if result.obstacle:
        notes.append(f"no verdict yet: {_describe_obstacle(result)}")
    missing = result.counts.planned - result.counts.finished
    if missing:
        notes.append(
            f"{missing} of {result.counts.planned} runs are missing; `lrtransfer tune` with the "
            "same arguments trains them."
        )
    if result.study.confirm and not missing:
        confirmed = {confirmation.scheme for confirmation in result.confirmations}
        notes += [
            f"{scheme} was not confirmed: its optimum at the base {AXES[answer.axis].name} is not "
            "known"
            for scheme, answer in result.answers.items()
            if scheme not in confirmed
        ]
    notes += _list_missing(result)
    notes += describe_failures(result.answers.failures, axis=result.study.along)
    if len(result.versions) > 1:
        notes.append(
            f"the runs were made with different versions ({'; '.join(result.versions)}): equal "
            "runs may differ in their last digits. Use another --out for one set of versions."
        )
    return notes
