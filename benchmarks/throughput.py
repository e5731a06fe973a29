"""Compare runs per minute of a sweep's workers and of a plain loop, interleaved in one process.

    python benchmarks/throughput.py [--runs N] [--repeats N]

The plain loop trains the same runs one after the other in one process, with torch's default
number of threads and again with one thread. Prints ratios of medians; the start of processes is
counted on neither side.
"""

import argparse
import pickle
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from lrtransfer.executors.blocks import split_into_blocks
from lrtransfer.executors.engines import Engines
from lrtransfer.executors.local import LocalProcesses, count_cores
from lrtransfer.runs.digests import compute_digests
from lrtransfer.runs.run import RunSpec
from lrtransfer.study.study import Study
from lrtransfer.sweeps.curves import Curves

PLAIN = """
import pickle, sys, time, torch
from lrtransfer.runs.train import train_run
threads, runs = pickle.load(sys.stdin.buffer)
if threads: torch.set_num_threads(threads)
train_run(runs[0])
started = time.monotonic()
for run in runs: train_run(run)
print(time.monotonic() - started)
"""


def list_runs(study: Study, count: int) -> list[RunSpec]:
    """Return runs of all widths in turn, with stable rates."""
    widths, curves = study.widths, Curves(study, compute_digests(study))
    return [curves["mup", widths[i % len(widths)]].run(2.0**-6, seed=i) for i in range(count)]


def plain_seconds(runs: Sequence[RunSpec], *, threads: int | None) -> float:
    """Return the time of one process that trains the runs in turn, after one run to warm up."""
    request = pickle.dumps((threads, list(runs)))
    done = subprocess.run(
        [sys.executable, "-c", PLAIN], input=request, capture_output=True, check=True
    )
    return float(done.stdout)


def worker_seconds(runs: Sequence[RunSpec], *, workers: int) -> float:
    """Return the time of the workers for the runs, from the end of a warm-up run of each."""
    with LocalProcesses(workers) as executor:
        list(executor.map(Engines(), split_into_blocks(runs[:workers])))
        started = time.monotonic()
        list(executor.map(Engines(), split_into_blocks(runs)))
        return time.monotonic() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    runs, workers = list_runs(Study(), options.runs), count_cores()
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
