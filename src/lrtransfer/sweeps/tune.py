"""A study from plan to answer: train what is missing, judge, and add runs as its design says.

The result is a function of the study alone. What the store holds is only a memory of results
that need not be computed again, so interruptions, and runs of other plans, change nothing.
"""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..errors import ConfigError, StoreError
from ..executors.engines import Engines
from ..executors.leftovers import end_leftovers, mark_study
from ..executors.local import LocalProcesses, count_cores
from ..executors.programs import Programs
from ..runs.digests import Digests
from ..runs.failure import Failure
from ..statistics.transfer import Judgement
from ..study.load import parse_study
from ..study.model_work import ModelWork
from ..study.program import Program
from ..study.study import Study
from .confirm import Confirmation, confirm, plan_target, write_predictions
from .designs.design import Proposal
from .execute import Listener, execute
from .judgeable import require_judgeable, require_judgeable_runs
from .result import StudyResult, count_runs
from .state import Train, train_plan
from .store import Store, open_store, read_store
from .sweep import Sweep, prepare_sweep

# Keeps what is predicted for the target before it is trained.
KeepPredictions = Callable[[Judgement], None]


def run_study(
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
    sweep, trainer = prepare_sweep(study), _make_trainer(study, directory)
    if not _is_finished(sweep, directory):
        trainer.require_usable()
    with open_store(directory) as store, LocalProcesses(workers) as executor:
        end_leftovers(mark_study(directory))
        store.begin_study(study.to_json(), sweep.digests.to_json())
        require_judgeable_runs(sweep, store.rows())
        train = partial(
            execute,
            store=store,
            trainer=trainer,
            executor=executor,
            listener=listener,
            check=partial(require_judgeable, study),
        )
        return _carry_out(sweep, store, train, partial(write_predictions, directory=directory))


def review_study(directory: Path) -> StudyResult:
    """Return the result of the study in a folder as far as it has come; trains nothing.

    Raises:
        StoreError: If the folder holds no study.
    """
    with read_store(directory) as store:
        sweep = _read_latest(store)
        return _carry_out(sweep, store, lambda runs, proven: (), lambda answers: None)


def count_workers(study: Study, requested: int | None) -> int:
    """Return how many processes train a study: as requested, else one per core.

    One trains where a core is not the limit: a program of the user's own, or another device.

    Raises:
        ConfigError: If none is requested.
    """
    if requested is None:
        is_bound_by_cores = isinstance(study.work, ModelWork) and study.device == "cpu"
        return count_cores() if is_bound_by_cores else 1
    if not isinstance(requested, int) or requested < 1:
        raise ConfigError(f"workers: got {requested!r}, wanted a whole number, at least 1.")
    return requested


def require_consent(
    study: Study,
    *,
    allow_code: bool,
    typed: Mapping[str, Any] = MappingProxyType({}),
    estimate_only: bool = False,
) -> None:
    """Refuse to execute code, or a command, that a file names, unless its user said that it may.

    Arguments:
        study: The settings, those of its file among them.
        allow_code: Whether the user said so.
        typed: Settings that the user gave by hand: what they name is executed anyway.
        estimate_only: Whether nothing but the cost is asked for, for which no command is called.

    Raises:
        ConfigError: If it was not said.
    """
    executed = study.work.user_code if estimate_only else study.work.executed
    for key, text in executed.items():
        if allow_code or _holds(typed, key):
            continue
        kind = "code" if key in study.work.user_code else "a command"
        raise ConfigError(
            f"{key}: got {text!r}, {kind} that is named inside a file, wanted your consent to run "
            "it. Read it, then give --allow-code (from Python: allow_code=True)."
        )


def _holds(settings: Mapping[str, Any], path: str) -> bool:
    """Tell whether settings hold a value at a path such as `trainer.command`."""
    head, _, rest = path.partition(".")
    if not rest:
        return head in settings
    inner = settings.get(head)
    return isinstance(inner, Mapping) and _holds(inner, rest)


def _make_trainer(study: Study, directory: Path) -> Engines | Programs:
    match study.work:
        case ModelWork():
            return Engines(study.device, directory, timeout=study.timeout)
        case Program() as program:
            return Programs(program, directory, timeout=study.timeout)


def _is_finished(sweep: Sweep, directory: Path) -> bool:
    """Return whether a folder holds the first runs of a study, so that it may well be finished."""
    try:
        with read_store(directory) as store:
            present = store.rows()
    except StoreError:  # none yet, or it is refused once it is opened for writing
        return False
    return all(planned.run.id in present for planned in sweep.expand(sweep.design.first()))


def _read_latest(store: Store) -> Sweep:
    latest = store.latest_study()
    if latest is None:
        raise StoreError(f"{store.path}: got no study in it. Run `lrtransfer tune` first.")
    settings, digests = latest
    try:
        return Sweep(parse_study(settings), Digests.from_json(digests))
    except (ValueError, TypeError, RecursionError) as error:
        raise StoreError(
            f"{store.path}: got a study that another version of lrtransfer wrote, wanted one of "
            "this version. Use that version, or run `lrtransfer tune` again."
        ) from error


def _carry_out(
    sweep: Sweep, store: Store, train: Train, keep_predictions: KeepPredictions
) -> StudyResult:
    """Train, judge and add runs until nothing is left to add or a run is missing."""
    study, before = sweep.study, frozenset(store.rows())
    plan, choices, failures = sweep.design.first(), list[str](), list[Failure]()
    for round in count(1):
        state = train_plan(sweep, plan, store, train)
        failures += state.failures
        proposal = Proposal(plan)
        if state.is_complete:
            proposal = sweep.design.next(plan, state.answers, round=round)
        choices += proposal.reasons
        if proposal.plan == plan:
            break
        plan = proposal.plan
    # The target's few rates confirm an answer; they do not replace the sweep's.
    answers, confirmations = state.answers, tuple[Confirmation, ...]()
    if study.confirm and state.is_complete:
        at_target = plan_target(study, answers)
        present = store.rows()
        if not any(planned.run.id in present for planned in sweep.expand(at_target)):
            keep_predictions(answers)
        state = train_plan(sweep, {**plan, **at_target}, store, train)
        failures += state.failures
        confirmations = confirm(study, answers, state.answers)
    return StudyResult(
        study=study,
        counts=count_runs(state.runs, state.trained, before),
        table=state.table,
        answers=answers,
        parameters=state.count_parameters(study.variants[0].name),
        shared_curves={key: curve.shared_key for key, curve in sweep.curves.items()},
        choices=tuple(choices),
        confirmations=confirmations,
        versions=tuple(sorted({str(run.provenance) for run in state.trained})),
        failures=tuple(failures),
        obstacle=state.obstacle,
    )
