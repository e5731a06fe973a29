"""Generated tables: whatever they hold, every row is a run or is counted with its reason."""

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lrtransfer.errors import TableError
from lrtransfer.integrations.tables.runs import read_runs

from .synthetic import WIDTHS, loss_at

Cell = Callable[[random.Random, int, int], object]  # from a generator, the row and its width

COLUMNS: dict[str, Cell] = {
    "seed": lambda rng, row, width: row // 21,
    "steps": lambda rng, row, width: rng.choice([100, 100, 100, 200]),
    "_step": lambda rng, row, width: rng.choice([100, 50, 101]),
    "epoch": lambda rng, row, width: rng.randint(0, 5),
    "status": lambda rng, row, width: rng.choice(["finished"] * 9 + ["failed", "diverged", "wat"]),
    "diverged": lambda rng, row, width: rng.random() < 0.1,
    "bs": lambda rng, row, width: rng.choice([8, 8, 8, 16]),
    "tokens": lambda rng, row, width: rng.choice([1000, 1001, 2000, ""]),
    "trial_id": lambda rng, row, width: rng.randint(0, 30),
    "use_mup": lambda rng, row, width: rng.randint(0, 1),
    "depth": lambda rng, row, width: width // 32,
    "scheme": lambda rng, row, width: rng.choice("ab"),
    "loss_std": lambda rng, row, width: rng.choice([0.01, "", 0.02]),
    "name": lambda rng, row, width: rng.choice("abc"),
    "score_of_it": lambda rng, row, width: rng.random(),
}
COUNTED = re.compile(
    r"(\d+) (rows (are called|have no|of another|repeat)|earlier rows|of \d+ rows are left out)"
)


def make_table(rng: random.Random) -> tuple[list[str], list[list[Any]]]:
    """Return the names and rows of a table, of which some diverged, failed or are blank."""
    names = rng.sample(list(COLUMNS), rng.randint(0, 5))
    rows = list[list[Any]]()
    for row in range(rng.choice([21, 42, 63, 90])):
        width, x = WIDTHS[row % 3], rng.choice([-10 + row // 3 % 7] * 20 + [-12, -2])
        loss = rng.choice([loss_at(width, x) + rng.random() / 100] * 30 + ["nan", "inf", "", 2e308])
        rows.append([width, 2.0**x, loss, *(COLUMNS[name](rng, row, width) for name in names)])
    return ["width", "lr", "loss", *names], rows


def choose_options(rng: random.Random, names: list[str], rows: list[list[Any]]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if rng.random() < 0.2:
        options["along"] = rng.choice(["depth", "batch", "steps"])
    if len(names) > 3 and rng.random() < 0.2:
        options["group_by"] = [rng.choice(names[3:])]
    if len(names) > 3 and rng.random() < 0.2:
        place = rng.randrange(3, len(names))
        options["where"] = {names[place]: rng.choice(["*", rows[0][place]])}
    return options


@pytest.mark.slow
def test_every_row_is_a_run_or_counted(tmp_path: Path) -> None:
    rng, path, read = random.Random(0), tmp_path / "runs.csv", 0
    for _ in range(1500):
        names, rows = make_table(rng)
        options = choose_options(rng, names, rows)
        lines = (",".join(map(str, row)) for row in [names, *rows])
        path.write_text("\n".join(lines) + "\n")
        try:
            runs = read_runs(path, **options)
        except TableError:
            continue
        counts = [int(match[1]) for note in runs.warnings if (match := COUNTED.match(note))]
        assert len(runs.table) + sum(counts) == len(rows), (names, options, runs.warnings)
        read += 1
    assert read > 750
