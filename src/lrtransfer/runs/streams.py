"""The random streams that a user's code may draw from, and what else it may set for a process."""

import random

import numpy as np
import torch

from ..randomness import seed_of


def begin_streams(*name: int | str) -> None:
    """Start all random streams anew, and undo what a run before may have set for the process."""
    seed = seed_of(*name)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # ruff: ignore[numpy-legacy-random] (that of the user's own code)
    torch.manual_seed(seed)
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    torch.set_grad_enabled(True)
