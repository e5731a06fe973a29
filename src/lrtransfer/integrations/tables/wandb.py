"""Weights & Biases: the exported table of runs, or rows of `config` and `summary`."""

from .dialect import Dialect

WANDB = Dialect(
    settings=("config",),
    metrics=("summary",),
    finished=frozenset({"finished"}),
    unfinished=frozenset({
        "failed", "crashed", "killed", "running", "preempted", "preempting", "pending",
    }),
)  # fmt: skip
