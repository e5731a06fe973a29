"""The house stays as it is drawn: no circles, no long files or bodies, one name for one thing."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
LINES, BODY = 400, 40
# Texts that users start from, and scripts, each with names of its own.
NOT_A_HOUSE = ("cli/templates/",)
# A main is what Python calls a main; a process of its own has one.
MAY_RECUR = {"main"}


def list_files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    graph = grimp.build_graph("lrtransfer", exclude_type_checking_imports=True)
    return {m: set(graph.find_modules_directly_imported_by(m)) for m in graph.modules}


def find_circle(imports: dict[str, set[str]]) -> list[str]:
    """Return the modules on some circle of imports; none where there is no circle."""
    left = {module: set(targets) for module, targets in imports.items()}
    while leaves := [module for module, targets in left.items() if not targets & set(left)]:
        for leaf in leaves:
            del left[leaf]
    return sorted(left)


def test_no_circle_of_imports(imports: dict[str, set[str]]) -> None:
    assert not find_circle(imports)


def test_a_circle_would_be_found() -> None:
    assert find_circle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == ["a", "b", "c"]


@pytest.mark.parametrize("folder", ["src", "tests", "benchmarks", "examples", "docs"])
def test_no_file_is_long(folder: str) -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in list_files(folder)}
    assert not {str(path): n for path, n in lengths.items() if n > LINES}


def list_functions(path: Path) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(parse(path)) if isinstance(node, ast.FunctionDef))


def count_body_lines(function: ast.FunctionDef) -> int:
    """Return the lines of a function's body after its docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_no_body_is_long() -> None:
    bodies = {
        f"{path}:{function.name}": count_body_lines(function)
        for path in list_files("src", "tests", "benchmarks", "examples")
        for function in list_functions(path)
    }
    assert max(bodies.values()) > 20
    assert not {name: lines for name, lines in bodies.items() if lines > BODY}


def list_public_names(path: Path) -> Iterator[str]:
    for node in parse(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def test_two_things_share_no_public_name() -> None:
    homes = defaultdict(list)
    for path in list_files("src"):
        place = path.relative_to(ROOT / "src" / "lrtransfer").as_posix()
        if not place.startswith(NOT_A_HOUSE):
            for name in list_public_names(path):
                homes[name].append(place)
    shared = {name: places for name, places in homes.items() if len(places) > 1}
    assert not {n: p for n, p in shared.items() if not n.startswith("_") and n not in MAY_RECUR}


def test_an_identity_is_parsed_in_one_file() -> None:
    readers = [path for path in list_files("src") if "def parse_identity" in path.read_text()]
    assert [path.name for path in readers] == ["run.py"]
    assert readers[0].read_text().count("json.loads") == 1


@pytest.mark.parametrize("text", ["trainer is None", "trainer is not None", "study.design =="])
def test_kinds_of_work_and_design_are_told_apart_in_one_place(text: str) -> None:
    assert not [str(path) for path in list_files("src") if text in path.read_text()]


def test_engines_are_named_by_themselves_alone() -> None:
    sources = {path: path.read_text() for path in list_files("src")}
    assert [path.name for path, text in sources.items() if '"loop"' in text] == ["loop.py"]
