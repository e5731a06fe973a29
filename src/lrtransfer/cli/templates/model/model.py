"""A model and its data: a stub. Three commands call both functions.

lrtransfer recipe model:build --batch model:batches --width 256 --base-width 64
lrtransfer check model:build --batch model:batches
lrtransfer tune study.toml --allow-code
"""

from collections.abc import Iterator

import torch
from torch import nn

INPUTS, CLASSES = 32, 10


def build(width: int, depth: int = 2) -> nn.Module:
    """Return your model at a width, initialised as you are used to at the base width."""
    layers: list[nn.Module] = [nn.Linear(INPUTS, width), nn.ReLU()]
    for _ in range(depth):
        layers += [nn.Linear(width, width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, CLASSES))


def batches(split: str, *, seed: int, batch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield your data as inputs and targets: the same for the same split and seed.

    A mapping of the model's keyword arguments may be yielded instead; the model then returns its
    loss. Of the held-out batches as many are taken as `data.held_out_batches` says.
    """
    teacher = torch.randn(INPUTS, CLASSES, generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(seed + (10**6 if split == "held_out" else 0))
    while True:
        inputs = torch.randn(batch, INPUTS, generator=generator)
        noise = 4 * torch.randn(batch, CLASSES, generator=generator)
        yield inputs, (inputs @ teacher + noise).argmax(dim=1)
