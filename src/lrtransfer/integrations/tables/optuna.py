"""Optuna: `study.trials_dataframe()`, with states such as `TrialState.PRUNED`."""

from .dialect import Dialect

OPTUNA = Dialect(
    prefixes=("params", "user_attrs", "system_attrs"),
    losses=("value", "values_0", "objective"),
    unfinished=frozenset({"fail", "pruned", "running", "waiting"}),
)
