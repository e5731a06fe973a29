"""Choices that need the traced forward: queries, residual branches, growing heads, fused parts."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lrtransfer.errors import ParametrizationError
from lrtransfer.models.configs import TransformerConfig
from lrtransfer.models.transformer import Transformer
from lrtransfer.parametrization.choices import Choices
from lrtransfer.parametrization.parametrize import find_branches, parametrize
from lrtransfer.parametrization.recipe.recipe import Recipe
from lrtransfer.parametrization.roles.roles import assign_roles

TOKENS = torch.arange(8).reshape(1, 8)
CONFIG = TransformerConfig(vocabulary=20, context=8, depth=3)


def build(n: int) -> nn.Module:
    return Transformer(n, CONFIG)


def recipe_of(**options: Any) -> Recipe:
    settings: dict[str, Any] = {"width": 64, "base_width": 32, "example": TOKENS}
    return parametrize(build, **settings | options)


def test_queries_start_from_zero() -> None:
    recipe = recipe_of(choices=Choices(query_init="zero"))
    zero = {t.name for t in recipe.tensors if t.initial.std == 0}
    assert zero == {f"blocks.{i}.query.weight" for i in range(3)}


def test_branches_are_the_blocks() -> None:
    roles = assign_roles(build, width=64, base_width=32, example=TOKENS)
    assert {r.name for r in roles} - find_branches(roles) == {"embed.weight", "readout.weight"}


def test_completep_multiplies_the_ends_of_branches() -> None:
    # Three blocks tuned at one: branches × 1/3, Adam's ε × 1/3 and 1/m, rates by width alone.
    choices = Choices(depth=3, base_depth=1)
    recipe = recipe_of(scheme="completep", choices=choices)
    assert {(m.module, m.side) for m in recipe.multipliers} == {
        (f"blocks.{i}.{end}", "output") for i in range(3) for end in ("project", "contract")
    }
    assert {m.factor for m in recipe.multipliers} == {1 / 3}
    hidden = next(t for t in recipe.tensors if t.name == "blocks.1.expand.weight")
    assert (hidden.lr, hidden.eps) == pytest.approx((1 / 2, 1 / 6))


def test_depth_multipliers_act_in_the_forward() -> None:
    recipe = recipe_of(scheme="completep", choices=Choices(depth=3, base_depth=1))
    plain = recipe_of(scheme="mup").initialize(build(64), seed=0)
    scaled = recipe.initialize(build(64), seed=0)
    # By hand: ends of branches a third as large are branches a third as large.
    with torch.no_grad():
        for name, parameter in plain.named_parameters():
            if name.endswith(("project.weight", "contract.weight")):
                parameter.div_(3)
    assert scaled(TOKENS).allclose(plain(TOKENS), atol=1e-6)


class _Heads(nn.Module):
    """Two heads at every width, so that they grow, scaled by 1/sqrt(d)."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, n)
        self.query, self.key, self.value = (nn.Linear(n, n) for _ in range(3))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embed(tokens)
        q, k, v = (
            layer(x).unflatten(-1, (2, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        return F.scaled_dot_product_attention(q, k, v)


def test_growing_heads_are_refused_or_accepted() -> None:
    options: dict[str, Any] = {"width": 64, "base_width": 32, "example": TOKENS}
    with pytest.raises(ParametrizationError, match="head width"):
        parametrize(_Heads, **options)
    assert parametrize(_Heads, **options, choices=Choices(attention="accept")).tensors


class _Fused(nn.Module):
    """A projection of which one part grows and one does not, as in Mamba."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.sizes = [n // 4, 6]
        self.embed = nn.Linear(5, n, bias=False)
        self.both = nn.Linear(n, sum(self.sizes), bias=False)
        self.step = nn.Linear(n // 4, n, bias=False)
        self.state = nn.Linear(6, n, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        step, state = self.both(self.embed(x)).split(self.sizes, dim=-1)
        out: torch.Tensor = self.step(step) * self.state(state)
        return out


def test_parts_of_a_fused_tensor_start_at_their_own_scale() -> None:
    options: dict[str, Any] = {"width": 1024, "base_width": 64, "example": torch.ones(2, 5)}
    recipe = parametrize(_Fused, **options)
    weight = recipe.initialize(_Fused(1024), seed=0).get_parameter("both.weight").detach()
    # torch: uniform of bound 1/8, std 1/8/√3 at width 64; ratio 16: hidden / 4, output / 16.
    base = 1 / 8 / 3**0.5
    assert float(weight[:256].std()) == pytest.approx(base / 4, rel=0.02)
    assert float(weight[256:].std()) == pytest.approx(base / 16, rel=0.05)


def test_parts_that_want_different_rates_are_refused_until_declared() -> None:
    options: dict[str, Any] = {
        "width": 128, "base_width": 64, "example": torch.ones(2, 5), "optimizer": "sgd",
    }  # fmt: skip
    with pytest.raises(ParametrizationError, match=r"'both.weight', a fused tensor whose parts"):
        parametrize(_Fused, **options)
    roles = {"both.*": "hidden"}
    assert parametrize(_Fused, **options, roles=roles).tensors
