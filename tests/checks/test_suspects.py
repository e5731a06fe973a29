"""Every mistake is caught, and the first suspect is the one who did it."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lrtransfer.checks.coordinates import Make, recipe_roles
from lrtransfer.checks.mistakes import MISTAKES, mistake_maker

from .models import BASE, check, correct, mlp, texts, vectors

CASES = [(optimizer, name) for optimizer, kinds in MISTAKES.items() for name in kinds]


@pytest.mark.parametrize(("optimizer", "name"), CASES)
def test_the_mistake_is_caught_and_named(optimizer: str, name: str) -> None:
    mistake = MISTAKES[optimizer][name]
    make = mistake_maker(mlp, mistake, optimizer=optimizer, base_width=BASE)
    roles = recipe_roles(mlp, width=64, optimizer=optimizer, base_width=BASE)
    result = check(make, vectors(), roles=roles, seeds=2)
    assert result.verdict == "fail"
    assert mistake.says in result.suspects[0].cause


def test_the_one_wrong_tensor_is_named() -> None:
    mistake = MISTAKES["adamw"]["one hidden lr too large by n"]
    make = mistake_maker(mlp, mistake, optimizer="adamw", base_width=BASE)
    suspect, *_ = check(make, vectors()).suspects
    assert suspect.name == "4.weight"
    # The recipe's n^-1 times the mistake's n^+1.
    assert suspect.cause == "hidden learning rate scales as a constant, wanted n^-1.0"
    assert "effect on the loss scales as n^+1" in suspect.evidence


def _output_scaled(make: Make) -> Make:
    def scaled(width: int, seed: int) -> tuple[nn.Module, torch.optim.Optimizer]:
        model, optimizer = make(width, seed)
        model.register_forward_hook(lambda module, args, output: output * BASE / width)
        return model, optimizer

    return scaled


def test_a_factor_on_the_models_output_is_seen() -> None:
    result = check(_output_scaled(correct()), vectors())
    assert result.suspects[0].cause.startswith("the output is scaled down twice: a factor n^-1.0")


class _Attention(nn.Module):
    """Attend with two heads at every width."""

    def __init__(self, width: int, power: float) -> None:
        super().__init__()
        self.embed, self.readout = nn.Embedding(16, width), nn.Linear(width, 16, bias=False)
        self.query, self.key, self.value = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.scale = (width / BASE) ** -power / 4

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embed(tokens)
        q, k, v = (
            layer(x).unflatten(-1, (2, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        mixed = F.scaled_dot_product_attention(q, k, v, scale=self.scale)
        out: torch.Tensor = self.readout(x + mixed.transpose(1, 2).flatten(2))
        return out


def _growing(width: int) -> nn.Module:
    return _Attention(width, power=1.0)


def _unscaled(width: int) -> nn.Module:
    return _Attention(width, power=0.5)


class _TorchsAttention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.embed, self.readout = nn.Embedding(16, width), nn.Linear(width, 16, bias=False)
        self.attention = nn.MultiheadAttention(width, 2, bias=False, batch_first=True)
        nn.init.normal_(self.readout.weight, std=1 / width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embed(tokens)
        out: torch.Tensor = self.readout(x + self.attention(x, x, x, need_weights=False)[0])
        return out


@pytest.mark.parametrize(("build", "verdict"), [(_growing, "pass"), (_unscaled, "fail")])
def test_heads_that_grow_need_another_scale(
    build: Callable[[int], nn.Module], verdict: str
) -> None:
    result = check(correct(build), texts())
    assert result.verdict == verdict
    if verdict == "fail":
        assert "attention scale" in result.suspects[0].cause
        assert "head width grows ([16, 32, 64])" in result.suspects[0].cause


def test_torchs_own_attention_is_seen_too() -> None:
    def make(width: int, seed: int) -> tuple[nn.Module, torch.optim.Optimizer]:
        model = _TorchsAttention(width)
        matrices = [p for name, p in model.named_parameters() if name != "embed.weight"]
        groups = [
            {"params": [model.embed.weight], "lr": 0.004},
            {"params": matrices, "lr": 0.004 * BASE / width},
        ]
        return model, torch.optim.AdamW(groups, weight_decay=0.0)

    suspects = check(make, texts()).suspects
    assert "attention scale" in suspects[0].cause
