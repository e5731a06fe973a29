"""The user's own code by its name: what is loaded, hashed and refused."""

import hashlib
import sys
from pathlib import Path
from typing import Any

import pytest

from lrtransfer.errors import ConfigError
from lrtransfer.sweeps.named_code import digest_of, load, load_batch, load_callable

SOURCE = """
class Outer:
    @staticmethod
    def inner(width):
        return width

value = [1, 2]

def nothing():
    return "a batch"

def broken():
    raise KeyError("what")
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"named_{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:12]}"
    package = tmp_path / name
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "good.py").write_text(SOURCE)
    (package / "bad.py").write_text("raise RuntimeError('no luck')\n")
    (tmp_path / f"{name}_bad").mkdir()
    (tmp_path / f"{name}_bad" / "__init__.py").write_text("raise RuntimeError('no luck')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_objects_and_those_within_are_loaded(own: str) -> None:
    assert load("key", f"{own}.good:value") == [1, 2]
    assert load_callable("key", f"{own}.good:Outer.inner")(3) == 3


def test_a_batch_is_a_value_or_what_a_function_of_nothing_returns(own: str) -> None:
    assert load_batch("key", f"{own}.good:value") == [1, 2]
    assert load_batch("key", f"{own}.good:nothing") == "a batch"
    assert load_batch("key", f"{own}.good:Outer.inner")(3) == 3
    with pytest.raises(ConfigError, match=r"key: got .*:broken', which raised KeyError: 'what'"):
        load_batch("key", f"{own}.good:broken")


@pytest.mark.parametrize("text", ["good", "good:", ":good", ""])
def test_another_form_is_refused(own: str, text: str) -> None:
    with pytest.raises(ConfigError, match=r"key: got .*, wanted the form pkg\.module:name"):
        load("key", text)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("OWN.good:Outer.missing", "has no 'Outer.missing'"),
        ("OWN.none:value", r"there is no module 'named_\w+\.none' in"),
        ("OWN.bad:value", "whose module fails to import: RuntimeError: no luck"),
        ("OWN.good:value", "a list, wanted a function"),
    ],
)
def test_what_cannot_be_loaded_is_refused(own: str, name: str, wanted: str) -> None:
    with pytest.raises(ConfigError, match=wanted):
        load_callable("key", name.replace("OWN", own))


def test_the_digest_knows_names_and_sources_and_not_where_they_lie(
    own: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = {"model.build": f"{own}.good:value", "training.loss": f"{own}.good:nothing"}
    before = digest_of(named)
    assert digest_of(dict(reversed(named.items()))) == before
    assert digest_of(named | {"training.loss": f"{own}.good:broken"}) != before
    source = tmp_path / own / "good.py"
    source.write_text(SOURCE + "\n")
    assert digest_of(named) != before
    source.write_text(SOURCE)
    assert digest_of(named) == before
    assert digest_of({}) == ""


def test_the_digest_runs_no_module(own: str) -> None:
    assert len(digest_of({"model.build": f"{own}.bad:value"})) == 64
    assert f"{own}.bad" not in sys.modules


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("OWN.none:value", r"there is no module 'named_\w+\.none' in"),
        ("none_of_it.module:value", "there is no module 'none_of_it' in"),
        (".relative:value", "whose module cannot be found: ImportError"),
        ("OWN_bad.module:value", "whose module cannot be found: RuntimeError: no luck"),
    ],
)
def test_code_that_is_nowhere_has_no_digest(own: str, name: str, wanted: str) -> None:
    with pytest.raises(ConfigError, match=rf"key: got .*{wanted}"):
        digest_of({"key": name.replace("OWN", own)})


def test_the_program_that_runs_has_no_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    main: Any = type(sys)("__main__")  # as a notebook's, without a specification
    monkeypatch.setitem(sys.modules, "__main__", main)
    with pytest.raises(ConfigError, match="key: got '__main__:f', whose module cannot be found"):
        digest_of({"key": "__main__:f"})
