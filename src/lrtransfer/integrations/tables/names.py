"""What columns are called: the usual names of every field, and how a name is compared.

Names are compared in small letters, without the prefix of a tracker and with underscores for all
that is neither letter nor digit: `params.Learning Rate` is learning_rate. A prefix tells what was
set before a run from what the run gave.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .dialect import Dialect
from .mlflow import MLFLOW
from .optuna import OPTUNA
from .ray import RAY
from .scripts import SCRIPTS
from .synetune import REPORTED_STATE, SYNETUNE
from .tensorboard import TENSORBOARD
from .wandb import WANDB

DIALECTS: tuple[Dialect, ...] = (WANDB, MLFLOW, TENSORBOARD, OPTUNA, RAY, SYNETUNE, SCRIPTS)

Kind = Literal["setting", "plain", "metric"]

# Names by field, in tiers: a name of a later tier counts only where none of an earlier one does.
FIELD_NAMES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "width": (
        ("width", "d_model", "n_embd", "hidden_size", "model_dim", "embed_dim", "d_embed",
         "model_width", "n_hidden", "n_embed", "embedding_dim"),
        ("hidden_dim",),
        ("dim",),
        ("n_params", "num_params", "params", "parameters", "n_parameters", "num_parameters",
         "param_count", "total_params", "non_embedding_params"),
        ("model_size", "size"),
        ("model",),
    ),
    "params": (
        ("n_params", "num_params", "params", "parameters", "n_parameters", "num_parameters",
         "param_count", "total_params", "non_embedding_params"),
        ("model_size",),
    ),
    "depth": (
        ("depth", "n_layer", "n_layers", "num_layers", "num_hidden_layers", "layers", "n_blocks",
         "num_blocks", "model_depth"),
        ("l",),
    ),
    "lr": (
        ("lr", "learning_rate", "max_lr", "peak_lr", "base_lr", "max_learning_rate",
         "peak_learning_rate", "base_learning_rate", "initial_lr", "init_lr", "lr_max", "lr_peak",
         "lr_base", "learningrate"),
        ("eta",),
    ),
    "loss": (
        ("val_loss", "validation_loss", "valid_loss", "eval_loss", "dev_loss", "heldout_loss",
         "held_out_loss", "final_val_loss"),
        ("test_loss",),
        ("loss", "final_loss", "smooth_loss", "smoothed_loss"),
        tuple(dict.fromkeys(name for dialect in DIALECTS for name in dialect.losses)),
    ),
    "seed": (
        ("seed", "random_seed", "rng_seed", "global_seed", "manual_seed"),
        ("init_seed", "model_seed"),
        ("replicate", "replica", "rep", "repeat", "repetition", "fold", "seed_index", "seed_id"),
    ),
    "scheme": (("scheme", "parametrization", "parameterization"),),
    "steps": (
        ("steps", "num_steps", "n_steps", "train_steps", "max_steps", "total_steps",
         "num_train_steps", "training_steps", "num_training_steps", "max_iters", "num_iters",
         "n_iters", "num_iterations", "total_iters", "train_iters", "max_train_steps"),
    ),
    "batch": (
        ("batch", "batch_size", "bs", "global_batch_size", "train_batch_size", "batchsize",
         "minibatch_size", "mini_batch_size"),
        ("per_device_train_batch_size",),
    ),
    "tokens": (("tokens", "train_tokens", "num_tokens", "total_tokens", "n_tokens"),),
    "state": (
        ("state", "status", REPORTED_STATE, "trial_status", "trial_state", "run_status",
         "run_state", "job_status", "job_state"),
        ("finished", "completed", "is_finished", "success", "succeeded"),
    ),
    "diverged": (
        ("diverged", "is_diverged", "has_diverged", "did_diverge", "is_nan", "has_nan",
         "loss_is_nan", "isnan", "non_finite", "exploded"),
    ),
    "id": (
        ("trial_id", "run_id", "run_uuid", "uuid", "id", "trial", "run"),
        ("name", "run_name", "trial_name", "display_name"),
    ),
    "index": (
        ("global_step", "step", "train_step", "iter", "iters", "iteration", "iterations",
         "training_iteration", "epoch", "epochs"),
    ),
}  # fmt: skip

COUNTS_FROM = 3  # the tier of "width" from which on names are those of parameter counts

SCORES = frozenset({
    "accuracy", "acc", "auc", "auroc", "f1", "bleu", "rouge", "score", "reward", "precision",
    "recall", "top1", "top5", "map", "miou", "iou", "psnr", "ssim", "mcc", "r2",
})  # fmt: skip

_SETTINGS = tuple(prefix for dialect in DIALECTS for prefix in dialect.settings)
_METRICS = tuple(prefix for dialect in DIALECTS for prefix in dialect.metrics)
_OTHERS = tuple(prefix for dialect in DIALECTS for prefix in dialect.others)
_SECTIONS = (
    "model", "optim", "optimizer", "opt", "train", "training", "trainer", "data", "net", "network",
    "arch", "hparams", "config",
)  # fmt: skip
_PREFIX = re.compile(rf"({'|'.join({*_SETTINGS, *_METRICS, *_OTHERS})})[._/ ]+(?=.)")
_SECTION = re.compile(rf"({'|'.join(_SECTIONS)})([./])(?=.)")
_LOGGED = re.compile(r"(train|training|trainer|val|valid|eval|test)/|lr-")
_LOGARITHM = re.compile(r"(log2|log10|ln)_(.+)|(.+)_(log2|log10|ln)")
_BASES = {"log2": 2.0, "log10": 10.0, "ln": 2.718281828459045}


@dataclass(frozen=True)
class ColumnName:
    """A column's name, read.

    Attributes:
        column: The name as it stands.
        terms: What it may be called, as names are compared.
        kind: Whether it was set before a run, is what a run gave, or does not say.
        base: Base of the logarithm that it holds; None where it holds the value itself.
    """

    column: str
    terms: tuple[str, ...]
    kind: Kind = "plain"
    base: float | None = None


def read_name(column: str, columns: Sequence[str] = ()) -> ColumnName:
    """Read a column's name.

    Arguments:
        column: The name.
        columns: All names of the table: `lr.1` beside `lr` is a second column of that name, as
            pandas writes it.

    Example:
        >>> read_name("params.Learning Rate")
        ColumnName(column='params.Learning Rate', terms=('params_learning_rate', 'learning_rate'), \
kind='setting', base=None)
        >>> read_name("config.optim.lr").terms[-1], read_name("train/lr").kind
        ('lr', 'metric')
        >>> read_name("log2_lr").terms[-1], read_name("log2_lr").base
        ('lr', 2.0)
    """
    name, dot, number = column.rpartition(".")
    lowered = _split_words(name if dot and number.isdigit() and name in columns else column)
    kind: Kind = "metric" if _LOGGED.match(lowered) else "plain"
    terms = [_normalize(lowered)]
    if prefix := _PREFIX.match(lowered):
        lowered = lowered[prefix.end() :]
        terms.append(_normalize(lowered))
        kind = _find_kind(prefix[1], kind)
    while section := _SECTION.match(lowered):
        lowered = lowered[section.end() :]
        terms.append(_normalize(lowered))
    base = None
    if logarithm := _LOGARITHM.fullmatch(terms[-1]):
        base = _BASES[logarithm[1] or logarithm[4]]
        terms = [logarithm[2] or logarithm[3]]
    return ColumnName(column, tuple(dict.fromkeys(terms)), kind, base)


def looks_like_score(name: ColumnName) -> bool:
    """Tell whether a column's name is that of a score, of which more is better.

    Example:
        >>> looks_like_score(read_name("val_accuracy")), looks_like_score(read_name("val_loss"))
        (True, False)
    """
    words = set(name.terms[-1].split("_"))
    return bool(words & SCORES) and not words & {"loss", "error", "err"}


def _find_kind(prefix: str, kind: Kind) -> Kind:
    if prefix in _SETTINGS:
        return "setting"
    return "metric" if prefix in _METRICS else kind


def _split_words(name: str) -> str:
    """Return a name in small letters, camels cut.

    Example:
        >>> _split_words(" learningRate "), _split_words("LR")
        ('learning_rate', 'lr')
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "_", name.strip()).lower()


def _normalize(name: str) -> str:
    """Return a name with underscores for all that is neither letter nor digit.

    Example:
        >>> _normalize("val/loss"), _normalize("_step")
        ('val_loss', 'step')
    """
    return re.sub(r"[^a-z0-9]+", "_", name).strip("_")
