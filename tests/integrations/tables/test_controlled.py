"""Controlled variables: what is compared, what is left out, what is said of it."""

from pathlib import Path

import pytest

from lrtransfer.statistics.axis import AxisName

from .test_runs import from_csv, read_along


def test_histories_end_at_their_last_step(tmp_path: Path) -> None:
    rows = [(64, lr, step, 3 - step / 100) for lr in (0.1, 0.2) for step in (10, 50, 100)]
    text = "width,lr,step,loss\n" + "".join(f"{w},{lr},{s},{x}\n" for w, lr, s, x in rows)
    runs = from_csv(tmp_path, text + "64,0.4,20,nan\n64,0.4,50,nan\n64,0.4,100,nan\n")
    assert [row.loss for row in runs.table.observations] == [2, 2, None]
    assert runs.conditions == "100 steps"
    assert any("6 earlier rows are left out: where 'step' goes on" in w for w in runs.warnings)


def test_lengths_that_grow_with_width_are_told(tmp_path: Path) -> None:
    runs = from_csv(tmp_path, "width,lr,tokens,loss\n64,0.1,100,2\n128,0.1,400,2\n")
    assert len(runs.table.observations) == 2
    assert any("training length or batch differs" in note for note in runs.warnings)


# What must not differ along an axis, what may, and what is said of it.
@pytest.mark.parametrize(
    ("along", "header", "rows", "conditions", "note"),
    [
        ("steps", "steps,batch,tokens", ("10,32,320", "20,32,640"), "32 batch", None),
        (
            "steps",
            "steps,batch,width,depth",
            ("10,32,64,4", "20,64,64,4"),
            "width 64, depth 4, batch sizes that differ between training lengths",
            "batch size differs between training lengths or schemes: what is said of training "
            "length holds for both changing together",
        ),
        ("batch", "batch,steps,tokens", ("8,100,800", "16,100,1600"), "100 steps", None),
        ("batch", "batch,steps,tokens", ("8,100,800", "16,50,800"), "800 tokens", None),
        (
            "batch",
            "batch,steps",
            ("8,100", "16,50"),
            "training lengths that differ between batch sizes",
            "training length differs between batch sizes or schemes: what is said of batch size "
            "holds for both changing together",
        ),
        (
            "depth",
            "depth,width,steps,batch",
            ("2,64,100,32", "4,128,100,32"),
            "widths that differ between depths, 100 steps, 32 batch",
            "width differs between depths or schemes: what is said of depth holds for both "
            "changing together",
        ),
        (
            "depth",
            "depth,width,steps",
            ("2,64,100", "4,128,200"),
            "widths that differ between depths, training lengths that differ between depths",
            "width and training length or batch differ between depths or schemes: what is said of "
            "depth holds for all changing together",
        ),
        (
            "width",
            "width,depth,steps,batch",
            ("64,2,100,32", "128,4,200,32"),
            "training lengths that differ between widths",
            "training length or batch differs between widths or schemes: what is said of width "
            "holds for both changing together",
        ),
    ],
)
def test_what_moves_with_the_size_is_told(
    along: AxisName,
    header: str,
    rows: tuple[str, ...],
    conditions: str,
    note: str | None,
    tmp_path: Path,
) -> None:
    text = f"lr,loss,{header}\n" + "".join(f"0.1,2,{row}\n" for row in rows)
    runs = read_along(along, tmp_path, text)
    assert runs.conditions == conditions
    assert runs.warnings == (() if note is None else (note,))


def test_runs_of_another_width_than_most_at_their_depth_are_left_out(tmp_path: Path) -> None:
    finished = [(2, 64, 0.1), (2, 64, 0.2), (2, 128, 0.1), (4, 64, 0.1)]
    text = "depth,width,lr,loss\n" + "".join(f"{d},{w},{lr},2\n" for d, w, lr in finished)
    runs = read_along("depth", tmp_path, text + "2,128,0.4,nan\n2,64,0.8,nan\n")
    assert [(row.size, row.lr, row.diverged) for row in runs.table.observations] == [
        (2, 0.1, False),
        (2, 0.2, False),
        (2, 0.8, True),
        (4, 0.1, False),
    ]
    assert runs.conditions == "width 64"
    assert runs.warnings[0] == (
        "2 rows of another width or steps or batch or tokens than most at their depth are left "
        "out: optima at different settings do not compare"
    )


def test_runs_that_diverged_early_are_kept_at_their_batch_size(tmp_path: Path) -> None:
    text = "batch,steps,lr,loss\n8,100,0.1,2\n8,7,0.4,nan\n16,100,0.1,2\n"
    runs = read_along("batch", tmp_path, text)
    assert [row.diverged for row in runs.table.observations] == [False, True, False]
    assert runs.conditions == "100 steps"


RATES = (0.1, 0.2, 0.4)


def test_one_setting_that_all_sizes_have_goes_before_the_usual_ones(tmp_path: Path) -> None:
    # Most runs of width 64 have 1,000 tokens, most of width 128 have 2,000; both have 3,000.
    rows = [(64, t, lr) for t in (1000, 3000) for lr in RATES] + [(64, 1000, 0.8)]
    rows += [(128, t, lr) for t in (2000, 3000) for lr in RATES] + [(128, 2000, 0.8)]
    text = "width,tokens,lr,loss\n" + "".join(f"{w},{t},{lr},2\n" for w, t, lr in rows)
    runs = from_csv(tmp_path, text)
    assert [(row.size, row.lr) for row in runs.table.observations] == [
        (w, lr) for w in (64, 128) for lr in RATES
    ]
    assert runs.conditions == "3,000 tokens"
    assert runs.warnings[0].startswith(
        "8 rows of another steps or batch or tokens than tokens=3000"
    )
    assert "--where chooses another" in runs.warnings[0]


def test_where_lengths_grow_with_the_size_the_batch_is_common(tmp_path: Path) -> None:
    # As in Step Law's own table: each width has a length of its own, and a usual batch of its own.
    rows = [(w, 10 * w, b, lr) for w in (64, 128) for b in (8, 16, 32) for lr in RATES]
    rows += [(64, 640, 8, 0.8), (128, 1280, 32, 0.8)]
    text = "width,tokens,bs,lr,loss\n" + "".join(f"{w},{t},{b},{lr},2\n" for w, t, b, lr in rows)
    runs = from_csv(tmp_path, text)
    assert len(runs.table) == 7
    batch = next(b for b in (8, 32) if f"than batch={b}" in "".join(runs.warnings))
    assert f"batch={batch},tokens=640 or batch={batch},tokens=1280" in "".join(runs.warnings)
    assert any("training length or batch differs" in note for note in runs.warnings)


def test_what_some_sizes_share_is_named(tmp_path: Path) -> None:
    rows = [(w, t, lr) for w, t in ((64, 1), (128, 1), (128, 2), (256, 2)) for lr in RATES]
    rows += [(256, 3, lr) for lr in RATES] + [(512, 3, 0.1)]
    text = "width,tokens,lr,loss\n" + "".join(f"{w},{t},{lr},2\n" for w, t, lr in rows)
    runs = from_csv(tmp_path, text)
    assert "2 of the curves share one setting: --where tokens=2" in runs.warnings


def test_a_diverged_run_of_another_batch_is_another_run(tmp_path: Path) -> None:
    text = "width,batch,steps,lr,loss\n" + "".join(
        f"64,{batch},{steps},{lr},{loss}\n"
        for batch, steps, lr, loss in (
            (8, 100, 0.1, 2), (8, 100, 0.2, 2), (8, 50, 0.8, "nan"), (16, 50, 1.6, "nan"),
        )
    )  # fmt: skip
    runs = from_csv(tmp_path, text)
    assert [(row.lr, row.diverged) for row in runs.table.observations] == [
        (0.1, False),
        (0.2, False),
        (0.8, True),
    ]
    assert "1 rows of another" in runs.warnings[0]
