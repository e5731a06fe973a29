"""From tables to answers."""

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from lrtransfer.errors import TableError
from lrtransfer.statistics.answer import CurveFit, Regret, SchemeAnswer
from lrtransfer.statistics.evidence import open_edges
from lrtransfer.statistics.table import Observation, RunTable
from lrtransfer.statistics.transfer import judge

WIDTHS = (64, 128, 256, 512)
RATES = tuple(range(-11, -2))


def runs(
    scheme: str,
    best: Callable[[float], float],
    *,
    seeds: int = 3,
    noise: float = 0.003,
    widths: tuple[int, ...] = WIDTHS,
    cliff: float = 9.0,
) -> list[Observation]:
    """Return runs on parabolas with the optimum best(log2 width), diverged `cliff` octaves on."""
    rows = []
    for width in widths:
        centre = best(float(np.log2(width)))
        for seed in range(seeds):
            rng = np.random.default_rng([width, seed])
            offset = 0.01 * rng.standard_normal()
            for x, error in zip(RATES, rng.standard_normal(len(RATES)), strict=True):
                loss = 3 + (x - centre) ** 2 / 16 + offset + noise * float(error)
                gone = x - centre > cliff
                rows.append(Observation(scheme, width, 2.0**x, seed, None if gone else loss, gone))
    return rows


def still(_: float) -> float:
    return -6.4


def moving(log2_width: float) -> float:
    return -5.4 - 0.7 * (log2_width - 6)


def table(*groups: list[Observation]) -> RunTable:
    return RunTable(tuple(row for group in groups for row in group))


def same(one: SchemeAnswer, other: SchemeAnswer) -> bool:
    """Compare to the last bit; the fitted curves hold arrays."""

    def plain(fit: CurveFit) -> tuple[bytes, ...]:
        return tuple(a.tobytes() for a in (fit.log2_lr, fit.loss, fit.low, fit.high))

    curves = [plain(f) for f in one.fits] == [plain(f) for f in other.fits]
    return curves and replace(one, fits=()) == replace(other, fits=())


def test_optimum_that_stays_transfers() -> None:
    answer = judge(table(runs("mup", still)), target=4096)["mup"]
    assert answer.verdict == "transfers"
    assert answer.evidence == ()
    assert [o.status for o in answer.optima] == ["ok"] * 4
    assert answer.drift is not None
    assert answer.drift.low is not None
    assert answer.drift.high is not None
    assert answer.drift.low < 0 < answer.drift.high
    assert answer.prediction is not None
    assert answer.prediction.low < 2**-6.4 < answer.prediction.high
    assert answer.regret is not None
    assert (answer.regret.size, answer.regret.measured) == (512, True)
    assert "the widest measured" in answer.reason


def test_optimum_that_moves_does_not_transfer() -> None:
    answer = judge(table(runs("sp", moving)), target=512)["sp"]
    assert answer.verdict == "does not transfer"
    assert answer.drift is not None
    assert answer.drift.low is not None
    assert answer.drift.high is not None
    assert answer.drift.low < -0.7 < answer.drift.high < 0
    assert answer.regret is not None
    assert answer.regret.measured
    # 2.1 octaves off: 2.1^2 / 16 of 3
    assert answer.regret.estimate == pytest.approx(2.1**2 / 48, rel=0.1)
    # the prediction is still the regression's, though the target was measured
    assert answer.prediction is not None
    assert answer.prediction.size == 512
    assert answer.prediction.low < 2**-7.5 < answer.prediction.high


def test_optimum_at_the_lower_edge_of_the_widest_is_bad_enough() -> None:
    def falling(log2_width: float) -> float:
        return -6.5 - 1.6 * (log2_width - 6)

    answer = judge(table(runs("sp", falling, cliff=5.0)), target=2048)["sp"]
    assert answer.optima[-1].status == "edge"
    assert answer.verdict == "does not transfer"
    assert open_edges(answer) == ((512, "low"),)
    first = answer.evidence[0]
    assert first.action == "add learning rates below 2^-11 at width 512 (scheme sp)"
    assert (first.size, first.log2_lr) == (512, (-13.0, -12.0))
    assert first.runs == 2 * len({row.seed for row in table(runs("sp", falling)).observations})


def test_optimum_of_the_base_at_the_edge_is_open() -> None:
    answer = judge(table(runs("mup", lambda _: -2.5)), target=512)["mup"]
    assert answer.verdict == "inconclusive"
    assert open_edges(answer) == tuple((width, "high") for width in WIDTHS)
    first = answer.evidence[0]
    assert first.action == "add learning rates above 2^-3 at width 64 (scheme mup)"


def test_rate_used_beyond_the_target_grid_asks_for_it() -> None:
    rows = runs("sp", moving, widths=(64, 512))
    rows = [r for r in rows if r.size == 64 or r.lr <= 2**-6]
    answer = judge(table(rows), target=512)["sp"]
    assert answer.verdict == "inconclusive"
    assert {o.status for o in answer.optima} == {"ok"}
    assert open_edges(answer) == ((512, "high"),)
    assert answer.evidence[0].action.startswith("add the learning rate 2^-5.")


def test_thin_evidence_asks_for_more() -> None:
    rows = runs("mup", still, seeds=1, noise=0.05)
    answer = judge(table(rows), target=512, tolerance=0.001)["mup"]
    assert answer.verdict == "inconclusive"
    assert any(line.action.startswith("add learning rates halfway") for line in answer.evidence)
    assert any(line.action.startswith("add seeds: 3 per learning rate") for line in answer.evidence)


def test_two_widths_give_a_verdict_and_a_wide_prediction() -> None:
    two = judge(table(runs("mup", still, widths=(256, 512))), target=1024)["mup"]
    four = judge(table(runs("mup", still)), target=1024)["mup"]
    assert two.verdict == "transfers"
    assert two.drift is not None
    assert two.drift.low is not None
    assert two.drift.low < 0 < (two.drift.high or 0)
    assert two.prediction is not None
    assert four.prediction is not None
    assert two.prediction.low < 2.0 ** still(10.0) < two.prediction.high
    assert two.prediction.high / two.prediction.low > four.prediction.high / four.prediction.low


def test_base_width_is_the_one_asked_for() -> None:
    rows = table(runs("sp", moving))
    narrow = judge(rows, target=512)["sp"].regret
    near = judge(rows, target=512, base=256)["sp"].regret
    assert narrow is not None
    assert near is not None
    assert near.log2_lr == pytest.approx(moving(8.0), abs=0.1)
    assert near.estimate < narrow.estimate


def test_base_as_widest_has_nothing_to_be_judged_at() -> None:
    answer = judge(table(runs("sp", moving)), target=4096, base=512)["sp"]
    assert answer.verdict == "inconclusive"
    (evidence,) = answer.evidence
    assert evidence.size == 1024
    rest = sum(row.size**2 for row in table(runs("sp", moving)).observations)
    assert evidence.cost == pytest.approx(evidence.runs * 1024**2 / rest)


def test_covers_says_what_is_not_covered() -> None:
    answer = judge(
        table(runs("mup", still)), target=4096, conditions="200 steps of 1,024 tokens, AdamW"
    )["mup"]
    assert answer.covers == (
        "Covered: width only, between the measured widths 64 and 512, at these conditions: "
        "200 steps of 1,024 tokens, AdamW. Not covered: the target width 4096 itself; another "
        "training length, batch size or depth at the target."
    )


def test_other_schemes_change_no_bit() -> None:
    mine, other = runs("mup", still), runs("sp", moving, seeds=2, noise=0.02)
    alone = judge(table(mine), target=1024)["mup"]
    assert same(judge(table(other, mine), target=1024)["mup"], alone)


def test_name_of_the_scheme_changes_no_number() -> None:
    one = judge(table(runs("a", still)), target=1024)["a"]
    other = judge(table(runs("b", still)), target=1024)["b"]
    assert (one.optima, one.regret, one.drift) == (other.optima, other.regret, other.drift)


def test_order_of_rows_changes_no_bit() -> None:
    rows = runs("mup", still) + runs("sp", moving)
    shuffled = random.Random(3).sample(rows, len(rows))
    one, other = (judge(table(r), target=1024) for r in (rows, shuffled))
    assert all(same(one[scheme], other[scheme]) for scheme in ("mup", "sp"))


def test_row_given_twice_counts_once() -> None:
    rows = runs("mup", still)
    one, other = (judge(table(r), target=1024)["mup"] for r in (rows, rows + rows))
    assert same(one, other)


@pytest.mark.parametrize("loss", [None, float("nan"), -5.0])
def test_loss_of_a_diverged_run_is_not_read(loss: float | None) -> None:
    one, other = ([Observation("mup", w, 0.5, 0, v, True) for w in WIDTHS] for v in (loss, None))
    rows = runs("mup", still)
    first, second = (judge(table(rows, extra), target=1024)["mup"] for extra in (one, other))
    assert same(first, second)
    assert same(judge(table(rows, one, other), target=1024)["mup"], second)


def test_no_numpy_numbers_reach_the_reader() -> None:
    answer = judge(table(runs("sp", moving)), target=4096)["sp"]
    numbers = [answer.regret, answer.drift, answer.prediction, *answer.optima]
    kinds = {type(v) for part in numbers for v in vars(part).values()}
    assert kinds <= {int, float, str, bool, type(None)}


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([], {}, "got a table without runs, wanted runs at two or more widths. Add"),
        (runs("a", still, widths=(64,)), {}, "got width 64 alone .* wanted at least two .* Add"),
        (runs("a", still), {"target": 0}, "got target=0, wanted a positive .* Give"),
        (runs("a", still), {"tolerance": 0.0}, "got tolerance=0.0, wanted a positive .* Give"),
        (runs("a", still), {"base": 65}, "got base=65, wanted .* 64, 128, .* Choose"),
        ([Observation("a", 64, -6.0, 0, 3.0)], {}, "lr -6.0, .* positive learning rate .* Correct"),
        ([Observation("a", 0, 0.1, 0, 3.0)], {}, "width 0, .* wanted a positive width .* Correct"),
        (
            [Observation("a", 64, 0.1, 0, -3.0)],
            {},
            "got loss -3.0 .* wanted a positive loss.* Give",
        ),
        (
            [Observation("a", 64, 0.1, 0, 3.0), Observation("a", 64, 0.1, 0, 3.1)],
            {},
            r"got losses 3.0 and 3.1 for the same run .* wanted one. Remove",
        ),
        (
            [Observation("a", 64, 0.1, 0, 3.0), Observation("a", 64, 0.1, 0, None, True)],
            {},
            r"got losses 3.0 and None for the same run .* wanted one. Remove",
        ),
    ],
)
def test_bad_tables_are_refused(
    rows: list[Observation], options: dict[str, float], message: str
) -> None:
    arguments = {"target": 512} | options
    with pytest.raises(TableError, match=message):
        judge(RunTable(tuple(rows)), **arguments)  # type: ignore[arg-type]


def test_scheme_with_one_width_beside_others_is_open() -> None:
    answers = judge(table(runs("mup", still), runs("sp", moving, widths=(64,))), target=512)
    assert answers["mup"].verdict == "transfers"
    assert answers["sp"].verdict == "inconclusive"
    assert [evidence.size for evidence in answers["sp"].evidence] == [128]


def test_nothing_trains() -> None:
    rows = [Observation("sp", w, 2.0**x, 0, None, True) for w in (64, 128) for x in RATES]
    answer = judge(table(rows), target=128)["sp"]
    assert answer.verdict == "inconclusive"
    assert open_edges(answer) == ((64, "low"), (128, "low"))


def shifted(rows: RunTable, by: float) -> RunTable:
    """Add a constant to every finite loss."""
    return RunTable(
        tuple(replace(r, loss=None if r.loss is None else r.loss + by) for r in rows.observations)
    )


# 3 is about the lowest loss: shifted by it, best losses lie on both sides of 0 and near it.
@pytest.mark.parametrize(
    ("by", "tolerance", "verdicts"),
    [
        (-3.005, 0.05, ("transfers", "does not transfer")),
        (-1e4, 0.05, ("transfers", "does not transfer")),
        (-3.0, 1.0, ("transfers", "transfers")),
        (-10.0, 0.275, ("transfers", "inconclusive")),
        (-2.9, 0.275, ("transfers", "inconclusive")),
        (7.0, 0.275, ("transfers", "inconclusive")),
    ],
)
def test_an_absolute_verdict_does_not_depend_on_a_constant_in_the_loss(
    by: float, tolerance: float, verdicts: tuple[str, str]
) -> None:
    plain = table(runs("mup", still), runs("sp", moving))
    before, after = (
        judge(some, target=4096, absolute_tolerance=tolerance)
        for some in (plain, shifted(plain, by))
    )
    assert tuple(answer.verdict for answer in before.values()) == verdicts

    def numbers(regret: Regret | None) -> list[float]:
        assert regret is not None
        unit = 1.0 if regret.in_loss_units else regret.best_loss
        ends = (regret.estimate, regret.low, regret.high, regret.tolerance)
        return [unit * end for end in ends if end is not None]

    for name in ("mup", "sp"):
        one, other = before[name], after[name]
        assert other.verdict == one.verdict
        assert numbers(other.regret) == pytest.approx(numbers(one.regret), rel=1e-6, abs=1e-6)
        pairs = zip(one.regrets, other.regrets, strict=True)
        assert all(numbers(b) == pytest.approx(numbers(a), rel=1e-6, abs=1e-6) for a, b in pairs)
        rates = [[o.log2_lr for o in answer.optima] for answer in (one, other)]
        assert rates[1] == pytest.approx(rates[0], abs=1e-6)
        for a, b in (
            (one.quality.extrapolation, other.quality.extrapolation),
            (one.quality.penalty, other.quality.penalty),
        ):
            assert numbers(b) == pytest.approx(numbers(a), rel=1e-6, abs=1e-6)


def test_a_cost_in_units_of_the_loss_is_written_as_one() -> None:
    low = shifted(table(runs("mup", still), runs("sp", moving)), -10)
    judgement = judge(low, target=4096, absolute_tolerance=0.05)
    for name, least in (("mup", 0.0), ("sp", 0.2)):
        regret = judgement[name].regret
        assert regret is not None
        assert (regret.in_loss_units, regret.tolerance) == (True, 0.05)
        assert regret.amount == regret.estimate >= least
        assert "in units of the loss at width 512" in judgement[name].reason
        assert judgement[name].reason.endswith("0.05 is allowed.")
    (comparison,) = judgement.comparisons
    assert comparison.in_loss_units
    assert comparison.regret is not None
    assert 0.2 < comparison.regret.estimate < 0.4  # (0.7 * 3)² / 16 = 0.28


def test_a_share_of_no_positive_loss_is_refused_with_the_way_out() -> None:
    with pytest.raises(TableError, match=r"wanted a positive loss.*--tolerance-regret-abs"):
        judge(shifted(table(runs("mup", still)), -4), target=4096)


@pytest.mark.parametrize("by", [-3.0, -20.0, 1e3])
def test_failed_runs_are_the_same_whatever_constant_is_in_the_loss(by: float) -> None:
    rows = [
        replace(row, loss=23.0) if row.size == 128 and row.lr == 2.0**-3 else row
        for row in runs("mup", still)
    ]
    before = judge(table(rows), target=4096, absolute_tolerance=0.05)
    after = judge(shifted(table(rows), by), target=4096, absolute_tolerance=0.05)
    assert before["mup"].verdict == after["mup"].verdict == "transfers"
    (failed,), (also,) = before.failures, after.failures
    assert (failed.size, failed.log2_lr, failed.runs) == (128, (-3.0,), 3)
    assert (also.size, also.log2_lr, also.runs) == (failed.size, failed.log2_lr, failed.runs)
