"""What `verify` finds in an optimizer that does not train as the recipe says."""

from typing import Any

import pytest
import torch
from torch import nn

from lrtransfer.errors import ParametrizationError
from lrtransfer.models.configs import MLPConfig
from lrtransfer.models.mlp import MLP
from lrtransfer.parametrization.parametrize import parametrize
from lrtransfer.parametrization.recipe.recipe import Recipe
from lrtransfer.parametrization.roles.roles import Layout

OPTIMIZERS = ("sgd", "adamw")
SCHEMES = ("sp", "mup")

BASE, WIDTH = 16, 64


def build(n: int) -> nn.Module:
    return MLP(n, MLPConfig(inputs=5, outputs=3))


def make(**options: Any) -> Recipe:
    return parametrize(build, **{"width": WIDTH, "base_width": BASE} | options)


def optimizer_of(recipe: Recipe, model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW(recipe.param_groups(model, lr=1e-2, weight_decay=0, eps=1e-8))


def test_verify_finds_a_plain_optimizer() -> None:
    recipe, model = make(), build(WIDTH)
    with pytest.raises(ParametrizationError, match=r"wanted the ratio 0.25.*param_groups"):
        recipe.verify(model, torch.optim.AdamW(model.parameters(), lr=1e-2))


def test_verify_finds_overwritten_groups() -> None:
    recipe, model = make(), build(WIDTH)
    optimizer = optimizer_of(recipe, model)
    for group in optimizer.param_groups:
        group["lr"] = 1e-3
    with pytest.raises(ParametrizationError, match=r"schedulers that multiply"):
        recipe.verify(model, optimizer)


@pytest.mark.parametrize(
    ("family", "other"),
    [("adamw", torch.optim.Adam), ("adamw", torch.optim.SGD), ("sgd", torch.optim.AdamW)],
)
def test_verify_finds_an_optimizer_of_another_class(family: str, other: Any) -> None:
    recipe, model = make(optimizer=family), build(WIDTH)
    optimizer = other(recipe.param_groups(model, lr=1e-2, weight_decay=0, eps=1e-8))
    with pytest.raises(ParametrizationError, match=f"got an optimizer of class {other.__name__}, "):
        recipe.verify(model, optimizer)


def test_verify_accepts_subclasses_sgd_and_a_rate_of_zero() -> None:
    class Own(torch.optim.AdamW):
        pass

    recipe, model = make(), build(WIDTH)
    recipe.verify(model, Own(recipe.param_groups(model, lr=0, weight_decay=0.1, eps=1e-8)))
    recipe = make(optimizer="sgd")
    recipe.verify(model, torch.optim.SGD(recipe.param_groups(model, lr=1, weight_decay=0.1)))


@pytest.mark.parametrize("key", ["weight_decay", "eps"])
def test_verify_finds_other_settings_overwritten(key: str) -> None:
    recipe, model = make(), build(WIDTH)
    groups = recipe.param_groups(model, lr=1e-2, weight_decay=0.1, eps=1e-8)
    optimizer = torch.optim.AdamW([group | {key: 0.01} for group in groups])
    message = rf"got {key}=0.01 for '.*' beside 0.01 for 'embed.weight', wanted the ratio 4"
    with pytest.raises(ParametrizationError, match=message):
        recipe.verify(model, optimizer)


def test_verify_finds_a_decayed_bias() -> None:
    def layers(n: int) -> nn.Module:
        return nn.Linear(3, n)

    model, recipe = layers(64), parametrize(layers, width=64, base_width=16, scheme="sp")
    message = r"got weight_decay=0.1 for 'bias' .* wanted the ratio 0\."
    with pytest.raises(ParametrizationError, match=message):
        recipe.verify(model, torch.optim.AdamW(model.parameters(), weight_decay=0.1))
    recipe.verify(model, torch.optim.AdamW(model.parameters(), weight_decay=0))


def test_verify_finds_decay_where_the_recipe_has_none() -> None:
    layouts = {"0": Layout(contracted=(), produced=(0,))}

    def gains(n: int) -> nn.Module:
        return nn.ParameterList([nn.Parameter(torch.ones(n))])

    model = gains(64)
    recipe = parametrize(gains, width=64, base_width=16, layouts=layouts)
    with pytest.raises(ParametrizationError, match=r"weight_decay=0.1 for '0'.*the ratio 0\."):
        recipe.verify(model, torch.optim.AdamW(model.parameters(), weight_decay=0.1))


def test_verify_finds_a_missing_parameter() -> None:
    recipe, model = make(), build(WIDTH)
    groups = recipe.param_groups(model, lr=1e-2, weight_decay=0, eps=1e-8)
    with pytest.raises(ParametrizationError, match=r"without 'readout.weight' \(1 of 4"):
        recipe.verify(model, torch.optim.AdamW(groups[:-1]))
