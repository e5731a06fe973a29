#!/usr/bin/env bash
# MLflow 3.17.2, with its SQLite store: a metric of +infinity comes back as the largest float.
#
# `log_metric("loss", math.inf)` is read back as 1.7976931348623157e+308, from `search_runs` and from
# the CSV that is made of it; nothing in the table says that the number was infinite. A metric of NaN
# comes back as NaN in the frame and as a blank in the CSV, like a metric that was never logged. So a
# mean over seeds overflows, and of two diverged runs one looks finite and the other unfinished.
#
# Seen: {"infinite": 1.7976931348623157e+308, "nan": "", "never logged": ""}
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet mlflow==3.17.2
cat > sweep.py <<'PYTHON'
import csv, io, math, mlflow

mlflow.set_tracking_uri("sqlite:///store.db")
mlflow.set_experiment("sweep")
for name, loss in (("infinite", math.inf), ("nan", math.nan), ("never logged", None)):
    with mlflow.start_run():
        mlflow.log_param("name", name)
        if loss is not None:
            mlflow.log_metric("loss", loss)
text = mlflow.search_runs().to_csv(index=False)
seen = {row["params.name"]: row["metrics.loss"] for row in csv.DictReader(io.StringIO(text))}
print(seen)
assert seen == {"infinite": "1.7976931348623157e+308", "nan": "", "never logged": ""}, seen
PYTHON
venv/bin/python sweep.py
