"""Optuna: `study.trials_dataframe()`, with states such as `TrialState.PRUNED`; its dashboard."""

from .dialect import Dialect

OPTUNA = Dialect(
    settings=("param", "params"),
    others=("user_attrs", "system_attrs", "userattribute", "user_attribute", "systemattribute"),
    losses=("value", "values_0", "objective", "objective_0"),
    finished=frozenset({"complete"}),
    unfinished=frozenset({"fail", "pruned", "running", "waiting"}),
)
