"""A study small enough to be trained for real in tests."""

from pathlib import Path
from typing import Any

import pytest

from lrtransfer.sweeps.study import Study, load

SMALL: dict[str, Any] = {
    "name": "small",
    "widths": (16, 32, 48),
    "base_width": 16,
    "target": 64,
    "seeds": 1,
    "grid": {"low": 2.0**-7, "high": 2.0**-1},
    "model": {"depth": 1, "context": 16},
    "training": {"steps": 4, "batch": 2},
    "data": {"held_out_tokens": 512},
}


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
