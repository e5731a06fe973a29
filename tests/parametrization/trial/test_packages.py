"""Optimizers of public packages, as they are installed: what passes, and what is refused and why.

`python -m benchmarks.optimizers` tries some three hundred configurations.
"""

from functools import partial
from typing import Any

import pytest
import torch

from lrtransfer.errors import ParametrizationError
from lrtransfer.models.configs import MLPConfig
from lrtransfer.models.mlp import MLP
from lrtransfer.parametrization.recipe.recipe import Recipe

from ..measured import parametrize_measured_once

BASE, WIDTH = 16, 64
LR, DECAY = 2.0**-7, 0.125
build = partial(MLP, config=MLPConfig(inputs=5, outputs=3))

# What packages warn of at import is theirs; cautions of verify are asked for one by one.
pytestmark = pytest.mark.filterwarnings("ignore")


def find(module: str, name: str) -> Any:
    return getattr(pytest.importorskip(module), name)


def make(cls: Any, follows: str) -> tuple[Recipe, Any]:
    recipe = parametrize_measured_once(
        build, width=WIDTH, base_width=BASE, optimizer=cls, follows=follows
    )
    return recipe, build(WIDTH)


def verify(
    module: str,
    name: str,
    follows: str,
    options: dict[str, Any],
    *,
    weight_decay: float = DECAY,
    test: bool | None = None,
) -> None:
    cls = find(module, name)
    recipe, model = make(cls, follows)
    settings: dict[str, Any] = {"lr": LR, "weight_decay": weight_decay, "eps": 1e-8}
    optimizers = [
        cls(recipe.param_groups(model, **settings, optimizer=kind), **options)
        if kind == follows
        else torch.optim.AdamW(recipe.param_groups(model, **settings, optimizer=kind))
        for kind in recipe.optimizers
    ]
    recipe.verify(model, *optimizers, test=test)


RIGHT = [
    ("optimi", "AdamW", "adamw", {"lr": LR}),
    ("optimi", "AdamW", "adamw", {"lr": LR, "decouple_lr": True}),
    ("torchao.optim", "AdamW8bit", "adamw", {}),
    ("schedulefree", "AdamWScheduleFree", "adamw", {}),
    ("lion_pytorch", "Lion", "lion", {}),
    ("lion_pytorch", "Lion", "lion", {"lr": LR, "decoupled_weight_decay": True}),
    ("adan_pytorch", "Adan", "adamw", {}),
    ("heavyball", "AdamW", "adamw", {}),
    ("heavyball", "Muon", "muon_keller", {}),
    ("muon", "SingleDeviceMuon", "muon_keller", {}),
    ("bitsandbytes.optim", "AdamW", "adamw", {}),
    ("pytorch_optimizer", "AdamW", "adamw", {}),
    ("pytorch_optimizer", "AdEMAMix", "adamw", {"weight_decouple": True}),
    ("pytorch_optimizer", "ADOPT", "adamw", {"weight_decouple": True}),
    ("pytorch_optimizer", "SOAP", "soap", {}),
    ("galore_torch", "GaLoreAdamW", "adamw", {}),
    ("grams", "Grams", "adamw", {}),
]


@pytest.mark.parametrize(("module", "name", "follows", "options"), RIGHT)
def test_what_follows_the_recipe_passes(
    module: str, name: str, follows: str, options: dict[str, Any]
) -> None:
    verify(module, name, follows, options, test=True)


COUPLED = "weight decay that is added to the gradient"
IGNORED = "it ignores the rates of its groups"
UNEQUAL = r"raises an error where groups have unequal learning rates \(RuntimeError: Setting diff"
DIVIDED = "divided by the constructor's learning rate"
NORM = "weights 16 times as large, wanted 16"
WRONG: list[tuple[str, str, str, dict[str, Any], str]] = [
    ("pytorch_optimizer", "ADOPT", "adamw", {}, rf"{COUPLED}.*Use weight_decouple=True"),
    ("pytorch_optimizer", "AdEMAMix", "adamw", {}, COUPLED),
    ("torch_optimizer", "QHAdam", "adamw", {}, COUPLED),
    ("torch_optimizer", "AdaBelief", "adamw", {"weight_decouple": False}, COUPLED),
    ("pytorch_optimizer", "Lion", "lion", {"fixed_decay": True}, "independent of the group's lea"),
    ("heavyball", "AdamC", "adamw", {}, r"decay that is as the power 2\.00 of the group's"),
    ("pytorch_optimizer", "Prodigy", "adamw", {}, IGNORED),
    ("pytorch_optimizer", "DAdaptAdam", "adamw", {}, IGNORED),
    ("pytorch_optimizer", "DAdaptLion", "lion", {}, IGNORED),
    ("pytorch_optimizer", "DAdaptSGD", "adamw", {}, IGNORED),
    ("prodigyopt", "Prodigy", "adamw", {}, UNEQUAL),
    ("dadaptation", "DAdaptAdam", "adamw", {}, UNEQUAL),
    ("dadaptation", "DAdaptSGD", "sgd", {}, UNEQUAL),
    ("dadaptation", "DAdaptLion", "lion", {}, UNEQUAL),
    ("dadaptation", "DAdaptAdaGrad", "adamw", {}, IGNORED),
    ("dadaptation", "DAdaptAdan", "adamw", {}, IGNORED),
    ("pytorch_optimizer", "Lamb", "lamb", {}, NORM),
    ("torch_optimizer", "Lamb", "lamb", {}, NORM),
    ("bitsandbytes.optim", "LAMB", "lamb", {}, "weight decay outside the trust ratio"),
    ("heavyball", "Scion", "muon_spectral", {}, "weights that move .* without a gradient"),
    ("madgrad", "MADGRAD", "adamw", {}, r"as the power 0\.67 of the learning rate"),
    ("grokadamw", "GrokAdamW", "adamw", {}, "by their place in the group"),
    ("came_pytorch", "CAME", "adafactor", {"lr": LR}, NORM),
    ("lion_pytorch", "Lion", "lion", {"decoupled_weight_decay": True}, DIVIDED),
    ("optimi", "AdamW", "adamw", {"lr": 1e-3, "decouple_lr": True}, DIVIDED),
    ("optimi", "RAdam", "adamw", {"lr": LR}, r"1\.00 of the gradient's size at first and -?0\.00"),
    ("muon", "SingleDeviceMuon", "muon_plain", {}, r"as large .* Its steps .*'muon_keller'"),
]


@pytest.mark.parametrize(("module", "name", "follows", "options", "message"), WRONG)
def test_what_does_not_follow_the_recipe_is_refused(
    module: str, name: str, follows: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ParametrizationError, match=message):
        verify(module, name, follows, options)


@pytest.mark.parametrize(
    ("module", "name", "own"),
    [
        ("galore_torch", "GaLoreAdamW", {}),
        ("apollo_torch", "APOLLOAdamW", {"proj": "random", "scale_type": "channel"}),
    ],
)
def test_a_fixed_rank_is_cautioned(module: str, name: str, own: dict[str, Any]) -> None:
    cls = find(module, name)
    recipe, model = make(cls, "adamw")
    groups = recipe.param_groups(model, lr=LR, weight_decay=0.0, eps=1e-8)
    ranked = {"rank": 8, "update_proj_gap": 200, "scale": 1.0, "proj_type": "std"} | own
    hidden = [group | ranked if group["name"] == "hidden" else group for group in groups]
    with pytest.warns(UserWarning, match=r"a fixed rank.*Let the rank grow with the width"):
        recipe.verify(model, cls(hidden))


# The documented ways in: docs/how-to/train-with-recipe.md.


def keller(model: Any, hidden: set[str]) -> Any:
    library = pytest.importorskip("muon")
    names = dict(model.named_parameters())
    return library.SingleDeviceMuonWithAuxAdam([
        {"params": [p for n, p in names.items() if n in hidden], "lr": LR, "use_muon": True},
        {"params": [p for n, p in names.items() if n not in hidden], "lr": LR, "use_muon": False},
    ])


def pytorch_optimizers(model: Any, hidden: set[str]) -> Any:
    library = pytest.importorskip("pytorch_optimizer")
    names = dict(model.named_parameters())
    return library.Muon([
        {"params": [p for n, p in names.items() if n in hidden], "use_muon": True},
        {"params": [p for n, p in names.items() if n not in hidden], "use_muon": False},
    ])


@pytest.mark.parametrize("construct", [keller, pytorch_optimizers])
def test_one_optimizer_for_muon_and_the_rest(construct: Any) -> None:
    from lrtransfer import keep_ratios

    _, model = make(torch.optim.AdamW, "adamw")
    hidden = {"hidden.0.weight", "hidden.1.weight"}
    optimizer = construct(model, hidden)
    recipe, _ = make(type(optimizer), "muon_keller")
    optimizer.param_groups = [
        scaled
        for kind, flag in (("muon_keller", True), ("adamw", False))
        for scaled in recipe.scale(
            [group for group in optimizer.param_groups if group["use_muon"] is flag],
            model,
            lr=LR,
            weight_decay=0.0,
            eps=1e-8,
            optimizer=kind,
        )
    ]
    recipe.verify(model, optimizer, test=True)
    keep_ratios(optimizer)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    optimizer.step()
    assert all(not torch.equal(p, before[n]) for n, p in model.named_parameters())
    recipe.verify(model, optimizer)
    [group for group in optimizer.param_groups if group["params"]][-1]["lr_mult"] *= 2
    with pytest.raises(ParametrizationError, match="wanted the ratio"):
        recipe.verify(model, optimizer)


def test_adam_mini_makes_its_own_groups() -> None:
    cls = find("adam_mini", "Adam_mini")
    recipe, model = make(cls, "adamw")
    optimizer = cls(model.named_parameters(), lr=LR, weight_decay=DECAY, dim=WIDTH, n_heads=4)
    with pytest.raises(ParametrizationError, match="wanted the ratio"):
        recipe.verify(model, optimizer)
    optimizer.param_groups = recipe.scale(
        optimizer.param_groups, model, lr=LR, weight_decay=DECAY, eps=1e-8
    )
    recipe.verify(model, optimizer, test=True)
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    optimizer.step()
    recipe.verify(model, optimizer)
