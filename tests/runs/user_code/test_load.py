"""The user's own code by its name: what is loaded and refused."""

import hashlib
from pathlib import Path

import pytest

from lrtransfer.errors import ConfigError
from lrtransfer.runs.user_code.load import load_batch, load_callable, load_object

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
    assert load_object("key", f"{own}.good:value") == [1, 2]
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
        load_object("key", text)


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
