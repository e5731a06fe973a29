"""Compare the time of a training step with and without a recipe, interleaved in one process.

    python benchmarks/overhead.py [--width N] [--steps N] [--repeats N]

The plain model has torch's default initial values and one parameter group. `table3` is the
default gauge (no hooks, one group per distinct rule), `table8` has one multiplier on the readout.
Prints medians over the repeats, ratios to the plain step, and the numbers of hooks and groups.
"""

import argparse
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn

import lrtransfer as lt
from lrtransfer.models.configs import TransformerConfig
from lrtransfer.models.transformer import Transformer

BASE_WIDTH, BATCH, CONTEXT = 64, 8, 64
CONFIG = TransformerConfig(context=CONTEXT)


def build(width: int) -> nn.Module:
    """Return the built-in transformer."""
    return Transformer(width, CONFIG)


def build_variants(width: int) -> dict[str, tuple[nn.Module, torch.optim.Optimizer]]:
    """Return the models and optimizers to compare."""
    plain = build(width)
    variants: dict[str, tuple[nn.Module, torch.optim.Optimizer]] = {
        "plain": (plain, torch.optim.AdamW(plain.parameters(), lr=1e-3))
    }
    for gauge in ("table3", "table8"):
        recipe = lt.parametrize(
            build, width=width, base_width=BASE_WIDTH, choices=lt.Choices(gauge=gauge)
        )
        model = recipe.initialize(build(width), seed=0)
        groups = recipe.param_groups(model, lr=1e-3, weight_decay=0.01, eps=1e-8)
        variants[gauge] = model, torch.optim.AdamW(groups)
    return variants


def step_seconds(model: nn.Module, optimizer: torch.optim.Optimizer, *, steps: int) -> float:
    """Return the mean time of a training step."""
    tokens = torch.randint(0, 256, (BATCH, CONTEXT), generator=torch.Generator().manual_seed(0))
    started = time.perf_counter()
    for _ in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten())
        loss.backward()
        optimizer.step()
    return (time.perf_counter() - started) / steps


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    variants = build_variants(options.width)
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(options.repeats):
        for name, (model, optimizer) in variants.items():
            seconds[name].append(step_seconds(model, optimizer, steps=options.steps))
    reference = statistics.median(seconds["plain"])
    for name, (model, optimizer) in variants.items():
        median = statistics.median(seconds[name])
        hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())
        print(
            f"{name:8} {1000 * median:7.2f} ms/step  {median / reference:5.3f} x  "
            f"{hooks} hooks, {len(optimizer.param_groups)} groups"
        )


if __name__ == "__main__":
    main()
