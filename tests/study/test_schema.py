"""The schema that editors read accepts and refuses what the program does."""

import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from lrtransfer.errors import ConfigError
from lrtransfer.study.load import load
from lrtransfer.study.schema import make_study_schema

ROOT = Path(__file__).parents[2]
VALIDATOR = jsonschema.Draft202012Validator(make_study_schema())


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(make_study_schema())


@pytest.mark.parametrize(
    "path", sorted((ROOT / "examples" / "studies").glob("*.toml")), ids=lambda p: p.stem
)
def test_the_examples_are_accepted_by_both(path: Path) -> None:
    assert load(path, {})
    VALIDATOR.validate(tomllib.loads(path.read_text()))


@pytest.mark.parametrize(
    "settings",
    [
        {"sedes": 3},
        {"model": {"family": "mlp", "layers": 2}},
        {"optimizer": {"family": "sgd", "betas": [0.9, 0.95]}},
        {"training": {"schedule": "step"}},
        {"data": {"source": "text"}},
        {"model": {"build": "no colon"}},
        {"parametrization": {"tuned": {"readout": {"lr": 2.0}}}},
    ],
)
def test_mistakes_are_refused_by_both(settings: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid(settings)
    with pytest.raises(ConfigError):
        load(None, settings)
