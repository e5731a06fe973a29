"""Problems that the tests of the theory share, one per extension of the setting."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lrtransfer.theory.exact.deep_linear import Problem
from lrtransfer.theory.regression import Regression, draw_regression

ALL = ("input", "hidden", "output")
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "momentum": {"momentum": 0.5},
    "weight decay": {"weight_decay": 0.3},
    "all layers": {"trained": ALL},
    "minibatches": {"batches": [np.arange(i % 4, 20, 4) for i in range(20)]},
    "two outputs": {"outputs": 2},
    "everything": {
        "outputs": 2,
        "trained": ALL,
        "momentum": 0.3,
        "weight_decay": 0.2,
        "batches": [np.arange(i % 4, 20, 4) for i in range(20)],
    },
}


def problem(*, depth: int, outputs: int = 1, **settings: Any) -> Problem:
    """Return a problem on anisotropic, noisy data with N = 20, d = 3."""
    rng = np.random.default_rng(0)
    x = draw_regression(count=20, dimension=3, noise=0, seed=1).inputs * np.array([1.5, 1, 0.5])
    y = x @ rng.standard_normal((3, outputs)) + 0.1 * rng.standard_normal((20, outputs))
    return Problem(Regression(x, y), depth=depth, **settings)
