"""The public surface is written by hand and complete."""

import pytest

import lrtransfer


@pytest.mark.parametrize("name", lrtransfer.__all__)
def test_public_names_resolve(name: str) -> None:
    assert getattr(lrtransfer, name).__name__ == name


def test_other_names_do_not() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'nothing'"):
        lrtransfer.nothing  # ruff: ignore[useless-expression]
