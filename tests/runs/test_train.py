"""One run from its identity: schemes meet at the base width, nothing else decides the result."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from lrtransfer.errors import UserError
from lrtransfer.runs.assemble import make_recipe
from lrtransfer.runs.digests import Digests
from lrtransfer.runs.failure import Failure
from lrtransfer.runs.result import TrainedRun
from lrtransfer.runs.run import SHARED_SCHEME, RunSpec
from lrtransfer.runs.train import train_block, train_run
from lrtransfer.study.load import load
from lrtransfer.study.parametrization import ParametrizationConfig
from lrtransfer.study.study import Study
from lrtransfer.training.engines.engine import TrainingJob
from lrtransfer.training.engines.loop import Loop
from lrtransfer.training.outcome import Outcome
from tests.studies import run_of


@pytest.fixture(scope="module")
def run(small: Study) -> RunSpec:
    return run_of(small, 48, lr=2.0**-5)


def test_two_schemes_at_the_base_width_give_the_same_bits(run: RunSpec) -> None:
    at_base = [replace(run, scheme=s, width=16) for s in ("mup", "sp", SHARED_SCHEME)]
    outcomes = {train_run(r) for r in at_base}
    assert len(outcomes) == 1
    at_48 = {train_run(replace(run, scheme=s)) for s in ("mup", "sp")}
    assert len(at_48) == 2


def test_a_run_repeats_to_the_last_bit_whatever_ran_before(run: RunSpec) -> None:
    first = train_run(run)
    train_run(replace(run, width=32, seed=1))
    assert train_run(run) == first


def test_rates_of_a_seed_share_initial_weights_and_batches(run: RunSpec) -> None:
    curves = [train_run(replace(run, lr=lr)).curve for lr in (2.0**-7, 2.0**-3)]
    assert curves[0][0] == curves[1][0]
    assert curves[0] != curves[1]
    assert train_run(replace(run, seed=1)).curve[0] != curves[0][0]


def test_a_changed_text_is_noticed(run: RunSpec, small: Study) -> None:
    stale = run_of(small, 48, digests=Digests("0" * 64))
    with pytest.raises(UserError, match=r"corpus: got digest .*, wanted 000000000000"):
        train_run(stale)


@pytest.mark.parametrize("scheme", ["mup", "sp", "completep"])
def test_queries_start_from_zero_where_that_is_chosen(small: Study, scheme: str) -> None:
    study = small.model_copy(update={"parametrization": ParametrizationConfig(query_init="zero")})
    recipe = make_recipe(run_of(study, 48, scheme=scheme))
    stds = {tensor.name: tensor.initial.std for tensor in recipe.tensors}
    assert stds["blocks.0.query.weight"] == 0
    assert stds["blocks.0.key.weight"] > 0


def test_a_model_without_queries_has_none_to_start_from_zero() -> None:
    settings = {"model": {"family": "mlp"}, "data": {"source": "digits"}}
    study = load(None, settings | {"parametrization": {"query_init": "zero"}})
    run = run_of(study, 64)
    with pytest.raises(UserError, match="query_init: got 'zero', but no query"):
        train_run(run)


class OneShort(Loop):
    """An engine that gives an outcome less than it has jobs."""

    name = "one short"

    def train(self, block: Sequence[TrainingJob]) -> Iterator[Outcome]:
        yield from super().train(block[1:])


def test_an_engine_that_gives_too_few_outcomes_fails_the_rest(
    run: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lrtransfer.runs.train.ENGINES", (OneShort(),))
    block = (run, replace(run, seed=1))
    results = dict(train_block(block))
    assert [type(results[spec]) for spec in block] == [TrainedRun, Failure]


def test_a_run_that_cannot_be_described_fails_alone(
    run: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = replace(run, seed=1)

    def count(spec: RunSpec) -> int:
        if spec == bad:
            raise RuntimeError("no number")
        return 1

    monkeypatch.setattr("lrtransfer.runs.train.count_parameters", count)
    results = dict(train_block([run, bad]))
    assert isinstance(results[run], TrainedRun)
    failure = results[bad]
    assert isinstance(failure, Failure)
    assert failure.reason.endswith("RuntimeError: no number")
