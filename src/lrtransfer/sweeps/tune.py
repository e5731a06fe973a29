"""A study from plan to answer: train what is missing, extend where an optimum is at an edge.

The result is a function of the study alone. What the store holds is only a memory of results
that need not be computed again, so interruptions, and runs of other plans, change nothing.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from ..errors import ConfigError, StoreError, TableError, UserError
from ..statistics.table import Observation, RunTable
from ..statistics.transfer import Judgement, judge
from .command import CommandWorkers
from .confirm import Confirmation, confirmations, target_cells, write_down
from .describe import conditions
from .digests import Digests, digests
from .execute import Listener, execute
from .local import Failure, LocalWorkers, default_workers
from .plan import Cells, PlannedRun, Run, expand, first_cells, unique_runs
from .propose import Proposal, cost_of, looks, propose
from .reasons import told
from .result import Counts, StudyResult
from .store import Result, Row, Store, open_store, read_store
from .study import Study

# Trains runs, puts their results in the store, and returns those that gave none.
Train = Callable[[tuple[Run, ...]], tuple[Failure, ...]]
# Keeps what is foretold of the target before it is trained.
Note = Callable[[Judgement], None]


def tune(
    study: Study,
    directory: Path,
    *,
    workers: int,
    listener: Listener = lambda progress: None,
) -> StudyResult:
    """Train the runs of a study that are missing in a folder, and return the result.

    Arguments:
        study: What to do.
        directory: Holds the run store; made if need be.
        workers: Number of processes, each training one run with one thread.
        listener: Called after every run.

    Raises:
        UserError: If the corpus or the folder cannot be used, or no worker can start.
    """
    found = examined(study)
    with open_store(directory) as store, _workers(study, directory, workers) as pool:
        store.begin_study(study.recorded(), found.to_json())
        return _advance(
            study,
            found,
            store,
            train=partial(execute, store=store, workers=pool, listener=listener),
            note=partial(write_down, directory=directory),
        )


def examined(study: Study) -> Digests:
    """Return the hashes of a study's data and code, after checks that need more than its settings.

    Raises:
        UserError: If data or code cannot be used, or the budget does not pay the first round.
    """
    _require_budget(study)
    return digests(study)


def worker_count(study: Study, asked: int | None) -> int:
    """Return how many processes train a study: as asked, else one per core.

    One trains where a core is not the limit: a program of the user's own, or another device.

    Raises:
        ConfigError: If none is asked for.
    """
    if asked is None:
        return default_workers() if study.trainer is None and study.device == "cpu" else 1
    if not isinstance(asked, int) or asked < 1:
        raise ConfigError(f"workers: got {asked!r}, wanted a whole number, at least 1.")
    return asked


def require_consent(study: Study, *, allow_code: bool) -> None:
    """Refuse to run code that a file names, unless its user said that it may.

    Raises:
        ConfigError: If it was not said.
    """
    if study.named_code and not allow_code:
        key, text = next(iter(study.named_code.items()))
        raise ConfigError(
            f"{key}: got {text!r}, code that is named inside a file, wanted your consent to run "
            "it. Read it, then give --allow-code (from Python: allow_code=True)."
        )


def _workers(study: Study, directory: Path, count: int) -> LocalWorkers | CommandWorkers:
    if study.trainer is None:
        return LocalWorkers(count, device=study.device, path=getattr(study.data, "path", None))
    return CommandWorkers(study.trainer, directory, count)


def review(directory: Path) -> StudyResult:
    """Return the result of the study in a folder as far as it has come; trains nothing.

    Raises:
        StoreError: If the folder holds no study.
    """
    with read_store(directory) as store:
        study, found = _latest(store)
        return _advance(study, found, store, train=lambda runs: (), note=lambda answers: None)


def _require_budget(study: Study) -> None:
    """Refuse a budget that the first round of an adaptive design exceeds."""
    least, limit = cost_of(study, first_cells(study)), study.limit
    if study.design == "adaptive" and least > limit.amount:
        raise ConfigError(
            f"budget: got {limit.amount:g} {limit.unit}, wanted at least {least:g} for the first "
            "round of these widths and schemes. Give more, or fewer widths."
        )


def _latest(store: Store) -> tuple[Study, Digests]:
    latest = store.latest_study()
    if latest is None:
        raise StoreError(f"{store.path}: got no study in it. Run `lrtransfer tune` first.")
    settings, found = latest
    try:
        return Study.model_validate(json.loads(settings)), Digests(**json.loads(found))
    except (ValidationError, ValueError, TypeError) as error:
        raise StoreError(
            f"{store.path}: got a study that another version of lrtransfer wrote, wanted one of "
            "this version. Use that version, or run `lrtransfer tune` again."
        ) from error


def _advance(
    study: Study, found: Digests, store: Store, *, train: Train, note: Note
) -> StudyResult:
    """Train, judge and extend until nothing is left to add or a run is missing."""
    sweep = _Sweep(study, found, store, train)
    cells, choices, look = first_cells(study), list[str](), 0
    while True:
        state, look = sweep.at(cells), look + 1
        proposal = Proposal(cells, ())
        if state.is_complete:
            proposal = propose(study, cells, state.answers, look=look)
        choices += proposal.reasons
        if proposal.cells == cells:
            break
        cells = proposal.cells
    # The target's few rates confirm an answer; they do not replace the sweep's.
    answers, confirmed = state.answers, tuple[Confirmation, ...]()
    if study.confirm and state.is_complete:
        at_target = target_cells(study, answers)
        if not sweep.any_present(at_target):
            note(answers)
        state = sweep.at({**cells, **at_target})
        confirmed = confirmations(study, answers, state.answers)
    return StudyResult(
        study=study,
        counts=_count(state.runs, state.finished, sweep.before),
        table=state.table,
        answers=answers,
        parameters=_parameters(state, study.arms[0].name),
        choices=tuple(choices),
        confirmations=confirmed,
        versions=tuple(sorted({_version(row) for row in state.finished})),
        failures=tuple(sweep.failures),
    )


@dataclass(frozen=True, eq=False)
class _State:
    """Hold what is known once the runs of some cells were trained."""

    planned: tuple[PlannedRun, ...]
    runs: tuple[Run, ...]
    finished: tuple[Row, ...]
    table: RunTable
    answers: Judgement

    @property
    def is_complete(self) -> bool:
        """Whether every run has a result."""
        return len(self.runs) == len(self.finished)


class _Sweep:
    """Trains what is missing, and judges what there is."""

    def __init__(self, study: Study, found: Digests, store: Store, train: Train) -> None:
        self._study, self._digests, self._store, self._train = study, found, store, train
        self.before = frozenset(store.rows())
        self.failures: list[Failure] = []

    def any_present(self, cells: Cells) -> bool:
        """Tell whether some run of these cells has a result already."""
        present = self._store.rows()
        planned = expand(self._study, cells, digests=self._digests)
        return any(p.run.id in present for p in planned)

    def at(self, cells: Cells) -> _State:
        """Return the state of the study with these cells."""
        planned = expand(self._study, cells, digests=self._digests)
        runs = unique_runs(planned)
        present = self._store.rows()
        if missing := tuple(run for run in runs if run.id not in present):
            self.failures += self._train(missing)
            present = self._store.rows()
            if not any(run.id in present for run in runs):
                _refuse_without_results(self.failures)
        finished = tuple(present[run.id] for run in runs if run.id in present)
        table = _table(planned, present)
        is_complete = len(finished) == len(runs)
        return _State(
            planned, runs, finished, table, _judge(self._study, table, is_complete=is_complete)
        )


def _refuse_without_results(failures: Sequence[Failure]) -> None:
    """Refuse to answer when every run failed: the cause lies with the study, not with a run."""
    if not failures:
        return
    raise UserError(
        f"tune: got no result from any of {len(failures)} runs, wanted models that train. The "
        f"first one ended with: {told(failures[0].reason)}"
    )


def _judge(study: Study, table: RunTable, *, is_complete: bool) -> Judgement:
    try:
        return judge(
            table,
            target=study.target,
            base=study.base,
            tolerance=study.tolerance,
            looks=looks(study),
            conditions=conditions(study),
            seed=study.study_seed,
            axis=study.along,
        )
    except TableError:
        if is_complete:
            raise
        return Judgement({}, (), {})  # the runs so far allow no conclusion yet


def _table(planned: Iterable[PlannedRun], present: Mapping[str, Row]) -> RunTable:
    return RunTable(
        tuple(_observation(p, present[p.run.id].result) for p in planned if p.run.id in present)
    )


def _observation(planned: PlannedRun, result: Result) -> Observation:
    run = planned.run
    return Observation(
        scheme=planned.scheme,
        size=planned.size,
        lr=run.lr,
        seed=run.seed,
        loss=result.loss,
        diverged=result.status != "finished",
    )


def _parameters(state: _State, arm: str) -> dict[int, int]:
    sizes = {p.run.id: p.size for p in state.planned if p.scheme == arm}
    return {
        sizes[row.id]: row.record["parameters"]
        for row in state.finished
        if row.id in sizes and "parameters" in row.record
    }


def _version(row: Row) -> str:
    made = row.record
    if made["engine"] == "command":
        return "the study's own command"
    return f"torch {made['torch']} on {made['processor']}, engine {made['engine']}"


def _count(runs: Sequence[Run], finished: Sequence[Row], before: frozenset[str]) -> Counts:
    return Counts(
        planned=len(runs),
        finished=len(finished),
        diverged=sum(row.result.status != "finished" for row in finished),
        reused=sum(row.id in before for row in finished),
    )
