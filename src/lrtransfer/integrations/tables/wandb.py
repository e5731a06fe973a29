"""Weights & Biases: the exported table of runs, or rows of `config` and `summary`."""

from .dialect import Dialect

WANDB = Dialect(
    prefixes=("config", "summary"),
    unfinished=frozenset({
        "failed", "crashed", "killed", "running", "preempted", "preempting", "pending",
    }),
)  # fmt: skip
