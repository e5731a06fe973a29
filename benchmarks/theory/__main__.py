"""Measure all figures of the theory: python -m benchmarks.theory.

Writes docs/measurements/theory-figures.md and the pictures beside it; takes about forty minutes on
two cores.
Names of sections measure these alone and keep the others: python -m benchmarks.theory speed.
"""

import json
import platform
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from . import accuracy, depth, limit, rate, speed
from .section import Row, Section, markdown_table

MEASURED = Path(__file__).parent / "measured.json"
PAGE = Path(__file__).parent.parent.parent / "docs" / "measurements" / "theory-figures.md"
SECTIONS: Mapping[str, Callable[[], Section]] = {
    "speed": speed.measure,
    "accuracy": accuracy.measure,
    "rate": rate.measure,
    "limit": limit.measure,
    "depth": depth.measure,
}


def main(names: list[str]) -> None:
    """Measure the named sections, or all, and write the page with all measurements so far."""
    names = names or list(SECTIONS)
    alone = {name: _measure(name) for name in names if name == "speed"}  # needs an idle machine
    rest = [name for name in names if name != "speed"]
    with ProcessPoolExecutor() as workers:
        sections = alone | dict(zip(rest, workers.map(_measure, rest), strict=True))
    measured = json.loads(MEASURED.read_text(encoding="utf-8")) if MEASURED.exists() else {}
    measured |= {name: asdict(section) for name, section in sections.items()}
    MEASURED.write_text(json.dumps(measured, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    page = [_parse_section(measured[name]) for name in SECTIONS if name in measured]
    text = "\n".join((_table(page), *(f"## {s.title}\n\n{s.text}" for s in page if s.text)))
    PAGE.write_text(_HEAD.format(versions=_versions()) + text + _FOOT, encoding="utf-8")


def _parse_section(document: dict[str, Any]) -> Section:
    rows = tuple(Row(**row) for row in document["rows"])
    return Section(document["title"], rows, document["text"])


def _measure(name: str) -> Section:
    start = time.monotonic()
    with threadpool_limits(limits=1):
        section = SECTIONS[name]()
    print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr)
    return section


def _table(sections: list[Section]) -> str:
    rows = [[row.what, row.measured, row.wanted] for s in sections for row in s.rows]
    return markdown_table(["what", "measured", "required"], rows)


def _versions() -> str:
    return (
        f"Python {platform.python_version()}, NumPy {np.__version__}, torch {torch.__version__}, "
        f"{platform.machine()}"
    )


_HEAD = """# Figures of the theory

Written by `python -m benchmarks.theory` ({versions}); nothing here is typed by hand.

"""
_FOOT = """
[Deep linear networks, exactly](../explanation/theory.md) ·
[why the rate seems to change](theory-rate.md)
"""

if __name__ == "__main__":
    main(sys.argv[1:])
