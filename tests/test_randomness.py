"""Streams are named, independent and stable."""

from lrtransfer.randomness import seed_of


def test_names_are_told_apart() -> None:
    names: list[tuple[int | str, ...]] = [
        ("init", 0, 1),
        ("init", 0, 2),
        ("init", 1, 0),
        ("init", "0", 1),
        ("init", 0),
        ("data", 0, 1),
    ]
    assert len({seed_of(*name) for name in names}) == len(names)


def test_golden() -> None:
    # If this moves, every study's numbers move: raise plan.SEMANTICS and say so in the changelog.
    assert seed_of("init", 0, 32, "readout.weight") == 3904721271845414186
    assert 0 <= seed_of("anything") < 2**63
