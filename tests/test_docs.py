"""The pages say what the program does."""

import re
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from lrtransfer.parametrization.choices import DECAYS, Choices
from lrtransfer.parametrization.optimizers import KINDS
from lrtransfer.parametrization.rules import FAMILIES, GAUGES, SCHEMES
from lrtransfer.sweeps.schema import study_schema
from lrtransfer.sweeps.study import Study
from lrtransfer.sweeps.trainer import TrainerConfig

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def test_the_study_page_shows_every_setting_with_its_default() -> None:
    page = (ROOT / "docs" / "reference" / "study-file.md").read_text(encoding="utf-8")
    shown = re.search(r"```toml\n(.*?)```", page, flags=re.DOTALL)
    assert shown
    settings = tomllib.loads(shown[1])
    assert Study.model_validate(settings) == Study()
    assert {k: set(v) if isinstance(v, dict) else None for k, v in settings.items()} == {
        k: set(v) if isinstance(v, dict) else None
        for k, v in Study().model_dump(exclude_none=True).items()
    }


def test_the_study_page_names_every_other_setting() -> None:
    page = (ROOT / "docs" / "reference" / "study-file.md").read_text(encoding="utf-8")
    schema = study_schema()
    named = {
        key for section in (schema, *schema["$defs"].values()) for key in section["properties"]
    }
    program = set(TrainerConfig.model_fields)  # docs/how-to/own-trainer.md
    assert {key for key in named - program if key not in page} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("command", re.findall(r"\./dev (\w+)", (ROOT / "README.md").read_text()))
def test_commands_of_the_readme_exist(command: str) -> None:
    assert f"  {command})" in (ROOT / "dev").read_text()


def rules_page() -> str:
    return (ROOT / "docs" / "reference" / "roles-and-rules.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name", [*SCHEMES, *GAUGES, *FAMILIES, *KINDS, *DECAYS, *(f.name for f in fields(Choices))]
)
def test_the_page_of_rules_names_everything_offered(name: str) -> None:
    assert f"`{name}`" in rules_page()


@pytest.mark.parametrize("name", FAMILIES)
def test_the_page_of_rules_gives_the_exponent_of_every_family(name: str) -> None:
    row = re.search(rf"^\| `{name}` \|.*$", rules_page(), flags=re.MULTILINE)
    assert row
    assert float(row[0].split("|")[-3]) == FAMILIES[name].lr_per_multiplier


@pytest.mark.parametrize("name", SCHEMES)
def test_the_page_of_rules_says_which_schemes_are_absolute(name: str) -> None:
    row = re.search(rf"^\| `{name}` \|.*(relative|absolute) \|$", rules_page(), flags=re.MULTILINE)
    assert row
    assert (row[1] == "absolute") == SCHEMES[name].absolute


def test_the_generated_pages_are_current() -> None:
    generate = ROOT / "docs" / "reference" / "generate.py"
    done = subprocess.run(
        [sys.executable, generate, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
