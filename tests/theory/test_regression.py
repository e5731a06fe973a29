"""What data and problems are refused, and why."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from lrtransfer.errors import UserError
from lrtransfer.theory.exact.deep_linear import Problem
from lrtransfer.theory.regression import (
    Regression,
    draw_regression,
    load_regression,
    shuffle_batches,
)


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        (np.ones((3, 2)), np.ones(2), r"X of shape \(3, 2\) and y of shape \(2,\)"),
        (np.ones((0, 2)), np.ones(0), "N >= 1"),
        (np.full((2, 2), np.nan), np.ones(2), "NaN or infinity in X"),
        (np.ones((2, 2)), np.array(["a", "b"]), "y of type"),
    ],
)
def test_bad_arrays(inputs: npt.ArrayLike, targets: npt.ArrayLike, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Regression(inputs, targets)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"depth": 0}, "depth: got 0"),
        ({"depth": 1, "scheme": "xp"}, "scheme: got 'xp'"),
        ({"depth": 1, "scheme": {"hiden": {}}}, "scheme: got hiden"),
        ({"depth": 1, "trained": ("readout",)}, "trained: got readout"),
        ({"depth": 1, "momentum": 1.0}, "momentum: got 1.0"),
        ({"depth": 1, "weight_decay": -1.0}, "weight_decay: got -1.0"),
        ({"depth": 1, "batches": [[7]]}, "batches: got an index 7"),
    ],
)
def test_bad_problems(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Problem(Regression([[1.0], [2.0]], [1.0, 2.0]), **settings)  # type: ignore[arg-type]


def test_files(tmp_path: Path) -> None:
    good, lacking, pickled = (tmp_path / f"{name}.npz" for name in ("good", "lacking", "pickled"))
    np.savez(good, X=np.eye(2), y=np.ones(2))
    np.savez(lacking, X=np.eye(2))
    np.savez(pickled, X=np.eye(2), y=np.array([{}, None], dtype=object))
    assert load_regression(good).count == 2
    with pytest.raises(UserError, match="y missing"):
        load_regression(lacking)
    with pytest.raises(UserError, match="pickled objects are not read"):
        load_regression(pickled)
    with pytest.raises(UserError, match=r"wanted an \.npz file"):
        load_regression(tmp_path / "absent.npz")


def test_targets_without_pull() -> None:
    assert not Regression([[1.0], [-1.0]], [1.0, 1.0]).has_pull
    assert draw_regression(count=5, dimension=2, noise=0.1, seed=0).has_pull


def test_batches_cover_every_epoch() -> None:
    data = draw_regression(count=6, dimension=2, noise=0, seed=0)
    batches = shuffle_batches(data, size=2, steps=4, seed=0)
    assert sorted(np.concatenate(batches[:3]).tolist()) == list(range(6))
    with pytest.raises(UserError, match="batch_size: got 7"):
        shuffle_batches(data, size=7, steps=1, seed=0)
