"""Options of `lrtransfer tune` that set the study's fields."""

import shlex
import subprocess
import sys
from typing import Any

import pytest

from lrtransfer.cli.derive_options import derive_options, format_options
from lrtransfer.cli.main import parse
from lrtransfer.cli.study_options import OPTIONS, OPTIONS_FILE
from lrtransfer.cli.tune import TuneCommand
from lrtransfer.errors import ConfigError
from lrtransfer.study.study import Study

SPELLINGS: dict[str, dict[str, Any]] = {
    "--widths 32,64": {"widths": (32, 64)},
    "--base-width 64": {"base_width": 64},
    "--target 256": {"target": 256},
    "--along depth": {"along": "depth"},
    "--sizes 2,4": {"sizes": (2, 4)},
    "--width 64": {"width": 64},
    "--schemes mup,sp": {"schemes": ("mup", "sp")},
    "--scheme 'a, b'": {"schemes": ("a, b",)},
    "--vary training.batch=8,0.5": {"vary": {"training.batch": (8, 0.5)}},
    "--seeds 3": {"seeds": 3},
    "--study-seed 1": {"study_seed": 1},
    "--tolerance-regret 0.02": {"tolerance_regret": 0.02},
    "--tolerance-regret-abs 0.02": {"tolerance_regret_abs": 0.02},
    "--design adaptive": {"design": "adaptive"},
    "--stopping-rule octaves=1": {"stopping_rule": "octaves=1"},
    "--until octaves=1": {"stopping_rule": "octaves=1"},
    "--budget 2e15flops": {"budget": "2e15flops"},
    "--confirm": {"confirm": True},
    "--device cuda:1": {"device": "cuda:1"},
    "--lr-low 2^-8": {"grid": {"low": 2**-8}},
    "--lr-high 2**-2 --per-octave 2": {"grid": {"high": 0.25, "per_octave": 2}},
    "--steps 9": {"training": {"steps": 9}},
    "--command 'x {lr}' --loss-from stdout:y": {
        "trainer": {"command": "x {lr}", "loss_from": "stdout:y"}
    },
    "--timeout 1.5 --retries 0 --shell": {
        "timeout": 1.5,
        "trainer": {"retries": 0, "shell": True},
    },
    "": {},
}


def overrides(line: str) -> dict[str, Any]:
    command = parse(["tune", *shlex.split(line)])
    assert isinstance(command, TuneCommand)
    return command.overrides()


def test_the_file_of_options_is_what_the_fields_declare() -> None:
    assert OPTIONS_FILE.read_text(encoding="utf-8") == format_options(derive_options(Study)), (
        "an option or its help changed: run `python -m lrtransfer.cli.derive_options`"
    )


@pytest.mark.parametrize("line", SPELLINGS)
def test_an_option_sets_its_field(line: str) -> None:
    assert overrides(line) == SPELLINGS[line]


def test_every_option_is_spelt_above() -> None:
    words = {word for line in SPELLINGS for word in line.split() if word.startswith("--")}
    names = {f"--{entry.name}".replace("_", "-") for entry in OPTIONS}
    assert words - {"--scheme", "--until"} == names


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--vary optimizer.eps", r"vary: got 'optimizer.eps', wanted KEY=X,X,…, such as"),
        ("--vary optimizer.eps=0,x", r"vary: got 'x', wanted a number"),
        ("--retries x", r"retries: got 'x', wanted a whole number"),
        ("--timeout soon", r"timeout: got 'soon', wanted a number"),
        ("--scheme a --schemes b,c", r"scheme: got 'a' and schemes 'b,c', wanted one of them"),
    ],
)
def test_text_that_cannot_be_read_is_one_error(line: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        overrides(line)


def test_help_comes_without_loading_the_study() -> None:
    code = (
        "import sys\nfrom lrtransfer.cli.main import main\n"
        "try: main(['tune', '--help'])\n"
        "except SystemExit: print({'pydantic', 'numpy', 'torch'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--lr-low LR" in shown.stdout
    assert shown.stdout.endswith("set()\n")
