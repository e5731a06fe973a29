"""What a study gave, and what must be known before believing it."""

from collections import Counter
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


def list_warnings(result: StudyResult) -> list[str]:
    """Return what a reader must know before believing the answer."""
    notes = []
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
    if isinstance(result.study.work, Program):  # what a program printed says why it failed
        notes += [f"a run gave no result.\n{failure.reason}" for failure in result.failures]
    else:
        reasons = Counter(failure.reason.strip().splitlines()[-1] for failure in result.failures)
        notes += [f"{count} runs gave no result: {reason}" for reason, count in reasons.items()]
    notes += describe_failures(result.answers.failures, axis=result.study.along)
    if len(result.versions) > 1:
        notes.append(
            f"the runs were made with different versions ({'; '.join(result.versions)}): equal "
            "runs may differ in their last digits. Use another --out for one set of versions."
        )
    return notes
