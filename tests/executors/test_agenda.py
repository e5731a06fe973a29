"""Which runs are trained next, tried again and given up, as a plain list of what was taken."""

from dataclasses import replace

import pytest

from lrtransfer.executors.agenda import Agenda
from lrtransfer.executors.blocks import split_into_blocks
from lrtransfer.runs.digests import Digests
from lrtransfer.runs.failure import Failure
from lrtransfer.runs.result import Provenance, TrainedRun
from lrtransfer.runs.run import RunSpec
from lrtransfer.study.study import Study
from lrtransfer.training.outcome import Outcome
from tests.studies import run_of


@pytest.fixture
def runs(small: Study) -> list[RunSpec]:
    """Return five runs of each of three kinds, the widest first."""
    run = run_of(small, digests=Digests("d"))
    return [replace(run, width=n, seed=seed) for n in (48, 32, 16) for seed in range(5)]


def work_off(agenda: Agenda, succeeding: set[int], *, may_pass: bool = False) -> list[int]:
    """Return the widths of the runs in the order they are tried, one worker at a time."""
    taken = []
    while block := agenda.take():
        (run,) = block
        taken.append(run.width)
        good = TrainedRun(
            run.id, run.identity, Outcome("finished", 1.0, ()), Provenance(engine="e", seconds=1.0)
        )
        agenda.settle(run, good if run.width in succeeding else Failure(run, "no", may_pass))
    return taken


def make_agenda(runs: list[RunSpec], **options: float) -> Agenda:
    settings = {"retries": 0, "patience": float("inf")} | options
    return Agenda(split_into_blocks(runs), **settings)  # type: ignore[arg-type]


def test_where_nothing_succeeds_three_of_every_kind_are_tried(runs: list[RunSpec]) -> None:
    assert work_off(make_agenda(runs), set()) == [48] * 3 + [32] * 3 + [16] * 3


def test_where_one_kind_succeeds_all_are_tried(runs: list[RunSpec]) -> None:
    # A success of the last kind lets those that waited go on, the widest first.
    wanted = [48] * 3 + [32] * 3 + [16] + [48] * 2 + [32] * 2 + [16] * 4
    assert work_off(make_agenda(runs), {16}) == wanted


def test_where_patience_ends_a_kind_is_given_up_for_good(runs: list[RunSpec]) -> None:
    wanted = [48] * 3 + [32] * 3 + [16] * 5
    assert work_off(make_agenda(runs, patience=3), {16}) == wanted


def test_a_kind_proven_before_is_neither_put_off_nor_given_up(runs: list[RunSpec]) -> None:
    proven = Agenda(
        split_into_blocks(runs), retries=0, patience=3, proven={run.cost_class for run in runs}
    )
    assert work_off(proven, set()) == [48] * 5 + [32] * 5 + [16] * 5


def test_what_never_worked_is_tried_again_at_once(runs: list[RunSpec]) -> None:
    one_kind = runs[:5]
    agenda = make_agenda(one_kind, retries=1)
    assert len(work_off(agenda, set(), may_pass=True)) == 6  # three runs, each twice
    agenda = Agenda(split_into_blocks(one_kind), retries=1, patience=3, proven={runs[0].cost_class})
    first = agenda.take()
    assert first
    agenda.settle(first[0], Failure(first[0], "no", may_pass=True))
    assert agenda.take() == (one_kind[1],)  # it waits behind the others
