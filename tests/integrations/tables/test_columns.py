"""Which column is taken for what, and what is said where none is."""

from pathlib import Path
from typing import Any

import pytest

from lrtransfer.errors import TableError
from lrtransfer.integrations.tables.names import read_name

from .synthetic import is_right, judge_text, notes, points, write

BASE = write("width,lr,loss", points())


@pytest.mark.parametrize(
    ("column", "term", "kind"),
    [
        ("params.lr", "lr", "setting"),
        ("params_lr", "lr", "setting"),
        ("Param lr", "lr", "setting"),
        ("config/optim.lr", "lr", "setting"),
        ("args.learningRate", "learning_rate", "setting"),
        ("metrics.val_loss", "val_loss", "metric"),
        ("train/learning_rate", "learning_rate", "metric"),
        ("train.lr", "lr", "plain"),
        ("user_attrs_val_loss", "val_loss", "plain"),
        ("UserAttribute seed", "seed", "plain"),
        ("trainer/global_step", "global_step", "metric"),
        ("d_model", "d_model", "plain"),
        ("eval loss", "eval_loss", "plain"),
        ("param_count", "param_count", "setting"),
    ],
)
def test_names_are_read_without_prefixes(column: str, term: str, kind: str) -> None:
    name = read_name(column)
    assert (term in name.terms, name.kind) == (True, kind)


# Columns that ask the same question in other units, or hold the same values, are no conflict.
@pytest.mark.parametrize(
    ("header", "column"),
    [
        ("width,d_model,lr,loss", "width"),
        ("d_model,hidden_dim,lr,loss", "d_model"),
        ("d_model,d_model,lr,loss", "d_model"),
    ],
)
def test_sizes_in_other_units_agree(header: str, column: str, tmp_path: Path) -> None:
    if header.count("d_model,") > 1:
        header = header.replace("d_model,d_model", "d_model,config.d_model")
        column = "config.d_model"
    text = write(header, ((w, 4 * w, lr, x) for w, lr, x in points()))
    answer = judge_text(tmp_path, text)
    assert is_right(answer)
    assert column == "width" or f"read width from column '{column}'" in answer.warnings


def test_equal_columns_are_no_conflict(tmp_path: Path) -> None:
    text = write("width,lr,learning_rate,loss", ((w, lr, lr, x) for w, lr, x in points()))
    assert is_right(judge_text(tmp_path, text))


def test_of_equal_columns_the_fuller_one_is_read(tmp_path: Path) -> None:
    rows = ((w, lr if w > 64 else "", lr, x) for w, lr, x in points())
    answer = judge_text(tmp_path, write("width,lr,learning_rate,loss", rows))
    assert is_right(answer)
    assert "read lr from column 'learning_rate'" in answer.warnings


def test_single_precision_is_no_difference(tmp_path: Path) -> None:
    rows = ((w, lr, lr * (1 + 3e-8), x) for w, lr, x in points())
    assert is_right(judge_text(tmp_path, write("width,lr,learning_rate,loss", rows)))


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (BASE, {"columns": {"width": "loss"}}, "got width=loss, the only column that may be the"),
        (BASE, {"columns": {"loss": "width"}}, "got loss=width, the only column that may be the"),
        (BASE, {"columns": {"loss": "lr"}}, "got loss=lr, the only column that may be the lr"),
        (
            BASE,
            {"columns": {"width": "lr", "loss": "lr"}},
            "got width=lr and loss=lr, wanted a column for each",
        ),
        (
            write("width,lr,other", ((w, lr, lr) for w, lr, _ in points())),
            {"columns": {"loss": "other"}},
            "got the same values in 'other', read as the loss, and 'lr', read as the lr",
        ),
        (write("a,lr,loss", points()), {}, "wanted also width. Name them with"),
        (write("n_channels,lr,loss", points()), {}, "such as --columns width=n_channels"),
        (write("width,the_rate,loss", points()), {}, "such as --columns lr=the_rate"),
        (write("width,lr,train_loss", points()), {}, "such as --columns loss=train_loss"),
        (
            write("width,lr,val_loss,eval_loss", ((w, lr, x, x + 1) for w, lr, x in points())),
            {},
            "may be the loss and differ: 'val_loss' .* and 'eval_loss'",
        ),
        (
            write("width,lr,scheme,parametrization,loss",
                  ((w, lr, "a", "b", x) for w, lr, x in points())),
            {},
            "may be the scheme and differ",
        ),
    ],
)  # fmt: skip
def test_doubtful_columns_are_one_error(
    text: str, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(TableError, match=message):
        judge_text(tmp_path, text, **options)


def test_a_column_of_another_field_is_free_for_the_axis(tmp_path: Path) -> None:
    text = write("width,tokens,lr,loss", ((64, 1000 * w, lr, x) for w, lr, x in points()))
    answer = judge_text(tmp_path, text, along="steps", columns={"steps": "tokens"})
    assert is_right(answer)
    assert "read steps from column 'tokens'" in notes(answer)


def test_a_count_goes_before_the_name_of_a_model(tmp_path: Path) -> None:
    rows = ((10**6 * w, f"open_{w // 2}m", lr, x) for w, lr, x in points())
    answer = judge_text(tmp_path, write("params,model,lr,loss", rows))
    assert is_right(answer)
    assert "read width from column 'params', as the size that grows" in answer.warnings
