"""The hash of the user's code knows what it imports, and runs nothing."""

from pathlib import Path

import pytest

from lrtransfer.errors import ConfigError
from lrtransfer.runs.user_code import digest as digest_module
from lrtransfer.runs.user_code.digest import digest_code


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pkg" / "layers").mkdir(parents=True)
    files = {
        "pkg/__init__.py": "from .model import build",
        "pkg/model.py": "import os\nfrom .layers import mixer\nfrom beside import x\n",
        "pkg/layers/__init__.py": "",
        "pkg/layers/mixer.py": "raise RuntimeError('must not be run')",
        "pkg/unused.py": "",
        "beside.py": "x = 1",
        "alone.py": "def build(width): ...",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "is_part"),
    [
        ("pkg/__init__.py", True),
        ("pkg/model.py", True),
        ("pkg/layers/__init__.py", True),
        ("pkg/layers/mixer.py", True),
        ("beside.py", True),
        ("pkg/unused.py", False),
        ("alone.py", False),
    ],
)
@pytest.mark.parametrize("text", ["pkg:build", "pkg.model:build"])
def test_what_is_imported_counts(folder: Path, text: str, name: str, is_part: bool) -> None:
    before = digest_code({"model.build": text})
    (folder / name).write_text((folder / name).read_text() + "\n# edited")
    assert (digest_code({"model.build": text}) != before) == is_part


def test_names_count_and_where_the_folder_lies_does_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = {"model.build": "pkg:build", "training.loss": "alone:build"}
    before = digest_code(named)
    assert digest_code(dict(reversed(named.items()))) == before
    assert digest_code(named | {"training.loss": "alone:loss"}) != before
    monkeypatch.chdir(folder.rename(folder.with_name("moved")))
    assert digest_code(named) == before


def test_circles_and_broken_files_end(folder: Path) -> None:
    (folder / "beside.py").write_text("import pkg.model\nthis is not python")
    assert digest_code({"model.build": "pkg:build"})


def test_an_installed_package_is_read_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest_module, "_INSTALLED", {str(folder)})
    before = digest_code({"model.build": "pkg:build"})
    (folder / "beside.py").write_text("x = 2")
    assert digest_code({"model.build": "pkg:build"}) == before
    (folder / "pkg" / "model.py").write_text("")
    assert digest_code({"model.build": "pkg:build"}) != before


def test_no_code_has_no_hash() -> None:
    assert not digest_code({})


@pytest.mark.parametrize("text", ["nowhere:build", "pkg.nowhere:build", "__main__:build", ":f"])
def test_a_module_that_is_not_there(folder: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"model.build: got .*, but there is no file of a module"):
        digest_code({"model.build": text})
