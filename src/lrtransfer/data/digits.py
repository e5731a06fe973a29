"""Scikit-learn's digits: real images without a download."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError
from .configs import DigitsConfig

HELD_OUT = 360  # of 1,797 images
_BRIGHTEST = 16


@dataclass(frozen=True, eq=False)
class LabelledExamples:
    """N examples with their classes.

    Attributes:
        inputs: Examples, shape (N, …).
        targets: Classes, shape (N,).
    """

    inputs: npt.NDArray[np.float32]
    targets: npt.NDArray[np.int64]


def read_digits(config: DigitsConfig) -> tuple[LabelledExamples, LabelledExamples]:
    """Return the images to train on and the held-out images, pixels in [-1, 1].

    Arguments:
        config: Shape of an image: (64,) or (1, 8, 8).

    Raises:
        ConfigError: If scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"data.source: got 'digits', but the package {error.name!r} is missing, wanted it "
            "installed: `pip install scikit-learn`."
        ) from None
    images, classes = load_digits(return_X_y=True)
    scaled = (2 * images / _BRIGHTEST - 1).astype(np.float32)
    inputs = scaled.reshape(-1, 1, 8, 8) if config.shape == "image" else scaled
    order = np.random.default_rng(0).permutation(len(inputs))  # the file is ordered by writer
    held_out, train = order[:HELD_OUT], order[HELD_OUT:]
    return (
        LabelledExamples(inputs[train], classes[train].astype(np.int64)),
        LabelledExamples(inputs[held_out], classes[held_out].astype(np.int64)),
    )
