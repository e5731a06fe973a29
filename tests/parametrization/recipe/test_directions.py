"""Gains of normalised weights: the weight that they make is the one that its rule asks for."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from lrtransfer.parametrization.choices import Choices
from lrtransfer.parametrization.parametrize import parametrize
from lrtransfer.parametrization.recipe.recipe import Recipe

BASE, WIDTH = 16, 256
FEATURES, SERIES = torch.randn(8, 5), torch.randn(2, 5, 9)
Wrap = Callable[[nn.Module], nn.Module]


def layers(wrap: Wrap) -> Callable[[int], nn.Module]:
    """Return a builder of an MLP whose matrices are wrapped."""

    def build(n: int) -> nn.Module:
        first, hidden, last = nn.Linear(5, n), nn.Linear(n, n), nn.Linear(n, 4)
        return nn.Sequential(wrap(first), nn.ReLU(), wrap(hidden), nn.ReLU(), wrap(last))

    return build


def kernels(wrap: Wrap) -> Callable[[int], nn.Module]:
    """Return a builder of a positional convolution in groups, as wav2vec2 has one."""

    def build(n: int) -> nn.Module:
        conv = nn.Conv1d(n, n, 3, padding=1, groups=4)
        nn.init.normal_(conv.weight, std=(n / 4 * 3) ** -0.5)
        return nn.Sequential(nn.Conv1d(5, n, 1), wrap(conv), nn.Conv1d(n, 2, 1))

    return build


class ByHand(nn.Module):
    """A matrix whose direction and gain are written by hand."""

    def __init__(self, linear: nn.Linear, scale: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.matrix, self.bias, self.scale = linear.weight, linear.bias, scale
        self.gain = nn.Parameter(linear.weight.new_empty(len(linear.weight), 1))

    @property
    def weight(self) -> torch.Tensor:
        return self.gain * (self.matrix * self.scale(self.matrix))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(x, self.weight, self.bias)


def by_hand(scale: Callable[[torch.Tensor], torch.Tensor]) -> Wrap:
    def wrap(linear: Any) -> nn.Module:
        module = ByHand(linear, scale)
        # It starts as the plain layer does: gain over direction is the size of the weights.
        unit = linear.weight * scale(linear.weight)
        module.gain.data[:] = linear.weight.std() / unit.std()
        return module

    return wrap


WRAPS: dict[str, Wrap] = {
    "per output": parametrizations.weight_norm,
    "whole": lambda m: parametrizations.weight_norm(m, dim=None),  # type: ignore[arg-type]
    "per input": lambda m: parametrizations.weight_norm(m, dim=1),
    "by hand": by_hand(lambda w: 1 / w.norm(dim=1, keepdim=True)),
    "by squares": by_hand(lambda w: w.pow(2).sum(1, keepdim=True).rsqrt()),
    "standardised": by_hand(lambda w: 1 / w.std(dim=1, keepdim=True)),
    "standardised by fan": by_hand(lambda w: (w.var(1, keepdim=True) * w.shape[1]).rsqrt()),
}


def recipe_of(build: Callable[[int], nn.Module], x: torch.Tensor, **options: Any) -> Recipe:
    return parametrize(build, width=WIDTH, base_width=BASE, example=x, **options)


def stds(build: Callable[[int], nn.Module], recipe: Recipe) -> list[float]:
    """Return the standard deviation of the weight that every layer uses after initialisation."""
    model: Any = recipe.initialize(build(WIDTH), seed=0)
    return [m.weight.std().item() for m in model.children() if hasattr(m, "weight")]


@pytest.mark.parametrize(
    "scheme", ["mup", *(pytest.param(s, marks=pytest.mark.slow) for s in ("sp", "spectral"))]
)
@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
def test_layers_start_as_large_as_plain_ones_would(wrap: Wrap, scheme: str) -> None:
    plain, wrapped = layers(lambda module: module), layers(wrap)
    expected = stds(plain, recipe_of(plain, FEATURES, scheme=scheme))
    actual = stds(wrapped, recipe_of(wrapped, FEATURES, scheme=scheme))
    assert actual == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize("wrap", [WRAPS["per output"], WRAPS["by hand"]])
def test_values_that_are_kept_are_rescaled_to_the_same(wrap: Wrap) -> None:
    recipe = recipe_of(layers(wrap), FEATURES)
    drawn = stds(layers(wrap), recipe)
    model: Any = recipe.initialize(layers(wrap)(WIDTH), keep=True)
    kept = [m.weight.std().item() for m in model.children() if hasattr(m, "weight")]
    assert kept == pytest.approx(drawn, rel=0.15)


@pytest.mark.parametrize("wrap", [WRAPS["per output"], WRAPS["by hand"]])
def test_a_readout_that_starts_from_zero_has_a_gain_of_zero(wrap: Wrap) -> None:
    recipe = recipe_of(layers(wrap), FEATURES, choices=Choices(readout_init="zero"))
    model: Any = recipe.initialize(layers(wrap)(WIDTH), seed=0)
    assert torch.equal(model(FEATURES), model[4].bias.expand(8, -1))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "optimizer"), [*((kind, "adamw") for kind in WRAPS), ("per output", "sgd")]
)
def test_one_step_moves_the_outputs_as_much_at_every_width(kind: str, optimizer: str) -> None:
    """The gains alone train; the coordinate check's exponent of the change is 0.

    Under SGD the gradient of one gain for all outputs is a sum of random signs at the first step.
    """
    wrap = WRAPS[kind]
    changes = {}
    for width in (64, 256):
        recipe = parametrize(
            layers(wrap), width=width, base_width=BASE, example=FEATURES, optimizer=optimizer
        )
        gains = [t.name for t in recipe.tensors if t.name in _gains(recipe)]
        moved = []
        for seed in range(8):
            model = recipe.initialize(layers(wrap)(width), seed=seed)
            moved.append(_change(model, recipe, gains, optimizer))
        changes[width] = sum(moved) / len(moved)
    exponent = (torch.tensor(changes[256]) / changes[64]).log2().item() / 2
    assert abs(exponent) < 0.25


def _gains(recipe: Recipe) -> set[str]:
    return {t.name for t in recipe.tensors if t.name.endswith(("gain", "original0"))}


def _change(model: Any, recipe: Recipe, gains: list[str], optimizer: str) -> float:
    """Return by how much hidden gains move the last hidden layer in one step of a rate of 0.01."""
    (hidden,) = (name for name in gains if name.startswith("2."))
    groups = recipe.param_groups(model, lr=0.01, weight_decay=0.0, eps=1e-12)
    rate = {id(p): g["lr"] for g in groups for p in g["params"]}
    body = model[:3]
    before = body(FEATURES).detach()
    loss = (model(FEATURES) - torch.ones(4)).square().mean()
    (gradient,) = torch.autograd.grad(loss, [model.get_parameter(hidden)])
    step = gradient.sign() if optimizer == "adamw" else gradient
    with torch.no_grad():
        model.get_parameter(hidden).sub_(rate[id(model.get_parameter(hidden))] * step)
    return float((body(FEATURES).detach() - before).abs().mean())


def test_a_kernel_normed_over_both_growing_sides_has_a_gain_that_grows() -> None:
    wrapped, plain = kernels(lambda m: parametrizations.weight_norm(m, dim=2)), kernels(lambda m: m)
    recipe = recipe_of(wrapped, SERIES)
    expected = stds(plain, recipe_of(plain, SERIES))
    assert stds(wrapped, recipe) == pytest.approx(expected, rel=0.15)
    (gain,) = (t for t in recipe.tensors if t.name.endswith("original0"))
    # norm over n * n/4 entries: they are 1/n of it, and shall be n^-1/2.
    assert gain.lr == (WIDTH / BASE) ** 0.5
