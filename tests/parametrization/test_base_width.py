"""At the base width every relative scheme is the plain model and optimizer, bit for bit."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lrtransfer.models.configs import MLPConfig, TransformerConfig
from lrtransfer.models.mlp import MLP
from lrtransfer.models.transformer import Transformer
from lrtransfer.parametrization.choices import Choices
from lrtransfer.parametrization.optimizers import KINDS
from lrtransfer.parametrization.recipe.recipe import Recipe
from lrtransfer.parametrization.rules import GAUGES, RELATIVE_SCHEMES

from .measured import parametrize_measured_once
from .reference_optimizers import Lamb, Lion, Muon

BASE, STEPS = 16, 10
Make = Callable[..., torch.optim.Optimizer]
BUILDS: dict[str, Callable[[int], nn.Module]] = {
    "mlp": partial(MLP, config=MLPConfig(inputs=5, outputs=3)),
    "transformer": partial(
        Transformer, config=TransformerConfig(vocabulary=11, context=8, depth=1, head_width=8)
    ),
}
OPTIMIZERS: dict[str, Make] = {
    "sgd": partial(torch.optim.SGD, momentum=0.9),
    "adamw": torch.optim.AdamW,
    "lion": Lion,
    "lamb": partial(Lamb, eps=1e-8),
    "muon_keller": partial(Muon, variant="keller"),
}
SETTINGS: dict[str, Any] = {"lr": 2.0**-6, "weight_decay": 0.1}
SCHEMES = (*RELATIVE_SCHEMES, *(name for name in GAUGES if name != "table3"))


def recipe_of(scheme: str, model: str, kind: str) -> Recipe:
    return parametrize_measured_once(
        BUILDS[model],
        width=BASE,
        base_width=BASE,
        scheme="mup" if scheme in GAUGES else scheme,
        optimizer=kind,
        choices=Choices(gauge=scheme if scheme in GAUGES else "table3"),
    )


def train(model: nn.Module, name: str, *optimizers: torch.optim.Optimizer) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(32, 5, generator=generator)
    y = torch.randint(3, (32,), generator=generator)
    if name == "transformer":
        x = torch.randint(11, (4, 8), generator=generator)
        y = torch.randint(11, (4, 8), generator=generator)
    outputs = []
    for _ in range(STEPS):
        model.zero_grad()
        logits = model(x)
        F.cross_entropy(logits.flatten(0, -2), y.flatten()).backward()
        for optimizer in optimizers:
            optimizer.step()
        outputs.append(logits.detach())
    return torch.stack(outputs)


@cache
def plain(model: str, kind: str) -> torch.Tensor:
    """Train the model without any recipe but the initial values of SP."""
    network = recipe_of("sp", model, kind).initialize(BUILDS[model](BASE), seed=0)
    if not KINDS[kind].matrices_only:
        return train(network, model, OPTIMIZERS[kind](network.parameters(), **SETTINGS))
    body = [p for name, p in network.named_parameters() if name.startswith(("hidden", "blocks"))]
    rest = [p for p in network.parameters() if all(p is not other for other in body)]
    return train(
        network, model, torch.optim.AdamW(rest, **SETTINGS), OPTIMIZERS[kind](body, **SETTINGS)
    )


@pytest.mark.parametrize("model", BUILDS)
@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_relative_schemes_change_nothing_at_the_base_width(
    scheme: str, kind: str, model: str
) -> None:
    recipe = recipe_of(scheme, model, kind)
    network = recipe.initialize(BUILDS[model](BASE), seed=0)
    assert recipe.multipliers == ()
    optimizers = [
        (OPTIMIZERS[kind] if name == kind else torch.optim.AdamW)(
            recipe.param_groups(network, optimizer=name, eps=1e-8, **SETTINGS)
        )
        for name in recipe.optimizers
    ]
    assert torch.equal(train(network, model, *optimizers), plain(model, kind))
