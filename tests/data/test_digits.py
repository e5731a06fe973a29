"""Scikit-learn's digits: split, scale and shape, and the package that may be missing."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits

from lrtransfer.data.configs import DigitsConfig
from lrtransfer.data.digits import read_digits


def test_images_are_split_once_and_for_all() -> None:
    train, held_out = read_digits(DigitsConfig())
    assert (train.inputs.shape, held_out.inputs.shape) == ((1437, 64), (360, 64))
    assert (str(train.inputs.dtype), str(train.targets.dtype)) == ("float32", "int64")
    again, _ = read_digits(DigitsConfig())
    assert np.array_equal(train.inputs, again.inputs)
    # Together they are scikit-learn's images, every one once and with its class.
    images, classes = load_digits(return_X_y=True)
    pixels = (np.concatenate([train.inputs, held_out.inputs]) + 1) * 8
    pairs = np.column_stack([pixels, np.concatenate([train.targets, held_out.targets])])
    expected = np.column_stack([images, classes])
    assert sorted(map(tuple, pairs)) == sorted(map(tuple, expected))


def test_pixels_lie_between_minus_one_and_one_and_classes_are_mixed() -> None:
    for part in read_digits(DigitsConfig()):
        assert (part.inputs.min(), part.inputs.max()) == (-1, 1)
        assert (np.bincount(part.targets) > 0.07 * len(part.targets)).all()


@pytest.mark.parametrize("which", [0, 1])
def test_an_image_is_its_pixels_row_by_row(which: int) -> None:
    flat, image = (read_digits(DigitsConfig(shape=shape))[which] for shape in ("flat", "image"))
    assert image.inputs.shape == (len(flat.inputs), 1, 8, 8)
    assert np.array_equal(image.inputs[:, 0, 3, 5], flat.inputs[:, 3 * 8 + 5])
    assert np.array_equal(image.targets, flat.targets)


WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "sklearn":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from lrtransfer.data.configs import DigitsConfig
from lrtransfer.data.digits import read_digits
from lrtransfer.errors import ConfigError
try:
    read_digits(DigitsConfig())
except ConfigError as error:
    print(error)
"""


def test_without_scikit_learn_the_way_to_install_it_is_told() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True
    )
    assert done.stdout == (
        "data.source: got 'digits', but the package 'sklearn' is missing, wanted it installed: "
        "`pip install scikit-learn`.\n"
    )
