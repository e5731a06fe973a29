"""Compare how long the statistics take, beside another version, by turns in one run.

    python -m benchmarks.speed [--before src/of/another/version] [--repeats N]

`table` is 4 widths x 10 rates; `seeds` and `rates` are 40 curves, 5 schemes x 8 widths, of 24 and
25 runs: 12 rates x 2 seeds, and 25 rates. Every measurement is a process of its own on one thread,
the versions by turns. Prints the shortest times in seconds of the processor, which other programs
lengthen less than those of the clock: of the whole process, of its start (importing what judges,
and making the table), of the first judgement and of a later one in the same process; the same as a
multiple of the other version's; and whether torch was imported, which takes longer than all of it.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.tally import print_table

# What a process does: only names that every version has. The target was once a width.
JUDGE = """
import inspect, json, sys, time
started = time.process_time()
import numpy as np
from lrtransfer.statistics.table import Observation, RunTable
from lrtransfer.statistics.transfer import judge
schemes, widths, rates, seeds = map(int, sys.argv[1:])
rng = np.random.default_rng(0)
x = np.linspace(-12, -3, rates)
runs = [
    Observation(f"scheme{scheme}", 64 * 2**k, 2.0**rate, seed,
                3 + (rate + 7 + k / 5 + scheme / 9) ** 2 / 16 + 0.01 * rng.standard_normal())
    for scheme in range(schemes) for k in range(widths) for rate in x
    for seed in range(seeds)
]
table = RunTable(tuple(runs))
target = "target" if "target" in inspect.signature(judge).parameters else "target_width"
times = [time.process_time() - started]
for _ in range(3):
    begin = time.process_time()
    judge(table, **{target: 64 * 2**widths})
    times.append(time.process_time() - begin)
print(json.dumps([times[0], times[1], min(times[2:]), "torch" in sys.modules]))
"""
TABLES = {"table": (1, 4, 10, 1), "seeds": (5, 8, 12, 2), "rates": (5, 8, 25, 1)}
COLUMNS = ("process", "start", "first", "later")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def measure(tree: Path, shape: tuple[int, ...]) -> tuple[list[float], bool]:
    """Return the times of one process, and whether it imported torch."""
    process = subprocess.Popen(
        [sys.executable, "-c", JUDGE, *map(str, shape)],
        env={**os.environ, **dict.fromkeys(THREADS, "1"), "PYTHONPATH": str(tree)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{tree}: exit code {process.returncode}")
    *times, torch = json.loads(printed)
    return [usage.ru_utime + usage.ru_stime, *times], torch


def compare(name: str, trees: Mapping[str, Path], *, repeats: int) -> list[tuple[object, ...]]:
    """Measure one table on all versions by turns, and return their rows."""
    found: dict[str, list[list[float]]] = {version: [] for version in trees}
    imported = dict.fromkeys(trees, False)
    for _ in range(repeats):
        for version, tree in trees.items():
            times, torch = measure(tree, TABLES[name])
            found[version].append(times)
            imported[version] |= torch
    least = {version: [min(t) for t in zip(*found[version], strict=True)] for version in trees}
    rows: list[tuple[object, ...]] = [
        (name, version, *(f"{t:.3f}" for t in times), "yes" if imported[version] else "no")
        for version, times in least.items()
    ]
    if "before" in least:
        ratios = (now / old for now, old in zip(least["now"], least["before"], strict=True))
        rows.append((name, "now / before", *(f"{ratio:.2f}" for ratio in ratios), ""))
    return rows


def main() -> None:
    """Parse the options, measure, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", type=Path, help="src folder of another version")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    trees = {"now": Path(__file__).resolve().parents[1] / "src"}
    if options.before:
        trees["before"] = options.before.resolve()
    print(f"\nShortest of {options.repeats}, in seconds of the processor\n")
    print_table(
        ("table", "version", *COLUMNS, "torch imported"),
        (row for name in TABLES for row in compare(name, trees, repeats=options.repeats)),
    )


if __name__ == "__main__":
    main()
