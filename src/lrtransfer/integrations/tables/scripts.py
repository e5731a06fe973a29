"""Tables of the user's own scripts: dumped arguments, and the states of job schedulers."""

from .dialect import Dialect

SCRIPTS = Dialect(
    settings=("args", "cfg", "hparams", "hyperparameters", "hyperparams", "hps"),
    finished=frozenset({
        "done", "ok", "success", "successful", "succeeded", "passed", "ended", "converged", "true",
        "published", "closed", "inactive",
    }),
    unfinished=frozenset({
        "queued", "canceled", "cancelled", "deleted", "aborted", "timeout", "timed_out",
        "out_of_memory", "oom", "early_stopped", "stopped", "interrupted", "incomplete",
        "node_fail", "crashed", "killed", "false",
    }),
)  # fmt: skip
