"""Odd arguments of the commands on theory, and data files that are none."""

import io
from collections.abc import Iterator
from random import Random
from typing import Any

import numpy as np

from .case import ODD_NAMES, ODD_NUMBERS, WrongInput

COMMANDS = ("optimum", "curve", "polynomial", "fluctuation", "exponents")
SOUND = {"--synthetic": "20,3,0.1,0", "--depth": "1", "--steps": "1"}
NUMBERS = (
    "--depth", "--steps", "--momentum", "--weight-decay", "--batch-size", "--batch-seed", "--seeds",
    "--width", "--budget",
)  # fmt: skip
TEXTS = ("--scheme", "--train", "--interval", "--lrs", "--synthetic", "--data", "--abc")
SYNTHETIC = (
    "20,3,0.1", "20,3,0.1,0,1", "0,3,0.1,0", "20,0,0.1,0", "-20,3,0.1,0", "20,3,nan,0", "20,3,-1,0",
    "1e9,3,0.1,0", "20,3,0.1,-1", "20.5,3,0.1,0", "20,3,inf,0", "20,3,1e308,0",
)  # fmt: skip
INTERVALS = ("0,1,2", "1,0", "0,0", "nan,1", "0,inf", "-1,1", "0:1", "a,b", ",", "1e-320,1e308")
LISTS = (
    "0:2:0",
    "0:2:-1",
    "0:2",
    "2:0:5",
    "0:2:1e9",
    "nan",
    "1,nan",
    ",",
    "0,inf",
    "1e308",
    "0:2:x",
)
ROWS = (
    b"[hidden]\na = 0\n", b"[hidden]\na = 'x'\nb = 0.5\nc = 1\n",
    b"[hidden]\na = nan\nb = 0\nc = 0\n",
    b"[nothing]\na = 0\nb = 0\nc = 0\n", b"hidden = 3\n", b"[hidden\n", b"", b"\xff",
    b"[hidden]\na = 1e300\nb = 0\nc = 0\n[input]\na=0\nb=0\nc=0\n[output]\na=0\nb=0\nc=0\n",
    b"[hidden]\na = true\nb = 0\nc = 0\n",
)  # fmt: skip


def make_problems(random: Random, count: int) -> Iterator[WrongInput]:
    """Draw arguments of the commands on theory, one of them wrong."""
    for _ in range(count):
        command = random.choice(COMMANDS)
        options, files = dict(SOUND), dict[str, bytes]()
        if command == "curve":
            options["--lrs"] = "0:2:3"
        option = random.choice((*NUMBERS, *TEXTS))
        value, files = _draw_value(option, random)
        options[option] = value
        if option == "--data":
            del options["--synthetic"]
        arguments = tuple(f"{name}={text}" for name, text in options.items())
        yield WrongInput(
            kind=f"theory {command} {option} {value[:20]!r}",
            arguments=("theory", command, *arguments),
            files=files,
        )


def _draw_value(option: str, random: Random) -> tuple[str, dict[str, bytes]]:
    if option in NUMBERS:
        return random.choice((*ODD_NUMBERS, "100000000", "1e8", "1000000")), {}
    if option == "--data":
        return "data.npz", {"data.npz": random.choice(tuple(_list_data()))}
    if option == "--abc":
        return "rows.toml", {"rows.toml": random.choice(ROWS)}
    texts = {"--synthetic": SYNTHETIC, "--interval": INTERVALS, "--lrs": LISTS}
    return random.choice(texts.get(option, ODD_NAMES)), {}


def _list_data() -> Iterator[bytes]:
    """Return files of arrays that are no problem, or damaged."""
    good: dict[str, Any] = {"X": np.eye(4, 3), "y": np.ones(4)}
    for changes in (
        {"X": np.eye(4, 3, dtype=complex)},
        {"X": np.full((4, 3), np.nan)},
        {"X": np.eye(3)},
        {"X": np.ones(4)},
        {"X": np.empty((0, 3)), "y": np.empty(0)},
        {"X": np.full((4, 3), "a")},
        {"X": np.eye(4, 3, dtype=bool)},
        {"X": np.full((4, 3), 1e200)},
        {"X": np.full((4, 3), 1e-200)},
        {"y": np.ones((4, 2, 2))},
        {"y": np.full(4, np.inf)},
        {"y": np.zeros(4)},
        {"y": np.array(3.0)},
        {"y": np.empty((4, 0))},
    ):
        yield _save(good | changes)
    yield _save({"X": good["X"]})
    yield _save({"x": good["X"], "Y": good["y"]})
    yield _save(good)[:-30]
    yield b"PK\x03\x04"
    yield b""
    yield b"X,y\n1,2\n"


def _save(arrays: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()
