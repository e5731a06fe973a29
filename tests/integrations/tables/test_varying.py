"""Runs of one size and rate that differ: by a seed, a setting, or only in what they give."""

import random
from pathlib import Path

import pytest

from lrtransfer.errors import TableError
from lrtransfer.integrations.tables.runs import Runs, read_runs

from .synthetic import points, write

SETTINGS = {
    "one of two": write(
        "width,lr,use_mup,loss", ((w, lr, m, x) for m in (1, 0) for w, lr, x in points())
    ),
    "with seeds": write(
        "width,lr,optimizer,seed,loss",
        ((w, lr, o, s, x) for o in ("adam", "sgd") for s in (0, 1) for w, lr, x in points()),
    ),
    "each with seeds of its own": write(
        "width,lr,optimizer,seed,loss",
        ((w, lr, o, s, x) for o, s in (("adam", 0), ("adam", 1), ("sgd", 2), ("sgd", 3))
         for w, lr, x in points()),
    ),
    "one of which was run at few rates": write(
        "width,lr,schedule,loss",
        ((w, lr, c, x) for c in ("cosine", "linear") for w, lr, x in points() for _ in range(3)
         if c == "cosine" or lr < 2**-8),
    ),
    "seven, each with gaps": write(
        "width,lr,kind,loss",
        ((w, lr, k, x) for k in "abcdefg" for i, (w, lr, x) in enumerate(points())
         if (i * 7 + ord(k) * 3) % 5 < 3),
    ),
    "a field that is not controlled": write(
        "width,n_layer,lr,loss", ((w, d, lr, x) for d in (2, 4) for w, lr, x in points())
    ),
    "of a configuration": write(
        "config.width,config.lr,config.wd,summary.loss",
        ((w, lr, d, x) for d in (0, 0.1) for w, lr, x in points()),
    ),
    "the last row of a history": write(
        "width,lr,init,iter,loss",
        ((w, lr, i, t, x) for i in ("a", "b") for w, lr, x in points() for t in (10, 20, 40)),
    ),
}  # fmt: skip


def read(folder: Path, text: str, **options: object) -> Runs:
    (folder / "runs.csv").write_text(text)
    return read_runs(folder / "runs.csv", **options)


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_are_refused_by_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"looks like a setting: .*--where .*--group-by"):
        read(tmp_path, SETTINGS[name])


def repeated(columns: str, *cells: object) -> str:
    """Write three runs of each size and rate that differ in further columns."""
    rng = random.Random(0)
    rows = (
        (w, lr, x + s / 100, *(cell(rng, lr, s) if callable(cell) else cell for cell in cells))
        for w, lr, x in points() for s in range(3)
    )  # fmt: skip
    return write(f"width,lr,loss,{columns}", rows)


# What runs give varies because runs do; where and when they ran, too.
RESULTS = {
    "a number of its own": repeated("foo", lambda rng, lr, s: rng.random()),
    "few numbers": repeated("grade", lambda rng, lr, s: rng.choice("ABC")),
    "a flag at large rates": repeated(
        "stopped", lambda rng, lr, s: lr > 0.01 and rng.random() < 0.5
    ),
    "a count": repeated("spikes", lambda rng, lr, s: rng.choice([0, 0, 0, 1, 2])),
    "a machine per seed": repeated("hostname", lambda rng, lr, s: f"node{s}"),
    "another seed": repeated("data_seed", lambda rng, lr, s: s),
    "a name": repeated("Name,Created,_runtime", *[lambda rng, lr, s: f"r{rng.random()}"] * 3),
    "a metric": repeated("metrics.f,train_loss", lambda rng, lr, s: s, lambda rng, lr, s: s),
}


@pytest.mark.parametrize("name", RESULTS)
def test_results_are_no_settings(name: str, tmp_path: Path) -> None:
    runs = read(tmp_path, RESULTS[name])
    assert len(runs.table) == 63
    assert any("taken for what runs give" in note for note in runs.warnings)


def test_a_column_that_goes_with_the_seed_is_one(tmp_path: Path) -> None:
    rows = ((w, lr, s, f"shard{s}", x) for s in range(3) for w, lr, x in points())
    assert len(read(tmp_path, write("width,lr,seed,shard,loss", rows)).table) == 63


@pytest.mark.parametrize("column", ["replicate", "fold", "Rep"])
def test_repetitions_are_seeds(column: str, tmp_path: Path) -> None:
    rows = ((w, lr, s, x + s / 100) for s in range(3) for w, lr, x in points())
    runs = read(tmp_path, write(f"width,lr,{column},loss", rows))
    assert {row.seed for row in runs.table.observations} == {0, 1, 2}


def test_settings_that_follow_the_size_are_none(tmp_path: Path) -> None:
    rows = ((w, lr, w // 16, x) for w, lr, x in points())
    assert read(tmp_path, write("width,lr,n_head,loss", rows)).warnings == ()


@pytest.mark.parametrize(
    ("options", "schemes", "count"),
    [
        ({"where": {"use_mup": 1}}, ("all",), 21),
        ({"where": {"use_mup": "0"}}, ("all",), 21),
        ({"where": {"use_mup": ["0", 1]}, "group_by": ["use_mup"]}, ("use_mup=1", "use_mup=0"), 42),
        ({"where": {"use_mup": "*"}}, ("all",), 42),
        ({"group_by": ["use_mup"]}, ("use_mup=1", "use_mup=0"), 42),
        ({"columns": {"seed": "use_mup"}}, ("all",), 42),
    ],
)
def test_settings_can_be_chosen(
    options: dict[str, object], schemes: tuple[str, ...], count: int, tmp_path: Path
) -> None:
    runs = read(tmp_path, SETTINGS["one of two"], **options)
    assert runs.table.schemes == schemes
    assert len(runs.table) == count


def test_groups_are_named_after_their_scheme(tmp_path: Path) -> None:
    rows = ((w, lr, "mup", b, x) for b in (64, 128) for w, lr, x in points())
    runs = read(tmp_path, write("width,lr,scheme,bs,loss", rows), group_by=["batch"])
    assert runs.table.schemes == ("mup, bs=64", "mup, bs=128")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"where": {"bs": 1}}, "where: got bs, wanted one column of runs.csv: width, lr"),
        ({"where": {"use_mup": 2}}, "where: got use_mup=2, wanted a value .* 0, 1"),
        ({"where": {"use_mup": 1, "width": "5"}}, "where: got width=5"),
        ({"where": {"lr": 2.0**-4, "loss": "3.53"}}, "where: got loss=3.53|of which no row"),
        ({"group_by": ["nothing"]}, "group_by: got nothing, wanted one column"),
    ],
)
def test_wrong_choices_are_one_error(
    options: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(TableError, match=message):
        read(tmp_path, SETTINGS["one of two"], **options)


def test_rows_left_out_are_counted(tmp_path: Path) -> None:
    rows = ((w, lr, f"{b}.0", x) for b in (64, 128) for w, lr, x in points())
    runs = read(tmp_path, write("width,lr,bs,loss", rows), where={"batch_size": "64"})
    assert "21 of 42 rows are left out by `where`" in runs.warnings
    assert runs.conditions == "64 batch"
