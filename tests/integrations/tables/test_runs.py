"""Runs as they are exported: what is read, what is refused, what is said."""

from pathlib import Path

import pytest

from lrtransfer.errors import TableError
from lrtransfer.integrations.tables.runs import Runs, read_runs
from lrtransfer.statistics.axis import AxisName
from lrtransfer.statistics.table import Observation

WANTED = (
    Observation("all", 128, 0.01, 0, 3.5),
    Observation("all", 128, 0.02, 0, 3.25),
    Observation("all", 256, 0.01, 0, None, diverged=True),
)

# As the trackers write them: a table of runs of W&B; `mlflow runs` and the page of MLflow; the
# HParams tab of TensorBoard; `study.trials_dataframe().to_csv()` of Optuna.
EXPORTS = {
    "wandb.csv": (
        '"Name","State","Notes","d_model","learning_rate","train/loss","val/loss"\n'
        '"sage-1","finished","-","128","0.01","3.1","3.5"\n'
        '"sage-2","finished","-","128","0.02","3.0","3.25"\n'
        '"sage-3","finished","-","256","0.01","NaN","NaN"\n'
        '"sage-4","crashed","-","256","0.02","3.0",""\n'
    ),
    "mlflow.csv": (
        "run_id,status,start_time,metrics.val_loss,params.lr,params.hidden_size,tags.user\n"
        "a1,FINISHED,2026-01-01,3.5,0.01,128,me\n"
        "a2,FINISHED,2026-01-01,3.25,0.02,128,me\n"
        "a3,FINISHED,2026-01-01,nan,0.01,256,me\n"
        "a4,FAILED,2026-01-01,3.0,0.02,256,me\n"
    ),
    "mlflow_page.csv": (
        "Start Time,Duration,Run ID,Name,Source Type,Source Name,User,Status,lr,width,val_loss\n"
        "2026-01-01,1s,a1,x,LOCAL,t.py,me,FINISHED,0.01,128,3.5\n"
        "2026-01-01,1s,a2,x,LOCAL,t.py,me,FINISHED,0.02,128,3.25\n"
        "2026-01-01,1s,a3,x,LOCAL,t.py,me,FINISHED,0.01,256,nan\n"
    ),
    "tensorboard.csv": (
        "trial_id,show_metrics,lr,width,hparam/val_loss\n"
        "1,false,0.010000,128.00,3.5000\n2,false,0.020000,128.00,3.2500\n3,,0.01,256,NaN\n"
    ),
    "optuna.csv": (
        ",number,value,datetime_start,params_lr,params_width,state\n"
        "0,0,3.5,2026-01-01,0.01,128,COMPLETE\n1,1,3.25,2026-01-01,0.02,128,COMPLETE\n"
        "2,2,inf,2026-01-01,0.01,256,COMPLETE\n3,3,9.0,2026-01-01,0.02,256,TrialState.PRUNED\n"
    ),
    "semicolons.csv": "\ufeffwidth;lr;loss\n128;0.01;3.5\n128;0.02;3.25\n256;1e-2;-inf\n",
    "tabs.tsv": "width\tlr\tloss\n128\t0.01\t3.5\n128\t0.02\t3.25\n256\t0.01\tInfinity\n",
}


@pytest.mark.parametrize("name", EXPORTS)
def test_exports_are_read_as_they_come(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(EXPORTS[name], encoding="utf-8")
    runs = read_runs(tmp_path / name)
    assert runs.table.observations == WANTED
    assert any("1 runs diverged" in note for note in runs.warnings)


def from_csv(folder: Path, text: str, **columns: str) -> Runs:
    return read_along("width", folder, text, **columns)


def read_along(along: AxisName, folder: Path, text: str, **columns: str) -> Runs:
    path = folder / "runs.csv"
    path.write_text(text)
    return read_runs(path, columns=columns, along=along)


def test_held_out_losses_come_before_training_losses(tmp_path: Path) -> None:
    text = "width,lr,loss,val_loss\n64,0.1,1.0,2.0\n"
    assert from_csv(tmp_path, text).table.observations[0].loss == 2
    assert from_csv(tmp_path, text, loss="loss").table.observations[0].loss == 1


def test_what_was_not_made_is_told(tmp_path: Path) -> None:
    runs = from_csv(tmp_path, "width,lr,loss,state\n64,0.1,2,ok\n64,0.2,,ok\n64,0.3,2,crashed\n")
    assert len(runs.table.observations) == 1
    assert "1 rows have no loss, and count as not made" in runs.warnings
    assert "1 rows are called crashed, and count as not made" in runs.warnings


def test_repeated_runs_without_a_seed_are_numbered(tmp_path: Path) -> None:
    runs = from_csv(tmp_path, "width,lr,loss\n64,0.1,2\n64,0.1,3\n64,0.2,2\n")
    assert [row.seed for row in runs.table.observations] == [0, 1, 0]
    assert any("there is no seed" in note for note in runs.warnings)


def test_blanks_of_pandas_are_blanks(tmp_path: Path) -> None:
    runs = from_csv(tmp_path, "width,lr,seed,steps,loss\n64,0.1,nan,nan,2\n64,0.2,nan,nan,3\n")
    assert len(runs.table.observations) == 2
    assert runs.warnings == ()


@pytest.mark.parametrize(("loss", "count"), [("inf", 2), ("nan", 2), ("2.5", 1), ("", 1)])
def test_a_run_that_failed_by_diverging_counts(loss: str, count: int, tmp_path: Path) -> None:
    text = f"width,lr,loss,state\n64,0.1,2,finished\n64,0.2,{loss},preempted\n"
    assert len(from_csv(tmp_path, text).table.observations) == count


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("lr,loss\n0.1,2\n", {}, "got columns lr, loss, wanted also width. Name them"),
        ("width,lr,loss\n64,0.1,two\n", {}, "got loss in runs.csv, row 1: 'two', wanted a number"),
        ("width,lr,loss\n64,,2\n", {}, "got lr '' in runs.csv, row 1, wanted a finite number"),
        ("width,lr,loss\n64.5,0.1,2\n", {}, "got width 64.5 and seed None .* wanted whole numbers"),
        ("width,lr,loss\n64,0.1,\n", {}, "in which no row has a loss"),
        ("width,lr,loss,seed\n64,0.1,2,inf\n", {}, "got seed in .* wanted a finite number"),
        ("width,lr,loss\n", {}, "without a row"),
        ("width,lr,loss\n64,0.1,2\n", {"loss": "score"}, "got loss=score, wanted a column of"),
        ("width,lr,loss\n64,0.1,2\n", {"size": "width"}, "got size=width, wanted a field among"),
    ],
)
def test_bad_tables_are_one_error(
    text: str, columns: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(TableError, match=message):
        from_csv(tmp_path, text, **columns)


@pytest.mark.parametrize(
    ("along", "column"),
    [
        *(("depth", name) for name in ("depth", "n_layer", "config.num_hidden_layers", "L")),
        *(("batch", name) for name in ("batch", "batch_size", "params.global_batch_size")),
        *(("steps", name) for name in ("steps", "max_steps", "step")),
    ],
)
def test_sizes_are_read_from_the_column_of_the_axis(
    along: AxisName, column: str, tmp_path: Path
) -> None:
    runs = read_along(along, tmp_path, f"{column},lr,loss\n8,0.1,2\n16,0.1,3\n")
    assert [row.size for row in runs.table.observations] == [8, 16]
    assert runs.conditions == ""
    assert runs.warnings == (() if column == along else (f"read {along} from column {column!r}",))


def test_the_column_of_the_axis_may_be_named(tmp_path: Path) -> None:
    text = "width,tokens,lr,loss\n64,1000,0.1,2\n64,4000,0.1,3\n"
    runs = read_along("steps", tmp_path, text, steps="tokens")
    assert [row.size for row in runs.table.observations] == [1000, 4000]
    assert runs.conditions == "width 64"


@pytest.mark.parametrize(
    ("text", "along", "columns", "message"),
    [
        ("width,lr,loss\n64,0.1,2\n", "depth", {}, "wanted also depth. Name them with"),
        ("depth,lr,loss\n2.5,0.1,2\n", "depth", {}, "got depth 2.5 and seed None .* whole numbers"),
        ("steps,lr,loss\n,0.1,2\n", "steps", {}, "got steps '' in runs.csv, row 1"),
        ("width,lr,loss\n64,0.1,2\n", "width", {"depth": "lr"}, "got depth=lr, wanted a field"),
        ("width,lr,loss\n64,0.1,2\n", "size", {}, "along: got 'size', wanted the axis"),
    ],
)
def test_bad_columns_of_an_axis_are_one_error(
    text: str, along: AxisName, columns: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(TableError, match=message):
        read_along(along, tmp_path, text, **columns)
