#!/usr/bin/env bash
# Ray Tune 2.60.0: `done` is False in the table of results for every trial that finished.
#
# `Tuner.fit().get_dataframe()` has a column `done`. For function trainables that returned, it is
# False: it belongs to the last result reported, which came before the function's end. Read as "the
# run is finished", it throws all runs away. There is no other column that tells how a trial ended.
#
# Seen: 2 trials without an error: done [False, False]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet "ray[tune]==2.60.0"
cat > sweep.py <<'PYTHON'
import os
import ray
from ray import tune


def train(config):
    for _ in (1, 2):
        tune.report({"loss": config["lr"]})


if __name__ == "__main__":
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    results = tune.Tuner(
        train,
        param_space={"lr": tune.grid_search([0.1, 0.2])},
        run_config=tune.RunConfig(storage_path=os.getcwd(), verbose=0),
    ).fit()
    frame = results.get_dataframe()
    print("errors", results.num_errors, "done", frame.done.tolist(), sorted(frame.columns))
    assert results.num_errors == 0 and frame.done.tolist() == [False, False]
    assert not {"status", "state"} & set(frame.columns)
PYTHON
venv/bin/python sweep.py
