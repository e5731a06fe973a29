"""Compare how long `lrtransfer verdict` takes on large tables, and the memory, beside another tree.

    python benchmarks/tables.py [--before src/of/another/version] [--rows N …] [--repeats N]

`seeds` has a run per row (4 widths, 10 rates, many seeds), `history` many rows per run. Each table
is judged in a process of its own, the trees by turns; prints the shortest time, the time of the
processor and the peak of the resident memory.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

WIDTHS, RATES = (64, 128, 256, 512), tuple(range(-12, -2))


def write_seeds(rows: int) -> Iterator[str]:
    """Yield the lines of a table with a run per row."""
    noise = np.random.default_rng(0).normal(0, 0.01, rows).round(6)
    yield "width,lr,seed,loss\n"
    for row in range(rows):
        point, seed = row % 40, row // 40
        width, x = WIDTHS[point // 10], RATES[point % 10]
        yield f"{width},{2.0**x},{seed},{3 + (x + 7) ** 2 / 16 + noise[row]:.6f}\n"


def write_history(rows: int) -> Iterator[str]:
    """Yield the lines of a table of 120 runs, each with many steps."""
    steps = rows // 120
    yield "name,width,lr,seed,step,loss\n"
    for run in range(120):
        width, x, seed = WIDTHS[run // 30], RATES[run // 3 % 10], run % 3
        head = f"run{run},{width},{2.0**x},{seed}"
        for step in range(1, steps + 1):
            yield f"{head},{step},{3 + (x + 7) ** 2 / 16 + 10 / step + seed / 100:.6f}\n"


def measure(tree: Path, table: Path) -> tuple[float, float, float]:
    """Return the seconds, those of the processor and the MiB of one verdict."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "lrtransfer", "verdict", str(table)],
        env={**os.environ, "PYTHONPATH": str(tree)},
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{tree}: exit code {process.returncode}")
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    """Write the tables, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    trees = {"now": Path(__file__).parents[1] / "src"}
    if arguments.before:
        trees["before"] = arguments.before.resolve()
    print(f"{'table':<10}{'rows':>10}  tree     seconds  processor      MiB")
    with tempfile.TemporaryDirectory() as folder:
        for rows in arguments.rows:
            for name, write in (("seeds", write_seeds), ("history", write_history)):
                table = Path(folder, f"{name}.csv")
                with table.open("w") as file:
                    file.writelines(write(rows))
                found: dict[str, list[tuple[float, ...]]] = {tree: [] for tree in trees}
                for _ in range(arguments.repeats):
                    for tree, path in trees.items():
                        found[tree].append(measure(path, table))
                for tree, values in found.items():
                    seconds, processor, memory = map(min, zip(*values, strict=True))
                    print(
                        f"{name:<10}{rows:>10}  {tree:<6}{seconds:>10.2f}{processor:>11.2f}"
                        f"{memory:>9.0f}"
                    )


if __name__ == "__main__":
    main()
