"""MLflow: `mlflow runs`, `search_runs` and the table of its page.

It stores an infinite metric as the largest float64, which no loss of a model can be.
"""

from .dialect import Dialect

MLFLOW = Dialect(
    settings=("param", "params"),
    metrics=("metric", "metrics"),
    finished=frozenset({"finished"}),
    unfinished=frozenset({"failed", "killed", "running", "scheduled"}),
)
