"""What benchmarks of the statistics have in common: shares with their error, tables, processes."""

import math
import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

from threadpoolctl import threadpool_limits

Task = TypeVar("Task")
Result = TypeVar("Result")


def show_share(held: Iterable[bool]) -> str:
    """Show a share in %, ± its Monte Carlo error, which is that of one case where none differs.

    Example:
        >>> show_share([True] * 90 + [False] * 10), show_share([True] * 100), show_share([])
        ('90.0 ± 3.0', '100.0 ± 1.0', '')
    """
    cases = list(held)
    if not cases:
        return ""
    share = sum(cases) / len(cases)
    error = math.sqrt(max(share * (1 - share), 1 / len(cases)) / len(cases))
    return f"{100 * share:.1f} ± {100 * error:.1f}"


def print_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a Markdown table, row by row as they come."""
    print("| " + " | ".join(header) + " |")
    print("|---" * len(header) + "|")
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)


def spread(work: Callable[[Task], Result], tasks: Sequence[Task], *, jobs: int) -> list[Result]:
    """Return the results of tasks in their order, each computed on one thread.

    Arguments:
        work: What to do with a task.
        tasks: The tasks; with more than one process, they are pickled.
        jobs: Number of processes; with 1, all is done in this one.
    """
    alone = partial(_work_alone, work)
    if jobs == 1:
        return [alone(task) for task in tasks]
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        return pool.map(alone, tasks, chunksize=1)


def _work_alone(work: Callable[[Task], Result], task: Task) -> Result:
    with threadpool_limits(limits=1, user_api="blas"):
        return work(task)
