"""The pages say what the program does."""

import re
import tomllib
from pathlib import Path

import pytest

from lrtransfer.sweeps.study import Study

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


def test_the_study_page_shows_every_setting_with_its_default() -> None:
    page = (ROOT / "docs" / "study.md").read_text(encoding="utf-8")
    shown = re.search(r"```toml\n(.*?)```", page, flags=re.DOTALL)
    assert shown
    settings = tomllib.loads(shown[1])
    assert Study.model_validate(settings) == Study()
    assert {k: set(v) if isinstance(v, dict) else None for k, v in settings.items()} == {
        k: set(v) if isinstance(v, dict) else None for k, v in Study().model_dump().items()
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("command", re.findall(r"\./dev (\w+)", (ROOT / "README.md").read_text()))
def test_commands_of_the_readme_exist(command: str) -> None:
    assert f"  {command})" in (ROOT / "dev").read_text()
