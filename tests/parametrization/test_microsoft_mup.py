"""Agreement with microsoft/mup 1.0.0 on initial variance, rates and weight decay.

Its readout divides its input by the width ratio m and keeps its variance (Table 8); ours has no
multiplier (Table 3). Both are moved to the gauge without multipliers by the symmetry.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import torch
from torch import nn

from lrtransfer.parametrization.parametrize import parametrize
from lrtransfer.parametrization.recipe import Recipe
from lrtransfer.parametrization.rules import FAMILIES

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of its own imports
    import mup

BASE = 16
WIDTHS = (24, 32, 64, 128)
LR, DECAY, EPS = 2.0**-6, 2.0**-3, 1e-8
Linear = Callable[..., nn.Linear]


class Mlp(nn.Module):
    def __init__(self, n: int, readout: Linear = nn.Linear) -> None:
        super().__init__()
        self.embed = nn.Linear(6, n)
        self.hidden = nn.Linear(n, 2 * n)
        self.contract = nn.Linear(2 * n, n)
        self.readout = readout(n, 5)


class Transformer(nn.Module):
    """One block with learned positions, LayerNorm, biases and an untied readout."""

    def __init__(self, n: int, readout: Linear = nn.Linear) -> None:
        super().__init__()
        self.embed, self.position = nn.Embedding(40, n), nn.Embedding(12, n)
        self.norms = nn.ModuleList(nn.LayerNorm(n) for _ in range(3))
        self.query, self.key, self.value = nn.Linear(n, n), nn.Linear(n, n), nn.Linear(n, n)
        self.project = nn.Linear(n, n)
        self.expand, self.contract = nn.Linear(n, 4 * n), nn.Linear(4 * n, n)
        self.readout = readout(n, 40)


MODELS: dict[str, Callable[..., nn.Module]] = {"mlp": Mlp, "transformer": Transformer}
OPTIMIZERS: dict[str, Any] = {
    "adamw": mup.MuAdamW,
    "adam": mup.MuAdam,
    "sgd": mup.MuSGD,
}

# (quantity, kind of tensor) on which we differ, by optimizer, with the reason.
DISAGREEMENTS: dict[tuple[str, str, str], str] = {
    ("init", "bias", "*"): "mup multiplies the default bias of Linear by √m_in; we keep the bias of "
    "the base width, whose variance is the same",
    ("eps", "*", "adamw"): "mup leaves ε as it is, against TP5, B.3",
    ("eps", "*", "adam"): "as adamw",
    ("decay", "vector", "adamw"): "mup decays biases and gains, we do not",
    ("decay", "vector", "sgd"): "mup decays biases and gains by λ/m, we do not",
}


@dataclass(frozen=True)
class Found:
    """What one tensor is initialised and trained with, in the gauge without multipliers."""

    std: float
    lr: float
    decay: float  # share lost per step
    eps: float


def of_mup(model: str, optimizer: str, width: int) -> dict[str, Found]:
    """Return what mup does, its standard deviations as factors of the base width's."""
    build = MODELS[model]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain, target = build(width, mup.MuReadout), build(width, mup.MuReadout)
        target.load_state_dict(plain.state_dict())
        shapes = mup.make_base_shapes(build(BASE, mup.MuReadout), build(2 * BASE, mup.MuReadout))
        mup.set_base_shapes(target, shapes)
    decay = 0.0 if optimizer == "adam" else DECAY
    groups = OPTIMIZERS[optimizer](target.parameters(), lr=LR, weight_decay=decay).param_groups
    by_id = {id(p): group for group in groups for p in group["params"]}
    k = FAMILIES["gradient" if optimizer == "sgd" else "adaptive"].lr_per_multiplier
    found = {}
    for name, p in target.named_parameters():
        factor = 1 / target.readout.width_mult() if name == "readout.weight" else 1.0
        group = by_id[id(p)]
        rescaled = float(p.detach().norm() / plain.get_parameter(name).detach().norm())
        found[name] = Found(
            std=default_std(build, name, width) * rescaled * factor,
            lr=group["lr"] * factor**-k,
            decay=group["lr"] * group["weight_decay"],
            eps=group.get("eps", 0.0) / factor,
        )
    return found


def default_std(build: Callable[..., nn.Module], name: str, width: int) -> float:
    """Return the deviation of torch's default initialisation: 1/√(3 fan_in) for Linear."""
    module = build(width).get_submodule(name.rpartition(".")[0])
    if isinstance(module, nn.Linear):
        return float((3 * module.in_features) ** -0.5)
    return 1.0


@cache
def recipe_of(model: str, optimizer: str, width: int) -> Recipe:
    return parametrize(MODELS[model], width=width, base_width=BASE, optimizer=optimizer)


def of_ours(model: str, optimizer: str, width: int) -> dict[str, Found]:
    recipe = recipe_of(model, optimizer, width)
    decay = 0.0 if optimizer == "adam" else DECAY
    target = MODELS[model](width)
    eps = None if optimizer == "sgd" else EPS
    groups = recipe.param_groups(target, lr=LR, weight_decay=decay, eps=eps)
    by_id = {id(p): group for group in groups for p in group["params"]}
    found = {}
    for tensor in recipe.tensors:
        group = by_id[id(target.get_parameter(tensor.name))]
        found[tensor.name] = Found(
            std=(tensor.initial.std or 1.0) * tensor.multiplier,
            lr=group["lr"],
            decay=group["lr"] * group["weight_decay"],
            eps=group.get("eps", 0.0),
        )
    return found


def is_vector(name: str) -> bool:
    return name.endswith("bias") or name.startswith("norms")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("model", MODELS)
def test_agreement(model: str, optimizer: str, width: int) -> None:
    theirs, ours = of_mup(model, optimizer, width), of_ours(model, optimizer, width)
    assert set(theirs) == set(ours)
    # Standard deviations of ours are measured at the base width, to 3 %.
    std = {n: f.std for n, f in theirs.items()}
    assert {n: f.std for n, f in ours.items() if not is_small(model, n)} == pytest.approx(
        {n: s for n, s in std.items() if not is_small(model, n)}, rel=0.03
    )
    assert {n: f.lr for n, f in ours.items()} == pytest.approx(
        {n: f.lr for n, f in theirs.items()}, rel=1e-12
    )
    weights = [n for n in ours if not is_vector(n)]
    assert [ours[n].decay for n in weights] == pytest.approx(
        [theirs[n].decay for n in weights], rel=1e-12
    )
    print({n: (ours[n], theirs[n]) for n in ours if is_vector(n)})


def is_small(model: str, name: str) -> bool:
    return False
