"""Compare runs per minute of a sweep's workers and of a plain loop, interleaved in one process.

    python benchmarks/throughput.py [--runs N] [--repeats N]

The plain loop trains the same runs one after the other in one process, with torch's default
number of threads and again with one thread. Prints ratios of medians; the start of processes is
counted on neither side.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from lrtransfer.sweeps.digests import digests
from lrtransfer.sweeps.local import LocalWorkers, default_workers
from lrtransfer.sweeps.plan import Run, run_settings
from lrtransfer.sweeps.study import Study

PLAIN = """
import sys, json, time, torch
from lrtransfer.sweeps.train_run import train_run
threads, *identities = json.loads(sys.stdin.read())
if threads: torch.set_num_threads(threads)
train_run(identities[0])
started = time.monotonic()
for identity in identities[1:]: train_run(identity)
print(time.monotonic() - started)
"""


def runs_of(study: Study, count: int) -> list[Run]:
    """Return runs of all widths in turn, at a learning rate at which training is stable."""
    widths = study.widths
    settings = run_settings(study, study.arms[0], widths[0], digests(study))
    return [Run(settings, "mup", widths[i % len(widths)], 2.0**-6, seed=i) for i in range(count)]


def plain_seconds(runs: Sequence[Run], *, threads: int | None) -> float:
    """Return the seconds of one process that trains the runs in turn, after a warm-up run."""
    request = json.dumps([threads, runs[0].identity, *(run.identity for run in runs)])
    done = subprocess.run(
        [sys.executable, "-c", PLAIN], input=request, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def worker_seconds(runs: Sequence[Run], *, workers: int) -> float:
    """Return the seconds of the workers for the runs, after a warm-up run of each worker."""
    with LocalWorkers(workers) as pool:
        list(pool.train(runs[:workers]))
        started = time.monotonic()
        list(pool.train(runs))
        return time.monotonic() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    runs, workers = runs_of(Study(), options.runs), default_workers()
    variants: dict[str, Callable[[], float]] = {
        f"{workers} workers, one thread each": lambda: worker_seconds(runs, workers=workers),
        "plain loop, torch's default threads": lambda: plain_seconds(runs, threads=None),
        "plain loop, one thread": lambda: plain_seconds(runs, threads=1),
    }
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(options.repeats):
        for name, measure in variants.items():
            seconds[name].append(measure())
    reference = statistics.median(seconds["plain loop, torch's default threads"])
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"{name:38} {60 * len(runs) / median:6.1f} runs/min  {reference / median:5.2f} x")


if __name__ == "__main__":
    main()
