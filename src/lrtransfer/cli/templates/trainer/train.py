"""Train one model at one width and learning rate, and write its held-out loss: a stub.

Put your model into `build` and your data into `batches`; `lrtransfer tune study.toml --allow-code`
calls this file once per run. The recipe gives every parameter its initial values and its learning
rate.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

import lrtransfer as lt

BASE_WIDTH = 64  # the narrowest width of the study
STEPS, BATCH, INPUTS, CLASSES = 200, 64, 32, 10


def build(width: int) -> nn.Module:
    """Return your model at a width."""
    return nn.Sequential(
        nn.Linear(INPUTS, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, CLASSES),
    )


def batches(seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield your data: the same for the same seed, whatever the width and learning rate."""
    teacher = torch.randn(INPUTS, CLASSES, generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(seed)
    while True:
        inputs = torch.randn(BATCH, INPUTS, generator=generator)
        noise = 4 * torch.randn(BATCH, CLASSES, generator=generator)
        yield inputs, (inputs @ teacher + noise).argmax(dim=1)


def train(*, width: int, lr: float, seed: int, scheme: str) -> float:
    """Train one model and return its held-out loss."""
    inputs, _ = next(batches(seed))
    recipe = lt.parametrize(
        build, width=width, base_width=BASE_WIDTH, scheme=scheme, optimizer="adam", example=inputs
    )
    model = recipe.initialize(build(width), seed=seed)
    optimizer = torch.optim.Adam(recipe.param_groups(model, lr=lr, weight_decay=0.0, eps=1e-8))
    recipe.verify(model, optimizer)
    for _, (inputs, labels) in zip(range(STEPS), batches(seed), strict=False):
        optimizer.zero_grad()
        F.cross_entropy(model(inputs), labels).backward()
        optimizer.step()
    model.eval()
    held_out = zip(range(20), batches(seed=-1), strict=False)
    with torch.no_grad():
        losses = [F.cross_entropy(model(inputs), labels).item() for _, (inputs, labels) in held_out]
    return sum(losses) / len(losses)


def main() -> None:
    """Train as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, required=True)
    parser.add_argument("--lr", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--scheme", default="mup")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    loss = train(width=options.width, lr=options.lr, seed=options.seed, scheme=options.scheme)
    (options.out / "result.json").write_text(json.dumps({"loss": loss}))


if __name__ == "__main__":
    main()
