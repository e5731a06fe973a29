"""The batch size of the lowest loss, drawn and found again."""

import numpy as np
import pytest

import lrtransfer as lt
from lrtransfer.statistics.batches import BestBatch, find_best_batches, find_vertices
from lrtransfer.statistics.joint import CellTable
from lrtransfer.statistics.table import Observation, RunTable


def find(best_log2: float, *, seed: int = 0, noise: float = 0.001) -> BestBatch:
    """Draw batches 8 to 128 at one width; the rate grows by half an octave per doubling."""
    rng = np.random.default_rng(seed)
    cells = tuple((64, 2**u) for u in range(3, 8))
    rows = []
    for number, (_, batch) in enumerate(cells, start=1):
        u = np.log2(batch)
        for x in np.arange(-10.0, -3.0, 0.5):
            valley = (x + 7 - (u - 5) / 2) ** 2 / 16 + (u - best_log2) ** 2 / 40
            rows.append(
                Observation("all", number, 2.0**x, 0, 3 + valley + noise * rng.standard_normal())
            )
    (best,) = find_best_batches(
        CellTable(runs=RunTable(rows), cells=cells, axes=("width", "batch"))
    )
    return best


def test_a_vertex_is_that_of_the_parabola() -> None:
    u = np.array([0.0, 1.0, 2.5, 4.0])
    assert find_vertices(u, np.array([(u - 2.2) ** 2])) == pytest.approx([2.2])


def test_the_best_batch_and_its_rate_are_found() -> None:
    best = find(5.4)
    assert np.log2(best.batch.estimate) == pytest.approx(5.4, abs=0.2)
    assert best.log2_lr.estimate == pytest.approx(-7 + 0.2, abs=0.2)
    assert best.batch.low is not None
    assert best.batch.high is not None
    assert [entry.batch for entry in best.losses] == [8, 16, 32, 64, 128]


@pytest.mark.parametrize(("where", "open_end"), [(2.0, "low"), (9.0, "high")])
def test_it_is_open_where_the_lowest_loss_is_at_an_end(where: float, open_end: str) -> None:
    batch = find(where).batch
    assert getattr(batch, open_end) is None


def test_its_interval_holds_the_truth() -> None:
    truths = np.linspace(4.2, 5.8, 12)
    held = 0
    for seed, truth in enumerate(truths):
        batch = find(float(truth), seed=seed, noise=0.003).batch
        assert batch.low is not None
        assert batch.high is not None
        held += np.log2(batch.low) <= truth <= np.log2(batch.high)
    assert held >= 10


def make_rows(batches: tuple[int, ...]) -> list[dict[str, float]]:
    return [
        {"width": w, "steps": 100, "batch": b, "lr": 2.0**x, "loss": 3 + (x + 6) ** 2 / 16 + b / 99}
        for w in (64, 128)
        for b in batches
        for x in range(-10, -2)
    ]


def test_a_verdict_knows_the_best_batch_from_three_batches_on() -> None:
    best = lt.verdict(make_rows((8, 16, 32))).best_batches()
    assert [(one.size, round(one.batch.estimate)) for one in best] == [(64, 8), (128, 8)]
    assert lt.verdict(make_rows((8, 16))).best_batches() == ()
    assert lt.verdict(make_rows((8, 16, 32)), along="batch").best_batches() == ()


def test_batches_of_another_length_do_not_count() -> None:
    rows = [{**row, "steps": 200 if row["batch"] == 32 else 100} for row in make_rows((8, 16, 32))]
    assert lt.verdict(rows).best_batches() == ()
