"""MLflow: `mlflow runs`, `search_runs` and the table of its page."""

from .dialect import Dialect

MLFLOW = Dialect(
    prefixes=("param", "params", "metric", "metrics"),
    unfinished=frozenset({"failed", "killed", "running", "scheduled"}),
)
