#!/usr/bin/env bash
# syne-tune 0.16.0: `st_status` of its results is that of the report, and never that of the trial.
#
# `results.csv.zip` has a row per report. In every row, also in the last one of trials that ran to
# their end, `st_status` is "InProgress". Who keeps the rows of finished trials keeps none; who keeps
# all of them takes each report for a run of its own, with the same learning rate and another loss.
# The last row of each `trial_id` is what the trial ended with.
#
# Seen: 2 trials of 3 reports each, all completed: 6 rows, states {"InProgress"}
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet syne-tune==0.16.0
export SYNETUNE_FOLDER=$folder HOME=$folder PATH=$folder/venv/bin:$PATH
cat > train.py <<'PYTHON'
import argparse
from syne_tune import Reporter

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
lr = parser.parse_known_args()[0].lr
report = Reporter()
for epoch in (1, 2, 3):
    report(epoch=epoch, loss=lr + 1 / epoch)
PYTHON
cat > sweep.py <<'PYTHON'
import glob
import pandas
from syne_tune import StoppingCriterion, Tuner
from syne_tune.backend import LocalBackend
from syne_tune.config_space import choice
from syne_tune.optimizer.baselines import RandomSearch

runs = [{"lr": 0.1}, {"lr": 0.2}]
scheduler = RandomSearch({"lr": choice([0.1, 0.2])}, metrics=["loss"], points_to_evaluate=runs)
tuner = Tuner(
    trial_backend=LocalBackend("train.py"), scheduler=scheduler, n_workers=1, sleep_time=0.1,
    stop_criterion=StoppingCriterion(max_num_trials_started=2),
)
tuner.run()
ends = {str(trial.status) for trial in tuner.trial_backend._trial_dict.values() if hasattr(trial, "status")}
(file,) = glob.glob("**/results.csv.zip", recursive=True)
rows = pandas.read_csv(file)
print(len(rows), "rows,", rows.trial_id.nunique(), "trials, states", set(rows.st_status), ends)
assert len(rows) == 6 and rows.trial_id.nunique() == 2 and set(rows.st_status) == {"InProgress"}
PYTHON
venv/bin/python sweep.py 2>&1 | tee log.txt | tail -1
grep -q "6 rows, 2 trials, states {'InProgress'}" log.txt
