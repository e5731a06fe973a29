"""One run from its identity: schemes meet at the base width, nothing else decides the result."""

from dataclasses import replace

import pytest

from lrtransfer.errors import UserError
from lrtransfer.sweeps.digests import Digests, digests
from lrtransfer.sweeps.plan import SHARED_SCHEME, Run, run_settings
from lrtransfer.sweeps.study import Study
from lrtransfer.sweeps.train_run import train_run


@pytest.fixture(scope="module")
def run(small: Study) -> Run:
    settings = run_settings(small, small.arms[0], 48, digests(small))
    return Run(settings, scheme="mup", width=48, lr=2.0**-5, seed=0)


def test_two_schemes_at_the_base_width_give_the_same_bits(run: Run) -> None:
    at_base = [replace(run, scheme=s, width=16) for s in ("mup", "sp", SHARED_SCHEME)]
    outcomes = {train_run(r.identity) for r in at_base}
    assert len(outcomes) == 1
    at_48 = {train_run(replace(run, scheme=s).identity) for s in ("mup", "sp")}
    assert len(at_48) == 2


def test_a_run_repeats_to_the_last_bit_whatever_ran_before(run: Run) -> None:
    first = train_run(run.identity)
    train_run(replace(run, width=32, seed=1).identity)
    assert train_run(run.identity) == first


def test_rates_of_a_seed_share_initial_weights_and_batches(run: Run) -> None:
    curves = [train_run(replace(run, lr=lr).identity).curve for lr in (2.0**-7, 2.0**-3)]
    assert curves[0][0] == curves[1][0]
    assert curves[0] != curves[1]
    assert train_run(replace(run, seed=1).identity).curve[0] != curves[0][0]


def test_a_changed_text_is_noticed(run: Run, small: Study) -> None:
    stale = replace(run, settings=run_settings(small, small.arms[0], 48, Digests("0" * 64)))
    with pytest.raises(UserError, match=r"corpus: got digest .*, wanted 000000000000"):
        train_run(stale.identity)
