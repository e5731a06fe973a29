"""The pages say what the program does."""

import json
import re
import subprocess
import sys
import tomllib
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from lrtransfer.cli.main import main
from lrtransfer.parametrization.choices import WEIGHT_DECAYS, Choices
from lrtransfer.parametrization.optimizers import KINDS
from lrtransfer.parametrization.rules import FAMILIES, GAUGES, SCHEMES
from lrtransfer.study.program import Program
from lrtransfer.study.schema import make_study_schema
from lrtransfer.study.study import Study

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
    schema = make_study_schema()
    named = {
        key for section in (schema, *schema["$defs"].values()) for key in section["properties"]
    }
    program = set(Program.model_fields)  # docs/how-to/own-trainer.md
    assert {key for key in named - program if key not in page} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    plain = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_sections_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", page.read_text(encoding="utf-8"))
    targets = [((page.parent / link) if link else page, anchor) for link, anchor in links]
    assert [anchor for target, anchor in targets if anchor not in anchors(target)] == []


def test_every_page_is_linked_from_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    links = re.findall(r"\]\(([^)#]+)\)", index.read_text(encoding="utf-8"))
    linked = {(index.parent / link).resolve() for link in links}
    assert [page.name for page in PAGES if page != index and page.resolve() not in linked] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_lines_fit_an_editor(page: Path) -> None:
    if page.name == "theory-figures.md":
        pytest.skip("written by a benchmark")
    lines = page.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > 100 and not line.startswith("|")] == []


def test_the_readme_stays_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def imports() -> set[tuple[str, str]]:
    """Return every name of ours that a page imports, with its module."""
    shown = set()
    for page in PAGES:
        lines = re.findall(r"from (lrtransfer[\w.]*) import (.+)", page.read_text(encoding="utf-8"))
        shown |= {(module, name.strip()) for module, names in lines for name in names.split(",")}
    return shown


@pytest.mark.parametrize(("module", "name"), sorted(imports()))
def test_imports_on_the_pages_work(module: str, name: str) -> None:
    assert hasattr(import_module(module), name)


def keys(node: Any) -> set[str]:
    """Return all keys of a JSON document, those of entries with a free name left out."""
    if isinstance(node, list):
        return set().union(*map(keys, node))
    if not isinstance(node, dict):
        return set()
    return set(node).union(*map(keys, node.values())) - {"mup", "sp"}


def test_the_page_of_json_documents_names_every_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        f"{scheme},{width},{2.0**x},{seed},{3 + (x + 6.3 - (scheme == 'sp') * width / 128) ** 2}"
        for scheme in ("mup", "sp")
        for width in (64, 128, 256)
        for x in range(-10, -2)
        for seed in range(3)
    ]
    (tmp_path / "runs.csv").write_text("\n".join(["scheme,width,lr,seed,loss", *rows]))
    arguments = [
        "verdict",
        str(tmp_path / "runs.csv"),
        "--target-width",
        "1024",
        "--json",
        "--check",
    ]
    assert main(arguments) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["comparisons"]
    page = (ROOT / "docs" / "reference" / "json.md").read_text(encoding="utf-8")
    assert {key for key in keys(document) if f"`{key}`" not in page} == set()


@pytest.mark.parametrize("command", re.findall(r"\./dev (\w+)", (ROOT / "README.md").read_text()))
def test_commands_of_the_readme_exist(command: str) -> None:
    assert f"  {command})" in (ROOT / "dev").read_text()


def commands() -> set[tuple[str, str]]:
    """Return every option that a page shows, after the command that it is given to."""
    shown = set()
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        for line in re.findall(r"^ {4}.*?lrtransfer ([a-z].*)$", text, flags=re.MULTILINE):
            words = re.sub(r'"[^"]*"', "", line.partition(" #")[0]).split()
            command = " ".join(words[: 2 if words[0] == "theory" else 1])
            shown |= {(command, word) for word in words if word.startswith("--")}
    return shown


@pytest.mark.parametrize(("command", "option"), sorted(commands()))
def test_options_on_the_pages_exist(command: str, option: str) -> None:
    page = (ROOT / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")
    (text,) = re.findall(rf"^## `lrtransfer {command}`\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.M)
    assert re.search(rf"{option}\b(?!-)", text)


def rules_pages() -> str:
    pages = (ROOT / "docs" / "reference" / name for name in ("roles-and-rules.md", "optimizers.md"))
    return "\n".join(page.read_text(encoding="utf-8") for page in pages)


@pytest.mark.parametrize(
    "name",
    [*SCHEMES, *GAUGES, *FAMILIES, *KINDS, *WEIGHT_DECAYS, *(f.name for f in fields(Choices))],
)
def test_the_pages_of_rules_name_everything_offered(name: str) -> None:
    assert f"`{name}`" in rules_pages()


@pytest.mark.parametrize("name", FAMILIES)
def test_the_pages_of_rules_give_the_exponent_of_every_family(name: str) -> None:
    row = re.search(rf"^\| `{name}` \|.*$", rules_pages(), flags=re.MULTILINE)
    assert row
    assert float(row[0].split("|")[-3]) == FAMILIES[name].lr_per_multiplier


@pytest.mark.parametrize("name", SCHEMES)
def test_the_pages_of_rules_say_which_schemes_are_absolute(name: str) -> None:
    row = re.search(rf"^\| `{name}` \|.*(relative|absolute) \|$", rules_pages(), flags=re.MULTILINE)
    assert row
    assert (row[1] == "absolute") == SCHEMES[name].absolute


def test_the_generated_pages_are_current() -> None:
    generate = ROOT / "docs" / "reference" / "generate.py"
    done = subprocess.run(
        [sys.executable, generate, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
