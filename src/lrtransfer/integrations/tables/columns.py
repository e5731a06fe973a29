"""Which column of a table holds what.

A column is recognised by its name, in small letters, without the prefix of its tracker and with
underscores for all that is neither letter nor digit: `params.Learning Rate` is learning_rate.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import TableError
from ...statistics.axis import AxisName
from .controlled import controlled_fields
from .mlflow import MLFLOW
from .optuna import OPTUNA
from .scripts import SCRIPTS
from .tensorboard import TENSORBOARD
from .wandb import WANDB

DIALECTS = (WANDB, MLFLOW, TENSORBOARD, OPTUNA, SCRIPTS)

# Names by field; of several, the first that a table has is taken.
COLUMN_NAMES: Mapping[str, tuple[str, ...]] = {
    "width": (
        "width", "d_model", "n_embd", "hidden_size", "hidden_dim", "model_dim", "embed_dim",
        "d_embed", "model_width", "n_hidden", "dim",
    ),
    "depth": (
        "depth", "n_layer", "n_layers", "num_layers", "num_hidden_layers", "layers", "n_blocks",
        "model_depth", "l",
    ),
    "lr": ("lr", "learning_rate", "max_lr", "peak_lr", "base_lr", "max_learning_rate", "eta"),
    "loss": (
        "val_loss", "validation_loss", "valid_loss", "eval_loss", "test_loss", "loss",
        "final_loss", *(name for dialect in DIALECTS for name in dialect.losses),
    ),
    "seed": ("seed", "random_seed", "rng_seed", "init_seed"),
    "scheme": ("scheme", "parametrization", "parameterization"),
    "steps": ("steps", "num_steps", "train_steps", "max_steps", "total_steps", "step"),
    "batch": ("batch", "batch_size", "global_batch_size", "train_batch_size"),
    "tokens": ("tokens", "train_tokens", "num_tokens", "total_tokens"),
    "state": ("state", "status"),
}  # fmt: skip

_PREFIX = re.compile(
    f"^({'|'.join(name for dialect in DIALECTS for name in dialect.prefixes)})[._/]+"
)
_UNFINISHED = frozenset().union(*(dialect.unfinished for dialect in DIALECTS))


def match_columns(
    columns: Sequence[str], overrides: Mapping[str, str], along: AxisName
) -> dict[str, str]:
    """Return the column of every field that a table has.

    Arguments:
        columns: Names of the table's columns.
        overrides: Columns by field that the user names; they go before the usual names.
        along: Axis whose field is the size of a run.

    Raises:
        TableError: If a field or column of `overrides` is unknown, or there is no size, learning
            rate or loss.

    Example:
        >>> match_columns(["config.d_model", "params.lr", "val/loss"], {}, "width")
        {'width': 'config.d_model', 'lr': 'params.lr', 'loss': 'val/loss'}
    """
    needed = (along, "lr", "loss")
    read = {*needed, "seed", "scheme", "state", *controlled_fields(along)}
    fields = [field for field in COLUMN_NAMES if field in read and field != "state"]
    for field, name in overrides.items():
        if field not in fields or name not in columns:
            remedy = f"a field among {', '.join(fields)}" if field not in fields else "a column"
            raise TableError(
                f"columns: got {field}={name}, wanted {remedy} of the table: {', '.join(columns)}."
            )
    plain = {name: _normalize(name) for name in columns}
    names = dict(overrides)
    for field, usual in COLUMN_NAMES.items():
        matches = (name for term in usual for name in columns if plain[name] == term)
        if field in read and field not in names and (match := next(matches, None)) is not None:
            names[field] = match
    if missing := [field for field in needed if field not in names]:
        raise TableError(
            f"runs: got columns {', '.join(columns)}, wanted also {', '.join(missing)}. Name them, "
            f"such as --columns {missing[0]}={columns[0]}."
        )
    return names


def read_state(cell: Any) -> str:
    """Return how a run ended, as its tracker calls it, in small letters.

    Example:
        >>> read_state("TrialState.PRUNED"), read_state(None)
        ('pruned', '')
    """
    return str(cell or "").strip().lower().rpartition(".")[2]


def is_unfinished(state: str) -> bool:
    """Return whether a tracker calls a run so that did not end."""
    return state in _UNFINISHED


def _normalize(name: str) -> str:
    """Return a column's name as it is compared.

    Example:
        >>> _normalize("params_lr"), _normalize("val/loss"), _normalize("Learning Rate")
        ('lr', 'val_loss', 'learning_rate')
    """
    lowered = name.strip().lower()
    return re.sub(r"[^a-z0-9]+", "_", _PREFIX.sub("", lowered)).strip("_")
