"""What is known of a study once the runs of a plan were trained."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from ..errors import TableError, UserError
from ..runs.failure import Failure, format_failure
from ..runs.result import TrainedRun
from ..runs.run import RunSpec
from ..statistics.table import Observation, RunTable
from ..statistics.transfer import Judgement, judge
from ..study.describe import describe_conditions
from ..study.search import AdaptiveSearch, GridSearch
from .plan import Plan, PlannedRun, list_unique_runs
from .store import Store
from .sweep import Sweep

# Trains runs, puts their results in the store, and returns those that gave none. Beside the runs it
# is told of which kinds there are results.
Train = Callable[[tuple[RunSpec, ...], Collection[object]], tuple[Failure, ...]]


@dataclass(frozen=True, kw_only=True, eq=False)
class State:
    """What came of the runs of a plan, and what is concluded from them.

    Attributes:
        planned: All runs of the plan, shared ones once for each scheme.
        runs: The same, each once.
        trained: Those that have a result.
        failures: Those that gave none when they were trained now.
        table: The outcomes.
        answers: What is concluded; nothing while the runs allow no conclusion.
        obstacle: Why nothing is concluded; empty where something is.
    """

    planned: tuple[PlannedRun, ...]
    runs: tuple[RunSpec, ...]
    trained: tuple[TrainedRun, ...]
    failures: tuple[Failure, ...]
    table: RunTable
    answers: Judgement
    obstacle: str

    @property
    def is_complete(self) -> bool:
        """Whether every run has a result."""
        return len(self.runs) == len(self.trained)

    def count_parameters(self, variant: str) -> dict[int, int]:
        """Return the parameters of the models of a variant, by size, as far as they are known."""
        sizes = {p.run.id: p.size for p in self.planned if p.variant == variant}
        return {
            sizes[run.id]: run.provenance.parameters
            for run in self.trained
            if run.id in sizes and run.provenance.parameters is not None
        }


def train_plan(sweep: Sweep, plan: Plan, store: Store, train: Train) -> State:
    """Train the runs of a plan that the store does not hold, and judge all of them.

    Raises:
        UserError: If none of them gives a result.
    """
    planned = sweep.expand(plan)
    runs, present, failures = list_unique_runs(planned), store.rows(), tuple[Failure, ...]()
    if missing := tuple(run for run in runs if run.id not in present):
        failures = train(missing, {run.cost_class for run in runs if run.id in present})
        present = store.rows()
        if not any(run.id in present for run in runs):
            _refuse_without_results(failures, len(missing))
    trained = tuple(present[run.id] for run in runs if run.id in present)
    table = _make_table(planned, present)
    answers, obstacle = _judge(sweep, table, is_complete=len(trained) == len(runs))
    return State(
        planned=planned,
        runs=runs,
        trained=trained,
        failures=failures,
        table=table,
        answers=answers,
        obstacle=obstacle,
    )


def _refuse_without_results(failures: Sequence[Failure], planned: int) -> None:
    """Refuse to answer when every run failed: the cause lies with the study, not with a run."""
    if failures:
        tried = f" ({len(failures)} were tried)" if len(failures) < planned else ""
        raise UserError(
            f"tune: got no result from any of {planned} runs{tried}, wanted models that train. The "
            f"first one ended with: {format_failure(failures[0].reason)}"
        )


def _judge(sweep: Sweep, table: RunTable, *, is_complete: bool) -> tuple[Judgement, str]:
    """Return what is concluded from a table, and why nothing is where that is so."""
    study = sweep.study
    try:
        answers = judge(
            table,
            target=study.target,
            base=study.base_size,
            **_name_tolerance(study.search),
            looks=sweep.design.looks,
            conditions=describe_conditions(study),
            seed=study.study_seed,
            axis=study.along,
        )
    except TableError as error:
        if is_complete:
            raise
        return Judgement({}, (), {}), str(error)  # the runs so far allow no conclusion yet
    return answers, ""


def _name_tolerance(search: GridSearch | AdaptiveSearch) -> dict[str, float]:
    return {"absolute_tolerance" if search.absolute else "tolerance": search.tolerance}


def _make_table(planned: Sequence[PlannedRun], present: Mapping[str, TrainedRun]) -> RunTable:
    rows = ((p, present[p.run.id].outcome) for p in planned if p.run.id in present)
    return RunTable(
        tuple(
            Observation(
                scheme=planned_run.variant,
                size=planned_run.size,
                lr=planned_run.run.lr,
                seed=planned_run.run.seed,
                loss=outcome.loss,
                diverged=outcome.diverged,
            )
            for planned_run, outcome in rows
        )
    )
