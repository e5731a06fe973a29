"""Measure all figures of the theory: python -m benchmarks.theory.

Writes docs/theory-figures.md and the pictures beside it; takes about half an hour on two cores.
Names of sections print these alone: python -m benchmarks.theory speed.
"""

import platform
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from . import accuracy, depth, limit, rate, speed
from .section import Section, markdown_table

PAGE = Path(__file__).parent.parent.parent / "docs" / "theory-figures.md"
SECTIONS: Mapping[str, Callable[[], Section]] = {
    "speed": speed.measure,
    "accuracy": accuracy.measure,
    "rate": rate.measure,
    "limit": limit.measure,
    "depth": depth.measure,
}


def main(names: list[str]) -> None:
    """Measure, and print or write."""
    chosen = names or list(SECTIONS)
    alone = [_measure(name) for name in chosen if name == "speed"]  # times want a quiet machine
    with ProcessPoolExecutor() as workers:
        found = alone + list(workers.map(_measure, [name for name in chosen if name != "speed"]))
    text = "\n".join((_table(found), *(f"## {s.title}\n\n{s.text}" for s in found if s.text)))
    if names:
        print(text)
    else:
        PAGE.write_text(_HEAD.format(versions=_versions()) + text + _FOOT, encoding="utf-8")


def _measure(name: str) -> Section:
    start = time.monotonic()
    with threadpool_limits(limits=1):
        section = SECTIONS[name]()
    print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr)
    return section


def _table(sections: list[Section]) -> str:
    rows = [[row.what, row.measured, row.wanted] for s in sections for row in s.rows]
    return markdown_table(["what", "measured", "wanted"], rows)


def _versions() -> str:
    return (
        f"Python {platform.python_version()}, NumPy {np.__version__}, torch {torch.__version__}, "
        f"{platform.machine()}"
    )


_HEAD = """# Figures of the theory

Written by `python -m benchmarks.theory` ({versions}); nothing here is typed by hand.

"""
_FOOT = """
[Deep linear networks, exactly](theory.md) · [why the rate seems to change](theory-rate.md)
"""

if __name__ == "__main__":
    main(sys.argv[1:])
