"""Small models on which the coordinate check is quick, and their batches."""

from typing import Any

import torch
from torch import nn

from lrtransfer.checks.coordinates import CheckResult, Make, check_coordinates, recipe_maker
from lrtransfer.models.configs import TransformerConfig
from lrtransfer.models.transformer import Transformer
from lrtransfer.training.objective import Batch

WIDTHS = (32, 64, 128)
BASE = WIDTHS[0]


def mlp(width: int) -> nn.Module:
    """Make an MLP with every role in it."""
    return nn.Sequential(
        nn.Linear(8, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, 6, bias=False),
    )


def transformer(width: int, **options: Any) -> Transformer:
    """Make a transformer of one block; its heads have a fixed width unless told otherwise."""
    config = TransformerConfig(vocabulary=16, context=8, depth=1, **{"head_width": 8} | options)
    return Transformer(width, config)


def vectors() -> Batch:
    """Return a batch for the MLP."""
    return pair()


def pair() -> tuple[torch.Tensor, torch.Tensor]:
    """Return inputs and classes for the MLP."""
    g = torch.Generator().manual_seed(1)
    return torch.randn(16, 8, generator=g), torch.randint(0, 6, (16,), generator=g)


def texts() -> Batch:
    """Return tokens and their successors."""
    tokens = torch.randint(0, 16, (4, 9), generator=torch.Generator().manual_seed(1))
    return tokens[:, :-1], tokens[:, 1:]


def check(make: Make, batch: Any, **options: Any) -> CheckResult:
    """Check at small widths, without a control unless one is given."""
    return check_coordinates(
        make, batch, **{"control": None, "widths": WIDTHS, "steps": 2} | options
    )


def correct(build: Any = mlp, **options: Any) -> Make:
    """Make models in muP from `build`."""
    return recipe_maker(build, **{"base_width": BASE} | options)
