"""Outputs that are closed, full or read by nobody, and interrupts before anything has begun."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from lrtransfer.sweeps.store import read_store

TABLE = "width,lr,seed,loss\n" + "".join(
    f"{width},{2.0**x},{seed},{3 + (x + 6.3) ** 2 / 16 + seed / 50}\n"
    for width in (64, 128)
    for x in range(-10, -2)
    for seed in (0, 1)
)
MODEL = """
import torch
from torch import nn

def build(width):
    return nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, 2, bias=False))

def batch(width=None):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(8, 4, generator=generator), torch.zeros(8).long()
"""
TUNE = [
    *("tune", "--widths", "64,128", "--target", "256", "--seeds", "1", "--lr-low", "2^-6"),
    *("--lr-high", "2^-4", "--command", "echo loss {width} {lr}", "--loss-from", "stdout:loss (.)"),
]
COMMANDS = {
    "verdict": ["verdict", "runs.csv"],
    "verdict --json": ["verdict", "runs.csv", "--json"],
    "tune": [*TUNE, "--out", "out"],
    "help": ["tune", "--help"],
    "schema": ["schema"],
}
SLOW = {
    "check": ["check", "model:build", "--batch", "model:batch", "--widths", "8,16,32"],
    "doctor": ["doctor"],
    "bad input": ["verdict", "none.csv"],
}


def commands() -> list[ParameterSet]:
    slow = [pytest.param(line, id=name, marks=pytest.mark.slow) for name, line in SLOW.items()]
    return [pytest.param(line, id=name) for name, line in COMMANDS.items()] + slow


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs.csv").write_text(TABLE)
    Path("model.py").write_text(MODEL)


def run(line: list[str], redirections: str) -> "subprocess.CompletedProcess[str]":
    """Run a command with the redirections of a shell."""
    shell = ["bash", "-c", f'exec "$@" {redirections}', "sh", sys.executable, "-m", "lrtransfer"]
    return subprocess.run([*shell, *line], capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.parametrize("line", commands())
def test_a_reader_that_has_gone_ends_it_quietly(line: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "lrtransfer", *line],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    is_bad = line[-1] == "none.csv"
    assert done.returncode == (2 if is_bad else 141)
    assert "Traceback" not in done.stderr
    assert "rror" not in done.stderr


@pytest.mark.parametrize("line", commands())
def test_an_output_that_is_full_is_one_error(line: list[str]) -> None:
    done = run(line, ">/dev/full")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    if line[-1] != "none.csv":
        assert done.stderr.splitlines()[-1].startswith(
            "lrtransfer: stdout: got 'No space left on device', wanted an output"
        )


@pytest.mark.parametrize("line", commands())
def test_an_output_that_was_closed_is_no_error(line: list[str]) -> None:
    done = run(line, ">&-")
    assert done.returncode in ((2,) if line[-1] == "none.csv" else (0, 3))
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("redirections", ["<&- >&- 2>&-", "2>/dev/full", "2>&-"])
def test_a_study_does_not_need_its_streams(redirections: str) -> None:
    done = run(COMMANDS["tune"], redirections)
    assert done.returncode == 0
    with read_store(Path("out")) as store:  # and nothing was printed into it
        assert len(store.rows()) >= 6


# Interrupts itself as soon as a module is looked for.
INTERRUPTING = """
import os, signal, sys
wanted, sys.argv[1:] = sys.argv[1], sys.argv[2:]
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == wanted:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder)
from lrtransfer.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize(
    "module",
    ["lrtransfer.cli.main", "tyro", "lrtransfer.study.study", "pydantic", "numpy", "rich.console"],
)
def test_an_interrupt_while_loading_is_no_traceback(module: str) -> None:
    command = [sys.executable, "-c", INTERRUPTING, module, *COMMANDS["tune"]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_what_is_ignored_stays_ignored() -> None:
    line = [word.replace("echo", "sleep 0.2; echo") for word in COMMANDS["tune"]]
    shell = ["sh", "-c", 'trap "" HUP INT; exec "$@"', "sh", sys.executable, "-m", "lrtransfer"]
    process = subprocess.Popen([*shell, *line, "--shell"], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    process.stderr.readline()
    for number in (signal.SIGHUP, signal.SIGINT):
        process.send_signal(number)
        time.sleep(0.05)
    process.communicate()
    assert process.returncode == 0
