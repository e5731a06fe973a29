"""What a norm is follows from the operation, not from the values that its gain starts with."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import transformers as tf
from torch import nn

from lrtransfer.parametrization.choices import Choices
from lrtransfer.parametrization.parametrize import parametrize
from lrtransfer.parametrization.roles.roles import assign_roles

from .hub import HUB, IDS, decoder, hub
from .specimens import FEATURES, SERIES, Apply

Forward = Callable[[Any, torch.Tensor], Any]


def gains_of(build: Callable[[int], nn.Module], example: Any) -> set[str]:
    roles = assign_roles(build, width=64, base_width=32, example=example)
    return {role.name for role in roles if role.is_norm_gain}


def between(forward: Forward, **members: Callable[[int], Any]) -> Callable[[int], nn.Module]:
    def build(n: int) -> nn.Module:
        parts = {name: make(n) for name, make in members.items()}
        stem, head = nn.Linear(5, n), nn.Linear(n, 3)
        return Apply(lambda m, x: m.head(forward(m, m.stem(x))), stem=stem, head=head, **parts)

    return build


def centred(x: torch.Tensor) -> torch.Tensor:
    return x - x.mean(-1, keepdim=True)


NORMS: dict[str, Forward] = {
    "rms": lambda m, x: m.gain * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)),
    "rms from 0": lambda m, x: (
        x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * (1 + m.gain)
    ),
    "rms by a power": lambda m, x: x * ((x * x).mean(-1, keepdim=True) + 1e-6) ** -0.5 * m.gain,
    "divided": lambda m, x: x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt() * m.gain,
    "in double": lambda m, x: (x.double() / x.double().std(-1, keepdim=True)).float() * m.gain,
    "layer": lambda m, x: centred(x) / (x.var(-1, keepdim=True) + 1e-6).sqrt() * m.gain,
    "layer by hand": lambda m, x: (
        centred(x) / (centred(x).pow(2).mean(-1, keepdim=True) + 1e-6).sqrt() * m.gain
    ),
    "from torch": lambda m, x: F.rms_norm(x, x.shape[-1:], m.gain),
    "from torch, from 0": lambda m, x: F.layer_norm(x, x.shape[-1:], m.gain + 1),
    "gain outside": lambda m, x: F.layer_norm(x, x.shape[-1:]) * m.gain,
    "to length one": lambda m, x: F.normalize(x, dim=-1) * x.shape[-1] ** 0.5 * m.gain,
    "after a sum": lambda m, x: F.rms_norm(torch.stack([x, -2 * x]).sum(0), x.shape[-1:]) * m.gain,
    "by hand after a mean": lambda m, x: NORMS["rms"](m, torch.stack([x, -2 * x]).double().mean(0)),
    "batch": lambda m, x: (x - x.mean(0)) / (x.var(0) + 1e-6).sqrt() * m.gain,
}
OTHERS: dict[str, Forward] = {
    "a layer scale": lambda m, x: x + m.gain * x.relu(),
    "a gate": lambda m, x: x * torch.sigmoid(x.mean(-1, keepdim=True)) * m.gain,
    "a share": lambda m, x: x / x.sum(-1, keepdim=True) * m.gain,
    "a skip": lambda m, x: x.cumsum(0) + x * m.gain,
    "a shift": lambda m, x: F.layer_norm(x, x.shape[-1:]) + m.gain,
    "after a bias": lambda m, x: (F.layer_norm(x, x.shape[-1:]) + 1).tanh() * m.gain,
}


@pytest.mark.parametrize("forward", NORMS.values(), ids=NORMS)
def test_what_multiplies_a_normalised_activation_is_a_norms_gain(forward: Forward) -> None:
    assert gains_of(between(forward, gain=lambda n: (n,)), FEATURES) == {"gain"}


@pytest.mark.parametrize("forward", OTHERS.values(), ids=OTHERS)
def test_what_multiplies_anything_else_is_not(forward: Forward) -> None:
    build = between(forward, gain=lambda n: nn.Parameter(torch.ones(n)))
    assert gains_of(build, FEATURES) == set()
    options: dict[str, Any] = {"width": 64, "base_width": 32, "example": FEATURES}
    recipe = parametrize(build, **options, choices=Choices(norm_gains="fix"))
    assert {tensor.lr for tensor in recipe.tensors if tensor.name == "gain"} == {1.0}


def test_a_matrix_after_a_norm_is_no_gain() -> None:
    def forward(m: Any, x: torch.Tensor) -> Any:
        return (F.layer_norm(x, x.shape[-1:])[..., None] * m.matrix).sum(-2)

    assert gains_of(between(forward, matrix=lambda n: (n, n)), FEATURES) == set()


def test_without_a_forward_the_classes_of_torch_decide() -> None:
    def build(n: int) -> nn.Module:
        return nn.Sequential(
            nn.Linear(5, n), nn.LayerNorm(n), nn.PReLU(n), nn.RMSNorm(n), nn.Linear(n, 3)
        )

    assert gains_of(build, None) == gains_of(build, FEATURES) == {"1.weight", "3.weight"}


def test_heads_have_norms_of_a_fixed_size() -> None:
    def forward(m: Any, x: torch.Tensor) -> Any:
        heads = x.unflatten(-1, (-1, 8))
        return (F.rms_norm(heads, (8,)) * m.gain).flatten(-2)

    assert gains_of(between(forward, gain=lambda n: (8,)), SERIES) == {"gain"}


def latent(n: int) -> dict[str, Any]:
    return decoder(
        n,
        num_hidden_layers=2,
        layer_types=["linear_attention", "full_attention"],
        linear_num_key_heads=n // 16,
        linear_num_value_heads=n // 8,
        linear_key_head_dim=8,
        linear_value_head_dim=8,
        num_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=n,
        shared_expert_intermediate_size=n,
    )


def per_layer(n: int) -> dict[str, Any]:
    return decoder(
        n,
        vocab_size_per_layer_input=96,
        hidden_size_per_layer_input=8,
        global_head_dim=8,
        layer_types=["full_attention"],
    )


FAMILIES: dict[str, Any] = {
    "gemma2": HUB["gemma2"].build,
    "gemma3": hub(tf.Gemma3ForCausalLM, tf.Gemma3TextConfig, decoder),
    "gemma4": hub(tf.Gemma4ForCausalLM, tf.Gemma4TextConfig, per_layer),
    "nemotron": hub(tf.NemotronForCausalLM, tf.NemotronConfig, decoder),
    "qwen3": HUB["qwen3"].build,
    "qwen3_next": hub(tf.Qwen3NextForCausalLM, tf.Qwen3NextConfig, latent),
    "mamba": HUB["mamba"].build,
    "mamba2": HUB["mamba2"].build,
}


QUICK = ("gemma3", "nemotron", "qwen3", "mamba2")


@pytest.mark.parametrize(
    "family", [f if f in QUICK else pytest.param(f, marks=pytest.mark.slow) for f in FAMILIES]
)
def test_all_norms_of_a_family_are_fixed_and_nothing_else_is(family: str) -> None:
    options: dict[str, Any] = {"width": 64, "base_width": 32, "example": IDS}
    recipe = parametrize(FAMILIES[family], **options, choices=Choices(norm_gains="fix"))
    fixed = {tensor.name for tensor in recipe.tensors if tensor.lr == 0}
    names = {t.name for t in recipe.tensors if "norm" in t.name and t.name.endswith("weight")}
    assert fixed == names
    assert names
