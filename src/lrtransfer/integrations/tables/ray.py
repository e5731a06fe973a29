"""Ray Tune: `results.get_dataframe()`, a row per trial, with `config/lr`."""

from .dialect import Dialect

RAY = Dialect(
    settings=("config",),
    finished=frozenset({"terminated"}),
    unfinished=frozenset({"error", "errored", "pending", "paused", "running"}),
)
