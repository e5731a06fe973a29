"""Over 1,500 wrong inputs to all commands: no traceback, no hang, no row lost in silence."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from .case import WrongInput
from .folders import make_folders, make_token_files, make_trainers
from .models import make_models
from .problems import make_problems
from .run import find_fault, run
from .studies import make_files, make_options
from .tables import make_sound_table, make_tables

Make = Callable[[Random, int], Iterator[WrongInput]]

CAMPAIGN: dict[str, tuple[Make, int]] = {
    "tables": (make_tables, 600),
    "options": (make_options, 300),
    "study files": (make_files, 250),
    "theory": (make_problems, 150),
    "models": (make_models, 120),
    "folders": (make_folders, 100),
    "trainers": (make_trainers, 60),
    "token files": (make_token_files, 40),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CAMPAIGN)
def test_no_wrong_input_crashes_hangs_or_loses_a_row(name: str, tmp_path: Path) -> None:
    make, count = CAMPAIGN[name]
    faults = list(_list_faults(make(Random(0), count), tmp_path))
    assert not faults, f"{len(faults)} of {count}:\n\n" + "\n\n".join(faults)


def test_the_campaign_is_large_enough() -> None:
    assert sum(count for _, count in CAMPAIGN.values()) >= 1500


def test_the_unspoilt_table_is_read_whole(tmp_path: Path) -> None:
    table = make_sound_table(Random(0))
    text = "\n".join([",".join(table.columns), *(",".join(row.values()) for row in table.rows)])
    case = WrongInput(
        kind="nothing",
        arguments=("verdict", "runs.csv", "--json"),
        files={"runs.csv": text.encode()},
        rows=63,
    )
    ending = run(case, tmp_path)
    assert (ending.code, find_fault(case, ending)) == (0, None)


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("theory", "optimum", "--synthetic", "20,3,0.1,0", "--depth", "1", "--steps", "1"), None),
        (("theory", "optimum", "--depth", "0"), None),
    ],
)
def test_right_and_wrong_commands_end_as_they_should(
    arguments: tuple[str, ...], fault: str | None, tmp_path: Path
) -> None:
    case = WrongInput(kind="", arguments=arguments)
    assert find_fault(case, run(case, tmp_path)) == fault


def _list_faults(cases: Iterator[WrongInput], folder: Path) -> Iterator[str]:
    """Run cases, each in a folder of its own, and describe those that end badly."""
    for number, case in enumerate(cases):
        place = folder / str(number)
        place.mkdir()
        ending = run(case, place)
        if fault := find_fault(case, ending):
            command = " ".join(argument[:80] for argument in case.arguments)
            yield (
                f"{number}: {case.kind!r} {fault}, {ending.seconds:.1f} s\n$ lrtransfer {command}\n"
                f"{ending.out[-300:]}\n{ending.error[-1200:]}"
            )
        else:
            shutil.rmtree(place)
