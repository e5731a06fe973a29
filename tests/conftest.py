"""What all tests share."""

import hashlib
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lrtransfer.study.load import load
from lrtransfer.study.study import Study

from .studies import SMALL

# torch's default of one thread per core makes small models slower by an order of magnitude.
torch.set_num_threads(1)
# A shell lets what it starts in the background ignore Ctrl-C, and programs that we start would
# inherit that: tests that interrupt them would wait for ever.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def write_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Write a user's module into the working directory and return its name.

    The name is of this text in this folder: a module is imported once per process.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    def write(text: str) -> str:
        name = f"own_{hashlib.sha256(f'{tmp_path}{text}'.encode()).hexdigest()[:12]}"
        (tmp_path / f"{name}.py").write_text(text)
        return name

    return write


@pytest.fixture(scope="session")
def small() -> Study:
    return load(None, SMALL)


@pytest.fixture(scope="session")
def small_toml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("study") / "small.toml"
    path.write_text(
        "\n".join([
            'name = "small"',
            "widths = [16, 32, 48]",
            "base_width = 16",
            "target = 64",
            "seeds = 1",
            "grid = { low = 0.0078125, high = 0.5 }",
            "model = { depth = 1, context = 16 }",
            "training = { steps = 4, batch = 2 }",
            "data = { held_out_tokens = 512 }",
        ])
    )
    return path
