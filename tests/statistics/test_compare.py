"""Differences of schemes, paired, with intervals that hold together."""

import numpy as np
import pytest

from lrtransfer.statistics.table import Observation, RunTable
from lrtransfer.statistics.transfer import Judgement, judge

WIDTHS = (64, 128, 256, 512)


def judged(*schemes: tuple[str, float, float], seeds: int = 5, seed: int = 0) -> Judgement:
    """Judge schemes with a name, a drift and a best loss; they share the noise of their seeds."""
    rng, rows = np.random.default_rng(seed), []
    noises = np.random.default_rng([seed, 1]).spawn(len(schemes))
    for k, width in enumerate(WIDTHS):
        shared = 0.05 * rng.standard_normal(seeds)
        for (name, drift, floor), noise in zip(schemes, noises, strict=True):
            for x in range(-12, -2):
                for s in range(seeds):
                    loss = floor + (x + 7 - drift * k) ** 2 / 16
                    loss += shared[s] + 0.003 * noise.standard_normal()
                    rows.append(Observation(name, width, 2.0**x, s, loss))
    return judge(RunTable(tuple(rows)), target=512)


def true_regret(judgement: Judgement, scheme: str, drift: float) -> float:
    """Return what the rate used truly costs, as a share of the best loss measured."""
    regret = judgement[scheme].regret
    assert regret is not None
    return (regret.log2_lr + 7 - 3 * drift) ** 2 / 16 / regret.best_loss


def test_differences_are_found() -> None:
    (comparison,) = judged(("mup", 0.0, 3.0), ("sp", -0.7, 3.1)).comparisons
    assert (comparison.scheme, comparison.reference, comparison.size) == ("sp", "mup", 512)
    for interval, truth in ((comparison.drift, -0.7), (comparison.best_loss, 0.1)):
        assert interval is not None
        assert interval.low is not None
        assert interval.high is not None
        assert interval.low <= truth <= interval.high
    # That the losses and the regrets differ is certain.
    assert comparison.best_loss is not None
    assert comparison.best_loss.low is not None
    assert comparison.best_loss.low > 0
    assert comparison.regret is not None
    assert comparison.regret.low is not None
    assert comparison.regret.low > 0


def test_pairing_by_seed_removes_what_seeds_share() -> None:
    (comparison,) = judged(("a", 0.0, 3.0), ("b", 0.0, 3.0)).comparisons
    assert comparison.best_loss is not None
    assert comparison.best_loss.low is not None
    assert comparison.best_loss.high is not None
    assert (
        comparison.best_loss.high - comparison.best_loss.low < 0.02
    )  # seeds alone scatter by 0.05


def test_every_scheme_is_compared_with_the_first() -> None:
    comparisons = judged(("a", 0.0, 3.0), ("b", 0.0, 3.0), ("c", -0.7, 3.0), seeds=3).comparisons
    assert [(c.scheme, c.reference) for c in comparisons] == [("b", "a"), ("c", "a")]


def test_more_comparisons_widen_the_intervals() -> None:
    one = judged(("a", 0.0, 3.0), ("b", 0.0, 3.0), seeds=3).comparisons[0].drift
    two = judged(("a", 0.0, 3.0), ("b", 0.0, 3.0), ("c", 0.0, 3.0), seeds=3).comparisons[0].drift
    assert one is not None
    assert two is not None
    assert one.low is not None
    assert one.high is not None
    assert two.low is not None
    assert two.high is not None
    # Normal quantiles at 0.05 / 3 and 0.05 / 6: 2.394 and 2.638; a mixture has heavier tails.
    assert 2.638 / 2.394 < (two.high - two.low) / (one.high - one.low) < 1.3


def test_intervals_hold_together() -> None:
    held = []
    for seed in range(40):
        judgement = judged(("a", 0.0, 3.0), ("b", -0.2, 3.0), seeds=3, seed=seed)
        (comparison,) = judgement.comparisons
        regret = true_regret(judgement, "b", -0.2) - true_regret(judgement, "a", 0.0)
        truths = (
            (comparison.drift, -0.2),
            (comparison.best_loss, 0.0),
            (comparison.regret, regret),
        )
        held.append(
            all(
                i is None or (i.low is not None and i.high is not None and i.low <= truth <= i.high)
                for i, truth in truths
            )
        )
    assert np.mean(held) >= 0.9


def test_pairs_are_of_equal_seeds() -> None:
    # The other has a seed more, before those that both have.
    offsets = {0: -0.5, 1: 0.0, 2: 0.03, 3: 0.09}
    rows = [
        Observation(name, width, 2.0**x, s, 8 + level + (x + 7) ** 2 / 16 + offsets[s])
        for name, level, seeds in (("a", 0.0, (1, 2, 3)), ("b", 0.1, (0, 1, 2, 3)))
        for width in (64, 128)
        for x in range(-12, -2)
        for s in seeds
    ]
    (comparison,) = judge(RunTable(tuple(rows)), target=128).comparisons
    assert comparison.best_loss is not None
    assert comparison.best_loss.low == pytest.approx(0.1, abs=0.01)
    assert comparison.best_loss.high == pytest.approx(0.1, abs=0.01)


def test_few_seeds_tell_no_difference_of_losses() -> None:
    (comparison,) = judged(("a", 0.0, 3.0), ("b", 0.0, 3.0), seeds=2).comparisons
    assert comparison.best_loss is None
    assert comparison.drift is not None


def test_one_scheme_is_compared_with_nothing() -> None:
    assert judged(("a", 0.0, 3.0), seeds=2).comparisons == ()


def test_schemes_without_a_common_width_are_not_compared() -> None:
    rows = [
        Observation(name, width, 2.0**x, s, 3 + (x + 7) ** 2 / 16)
        for name, widths in (("a", (64, 128)), ("b", (256, 512)))
        for width in widths
        for x in range(-12, -2)
        for s in range(2)
    ]
    assert judge(RunTable(tuple(rows)), target=512).comparisons == ()


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_answers_do_not_depend_on_comparisons(order: tuple[str, str]) -> None:
    both = judged(*((name, 0.0, 3.0) for name in order))
    assert set(both) == {"a", "b"}
    assert len(both) == 2
