"""Every optimizer family trains, with its own settings, at two widths."""

import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from lrtransfer.models.configs import MLPConfig
from lrtransfer.models.mlp import MLP
from lrtransfer.parametrization.parametrize import parametrize
from lrtransfer.runs.digests import Digests
from lrtransfer.runs.optimizers import make_optimizers, name_rule
from lrtransfer.runs.run import RunSpec
from lrtransfer.runs.train import train_run
from lrtransfer.study.load import load
from lrtransfer.study.study import Study
from tests.studies import run_of

FAMILIES: dict[str, dict[str, Any]] = {
    "adamw": {"family": "adamw", "betas": (0.8, 0.9), "eps": 1e-6, "weight_decay": 0.1},
    "adam": {"family": "adam", "betas": (0.8, 0.9), "eps": 1e-6},
    "nadam": {"family": "nadam", "betas": (0.8, 0.9), "eps": 1e-6},
    "adamax": {"family": "adamax", "betas": (0.8, 0.9), "eps": 1e-6},
    "sgd": {"family": "sgd", "momentum": 0.7, "nesterov": True, "weight_decay": 0.1},
    "rmsprop": {"family": "rmsprop", "alpha": 0.8, "eps": 1e-6, "momentum": 0.7},
    "adagrad": {"family": "adagrad", "eps": 1e-6},
    "muon": {"family": "muon", "momentum": 0.8, "nesterov": False, "weight_decay": 0.1},
    "muon_kimi": {"family": "muon", "adjust": "match_rms_adamw", "adamw_lr": 0.25, "eps": 1e-6},
}
CLASSES: dict[str, tuple[type[torch.optim.Optimizer], ...]] = {
    "adamw": (torch.optim.AdamW,),
    "adam": (torch.optim.Adam,),
    "nadam": (torch.optim.NAdam,),
    "adamax": (torch.optim.Adamax,),
    "sgd": (torch.optim.SGD,),
    "rmsprop": (torch.optim.RMSprop,),
    "adagrad": (torch.optim.Adagrad,),
    "muon": (torch.optim.AdamW, torch.optim.Muon),
    "muon_kimi": (torch.optim.AdamW, torch.optim.Muon),
}
MODEL = MLPConfig(depth=2)
STUDY = {
    "widths": (8, 16, 32),
    "base_width": 8,
    "target": 64,
    "schemes": ("mup",),
    "model": MODEL.model_dump(),
    "data": {"source": "digits"},
    "training": {"steps": 4, "batch": 16},
}


def study_of(family: str) -> Study:
    return load(None, STUDY | {"optimizer": FAMILIES[family]})


def make_run(family: str, width: int) -> RunSpec:
    return run_of(study_of(family), width, lr=2.0**-7, digests=Digests())


def made_of(
    family: str, *, width: int = 32, lr: float = 0.5
) -> tuple[nn.Module, Any, list[torch.optim.Optimizer]]:
    config = study_of(family).optimizer

    def build(n: int) -> nn.Module:
        return MLP(n, MODEL)

    recipe = parametrize(build, width=width, base_width=8, optimizer=name_rule(config))
    model = recipe.initialize(build(width), seed=0)
    optimizers = make_optimizers(recipe, model, config, lr=lr)
    recipe.verify(model, *optimizers)
    return model, config, optimizers


def tensor(model: nn.Module, name: str) -> nn.Parameter:
    return dict(model.named_parameters())[f"{name}.weight"]


def group_of(optimizers: list[torch.optim.Optimizer], parameter: nn.Parameter) -> dict[str, Any]:
    """Return the one group that a tensor is in."""
    (found,) = (
        group
        for optimizer in optimizers
        for group in optimizer.param_groups
        if any(parameter is own for own in group["params"])
    )
    return dict(found)


@pytest.mark.parametrize("width", [8, 32])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_run_finishes(family: str, width: int) -> None:
    outcome = train_run(make_run(family, width))
    assert outcome.status == "finished"
    assert len(outcome.curve) == 4
    assert len(set(outcome.curve)) == 4


@pytest.mark.parametrize("family", FAMILIES)
def test_a_rate_of_twice_the_size_gives_another_run(family: str) -> None:
    run = make_run(family, 32)
    one, two = (train_run(replace(run, lr=factor * run.lr)) for factor in (1, 2))
    assert one.curve[0] == two.curve[0]
    assert one.curve[1] != two.curve[1]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_classes_are_those_of_the_family(family: str) -> None:
    _, _, optimizers = made_of(family)
    assert tuple(type(optimizer) for optimizer in optimizers) == CLASSES[family]


@pytest.mark.parametrize(
    ("family", "wanted"),
    [
        ("adamw", {"betas": (0.8, 0.9)}),
        ("adam", {"betas": (0.8, 0.9)}),
        ("nadam", {"betas": (0.8, 0.9)}),
        ("adamax", {"betas": (0.8, 0.9)}),
        ("sgd", {"momentum": 0.7, "nesterov": True}),
        ("rmsprop", {"alpha": 0.8, "momentum": 0.7}),
        ("muon", {"momentum": 0.8, "nesterov": False}),
    ],
)
def test_settings_reach_the_optimizer(family: str, wanted: dict[str, Any]) -> None:
    model, _, optimizers = made_of(family)
    group = group_of(optimizers, tensor(model, "hidden.1"))
    assert {key: group[key] for key in wanted} == wanted


@pytest.mark.parametrize("family", ["adamw", "adam", "nadam", "adamax", "rmsprop", "muon_kimi"])
def test_epsilon_scales_with_the_gradients_of_its_tensor(family: str) -> None:
    model, _, optimizers = made_of(family)
    # Gradients of vectors n wide fall as 1/n, and so does ε of those tensors: 8 / 32.
    assert group_of(optimizers, tensor(model, "embed"))["eps"] == pytest.approx(1e-6 / 4)
    assert group_of(optimizers, tensor(model, "readout"))["eps"] == pytest.approx(1e-6)


def test_muon_trains_the_hidden_matrices_and_adamw_the_rest_at_its_own_rate() -> None:
    model, _, (adamw, muon) = made_of("muon_kimi")
    assert [p for g in muon.param_groups for p in g["params"]] == [
        tensor(model, "hidden.0"),
        tensor(model, "hidden.1"),
    ]
    assert {g["adjust_lr_fn"] for g in muon.param_groups} == {"match_rms_adamw"}
    # The rest at 0.25 of the rate 0.5; the readout at 8 / 32 of that.
    assert group_of([adamw], tensor(model, "embed"))["lr"] == 0.125
    assert group_of([adamw], tensor(model, "readout"))["lr"] == 0.125 / 4
    assert group_of([adamw], tensor(model, "readout"))["betas"] == (0.9, 0.95)


def test_the_two_muons_scale_their_steps_apart() -> None:
    adjusted = [made_of(family)[2][1].param_groups[0] for family in ("muon", "muon_kimi")]
    assert [group["adjust_lr_fn"] for group in adjusted] == ["original", "match_rms_adamw"]
    assert [name_rule(study_of(family).optimizer) for family in ("muon", "muon_kimi")] == [
        "muon_keller",
        "muon_kimi",
    ]


@pytest.mark.parametrize("family", ["adamw", "sgd", "muon"])
def test_matrices_decay_by_the_same_share_per_step_at_every_width(family: str) -> None:
    for width in (8, 32):
        model, _, optimizers = made_of(family, width=width)
        for parameter in model.parameters():
            group = group_of(optimizers, parameter)
            assert group["lr"] * group["weight_decay"] == pytest.approx(0.5 * 0.1)


def test_a_model_without_hidden_matrices_has_no_use_for_muon() -> None:
    config = study_of("muon").optimizer

    def build(n: int) -> nn.Module:
        return MLP(n, MLPConfig(depth=0))

    recipe = parametrize(build, width=16, base_width=8, optimizer=name_rule(config))
    (only,) = make_optimizers(recipe, build(16), config, lr=0.1)
    assert isinstance(only, torch.optim.AdamW)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_first_step_is_that_of_the_optimizer_of_torch(family: str) -> None:
    """At the base width every factor is 1: the optimizer of torch with the settings alone."""
    model, config, optimizers = made_of(family, width=8, lr=0.01)
    asked = json.loads(config.model_dump_json())
    twin = MLP(8, MODEL)
    twin.load_state_dict(model.state_dict())
    plain = {key: asked[key] for key in ("eps", "weight_decay", "alpha") if key in asked}
    plain |= {"betas": tuple(asked["betas"])} if "betas" in asked else {}
    hidden = [tensor(twin, "hidden.0"), tensor(twin, "hidden.1")]
    if asked["family"] == "muon":
        rest = [tensor(twin, "embed"), tensor(twin, "readout")]
        reference: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(rest, lr=0.01 * asked["adamw_lr"], **plain),
            torch.optim.Muon(
                hidden,
                lr=0.01,
                weight_decay=asked["weight_decay"],
                momentum=asked["momentum"],
                nesterov=asked["nesterov"],
                adjust_lr_fn=asked["adjust"],
            ),
        ]
    else:
        plain |= {key: asked[key] for key in ("momentum", "nesterov") if key in asked}
        (made,) = CLASSES[family]
        build: Any = made
        reference = [build(twin.parameters(), lr=0.01, **plain)]
    inputs = torch.randn(16, 64, generator=torch.Generator().manual_seed(0))
    for network, all_optimizers in ((model, optimizers), (twin, reference)):
        for _ in range(3):
            network.zero_grad()
            network(inputs).square().mean().backward()
            for optimizer in all_optimizers:
                optimizer.step()
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)
