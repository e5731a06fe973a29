"""syne-tune: `load_experiment(...).results`, a row per report of a trial, with `config_lr`.

Its `st_status` is the status of the trial when it reported: "InProgress" in the last row of a trial
that completed.
"""

from .dialect import Dialect

REPORTED_STATE, REPORTING = "st_status", "inprogress"

SYNETUNE = Dialect(
    settings=("config",),
    finished=frozenset({"completed"}),
    unfinished=frozenset({"failed", "stopped", "stopping", "paused", REPORTING}),
)
