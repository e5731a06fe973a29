"""Tables whose right answer is known: parabolas in log2 lr with their minimum at 2^-7."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import lrtransfer as lt
from lrtransfer.interface import Answer

WIDTHS, RATES = (64, 128, 256), tuple(range(-10, -3))


def loss_at(width: int, x: float) -> float:
    return round(3.5 + 0.03 * (x + 7) ** 2 + 6.4 / width, 6)


def points(widths: Sequence[int] = WIDTHS) -> Iterator[tuple[int, float, float]]:
    """Return width, learning rate and loss of every run."""
    return ((width, 2.0**x, loss_at(width, x)) for width in widths for x in RATES)


def write(header: str, rows: Iterable[Sequence[Any]], *, delimiter: str = ",") -> str:
    """Return a table as text."""
    lines = [header, *(",".join(map(str, row)) for row in rows)]
    return "".join(line.replace(",", delimiter) + "\n" for line in lines)


def judge_text(folder: Path, text: str | bytes, name: str = "runs.csv", **options: Any) -> Answer:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return lt.verdict(path, **options)


def is_right(answer: Answer, scheme: str = "all") -> bool:
    """Tell whether the answer of a scheme is the right one."""
    optima = [optimum.log2_lr for optimum in answer.answers[scheme].optima]
    return answer.verdict[scheme] == "transfers" and optima == pytest.approx(
        [-7] * len(optima), abs=0.01
    )


def notes(answer: Answer) -> str:
    return "\n".join(answer.warnings)
