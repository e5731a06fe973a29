"""Tune the learning rate of your own model at width 32 and use it at width 256.

An MLP learns a fixed random teacher. Under μP the learning rate that is best at width 32 is still
good at width 256; under SP it is not.
"""

import torch
import torch.nn.functional as F
from torch import nn

import lrtransfer as lt

BASE_WIDTH, WIDTH, STEPS = 32, 256, 200


def build(width: int) -> nn.Module:
    """Return the model at a width: any module made of torch's standard layers."""
    return nn.Sequential(
        nn.Linear(16, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1)
    )


def final_loss(width: int, scheme: str, lr: float) -> float:
    """Train with one width, scheme and learning rate; return the loss on new inputs."""
    recipe = lt.parametrize(build, width=width, base_width=BASE_WIDTH, scheme=scheme)
    model = recipe.initialize(build(width), seed=0)
    groups = recipe.param_groups(model, lr=lr, weight_decay=0.0, eps=1e-8)
    optimizer = torch.optim.AdamW(groups)
    recipe.verify(model, optimizer)  # an error if the optimizer does not follow the recipe

    generator = torch.Generator().manual_seed(0)
    teacher = torch.randn(16, 8, generator=generator) / 4

    def loss() -> torch.Tensor:
        x = torch.randn(256, 16, generator=generator)
        return F.mse_loss(model(x), torch.relu(x @ teacher).sum(dim=1, keepdim=True))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / STEPS)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
        schedule.step()  # multiplies the learning rate of every group: the ratios stay
    with torch.no_grad():
        return sum(loss().item() for _ in range(8)) / 8


def regret(scheme: str) -> float:
    """Return the regret at WIDTH of the best learning rate at BASE_WIDTH, as a share."""
    rates = [2.0**k for k in range(-10, -2)]
    best = min(rates, key=lambda lr: final_loss(BASE_WIDTH, scheme, lr))
    wide = {lr: final_loss(WIDTH, scheme, lr) for lr in rates}
    return wide[best] / min(wide.values()) - 1


if __name__ == "__main__":
    torch.set_num_threads(1)
    regrets = {scheme: regret(scheme) for scheme in ("mup", "sp")}
    print(regrets)
    assert regrets["mup"] < 0.5 < regrets["sp"]
