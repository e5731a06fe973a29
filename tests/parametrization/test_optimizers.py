"""Which optimizer follows which rule, what is refused, and how much weights decay."""

import re
from functools import partial
from typing import Any

import pytest
import torch
import transformers
from torch import nn

from lrtransfer.errors import ParametrizationError
from lrtransfer.models.configs import MLPConfig
from lrtransfer.models.mlp import MLP
from lrtransfer.parametrization.choices import WEIGHT_DECAYS, Choices
from lrtransfer.parametrization.optimizers import KINDS, REFUSED, find_optimizer
from lrtransfer.parametrization.parametrize import parametrize
from lrtransfer.parametrization.recipe.recipe import Recipe

from . import reference_optimizers as reference
from .measured import parametrize_measured_once

BASE, WIDTH = 16, 64
build = partial(MLP, config=MLPConfig(inputs=5, outputs=3))


class Own(reference.Lion):
    """A class of somebody's own."""


# A class for each kind; torch's Muon stands for two.
CLASSES: dict[str, Any] = {
    "sgd": torch.optim.SGD,
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "nadam": torch.optim.NAdam,
    "adamax": torch.optim.Adamax,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
    "adafactor": transformers.Adafactor,
}
OWN = {
    "lion": reference.Lion,
    "sign_sgd": reference.SignSGD,
    "lamb": reference.Lamb,
    "lamb_spectral": reference.Lamb,
    "lars": reference.Lars,
    "muon_plain": reference.Muon,
    "muon_keller": torch.optim.Muon,
    "muon_spectral": reference.Muon,
    "muon_kimi": torch.optim.Muon,
    "shampoo": reference.Shampoo,
    "shampoo_half": reference.Shampoo,
    "soap": reference.Soap,
}


def make(
    optimizer: Any, *, width: int = WIDTH, follows: str | None = None, **chosen: Any
) -> Recipe:
    return parametrize_measured_once(
        build,
        width=width,
        base_width=BASE,
        optimizer=optimizer,
        follows=follows,
        choices=Choices(**chosen),
    )


def groups(recipe: Recipe, model: nn.Module, **options: Any) -> list[dict[str, Any]]:
    settings: dict[str, Any] = {"lr": 2.0**-6, "weight_decay": 0.0, "eps": 1e-8}
    return recipe.param_groups(model, **settings | options)


def test_every_kind_is_tried_here() -> None:
    assert set(CLASSES) | set(OWN) == set(KINDS)


@pytest.mark.parametrize("kind", CLASSES)
def test_known_classes_are_found_and_verified(kind: str) -> None:
    assert find_optimizer(CLASSES[kind]).kind == kind
    recipe, model = make(CLASSES[kind]), build(WIDTH)
    assert recipe == make(kind)
    options = {"relative_step": False} if kind == "adafactor" else {}
    recipe.verify(model, CLASSES[kind](groups(recipe, model), **options))


@pytest.mark.parametrize("kind", OWN)
def test_classes_follow_the_rule_they_are_assigned_to(kind: str) -> None:
    recipe, model = make(OWN[kind], follows=kind), build(WIDTH)
    assert recipe.tensors == make(kind).tensors
    options: dict[str, Any] = {}
    if OWN[kind] is torch.optim.Muon:
        options["adjust_lr_fn"] = "match_rms_adamw" if kind == "muon_kimi" else "original"
    optimizers = [
        OWN[kind](groups(recipe, model, optimizer=name), **options)
        if name == kind
        else torch.optim.AdamW(groups(recipe, model, optimizer=name))
        for name in recipe.optimizers
    ]
    recipe.verify(model, *optimizers)
    assert Recipe.from_json(recipe.to_json()) == recipe


# Rates of input, hidden and output matrices at m = 4 under μP: docs/reference/optimizers.md.
RATES = {
    "sgd": (4, 1, 1 / 4),
    **dict.fromkeys(
        ("adamw", "adam", "nadam", "adamax", "rmsprop", "adagrad", "lion", "sign_sgd"),
        (1, 1 / 4, 1 / 4),
    ),
    **dict.fromkeys(("adafactor", "lamb", "lars"), (1, 1 / 2, 1)),
    "lamb_spectral": (1, 1, 1),
    **dict.fromkeys(("muon_plain", "shampoo", "soap"), (2, 1, 1 / 2)),
    "muon_keller": (1, 1, 1 / 2),
    "muon_spectral": (1, 1, 1),
    "muon_kimi": (1, 1 / 2, 1 / 4),
    "shampoo_half": (1, 1, 1),
}


@pytest.mark.parametrize("kind", KINDS)
def test_rates_of_every_kind(kind: str) -> None:
    rates = {t.name: t.lr for t in make(kind, matrix_scope="all").tensors}
    assert tuple(
        rates[name] for name in ("embed.weight", "hidden.0.weight", "readout.weight")
    ) == pytest.approx(RATES[kind])


REFUSED_CLASSES = [
    torch.optim.LBFGS,
    torch.optim.Adadelta,
    torch.optim.RAdam,
    torch.optim.Rprop,
    torch.optim.Adafactor,
]


def test_every_refused_class_is_tried_here() -> None:
    assert {f"{c.__module__}.{c.__qualname__}" for c in REFUSED_CLASSES} == set(REFUSED)


@pytest.mark.parametrize("cls", REFUSED_CLASSES)
def test_optimizers_that_break_the_rules_are_refused(cls: Any) -> None:
    reason = re.escape(REFUSED[f"{cls.__module__}.{cls.__qualname__}"])
    message = rf"got \S+{cls.__name__}, wanted one whose steps scale .*{reason}"
    with pytest.raises(ParametrizationError, match=message):
        find_optimizer(cls)
    with pytest.raises(ParametrizationError, match=message):
        find_optimizer(cls, follows="adamw")
    if cls is not torch.optim.Adafactor:  # the name stands for that of transformers
        with pytest.raises(ParametrizationError, match=message):
            find_optimizer(cls.__name__.lower())
    model = build(WIDTH)
    with pytest.raises(ParametrizationError, match=message):
        make("adamw").verify(model, cls(model.parameters()))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("adamww",), r"optimizer: got 'adamww', wanted one of .* Did you mean 'adamw'\?"),
        (("sophia",), "optimizer: got 'sophia', wanted one of sgd, adamw"),
        ((Own,), r"got the class \S+\.Own, wanted a class that is known. Say .* follows='adamw'"),
        ((torch.optim.Muon,), "wanted its variant: one of muon_keller, muon_kimi"),
        ((torch.optim.ASGD,), "got the class torch.optim.asgd.ASGD, wanted a class that is known"),
    ],
)
def test_unknown_optimizers_are_refused(arguments: tuple[Any], message: str) -> None:
    with pytest.raises(ParametrizationError, match=message):
        find_optimizer(*arguments)


def test_follows_wants_a_class_and_a_known_name() -> None:
    with pytest.raises(ParametrizationError, match=r"got 'adamw' beside the name 'lion'"):
        find_optimizer("lion", follows="adamw")
    with pytest.raises(ParametrizationError, match=r"follows: got 'lionn'.*Did you mean 'lion'"):
        find_optimizer(Own, follows="lionn")


def test_verify_wants_the_class_assigned() -> None:
    recipe, model = make(Own, follows="lion"), build(WIDTH)
    recipe.verify(model, Own(groups(recipe, model)))
    with pytest.raises(ParametrizationError, match=r"class Lion, wanted \S+\.Own, for which"):
        recipe.verify(model, reference.Lion(groups(recipe, model)))
    with pytest.raises(
        ParametrizationError, match=r"class Own, wanted the class that follows 'lion'"
    ):
        make("lion").verify(model, Own(groups(recipe, model)))


@pytest.mark.parametrize(
    ("kind", "other", "wanted"),
    [
        ("muon_keller", "match_rms_adamw", "original"),
        ("muon_kimi", "original", "match_rms_adamw"),
        ("muon_kimi", None, "match_rms_adamw"),
    ],
)
def test_verify_finds_another_shape_factor_of_muon(
    kind: str, other: str | None, wanted: str
) -> None:
    recipe, model = make(kind), build(WIDTH)

    def optimizers(variant: str | None) -> list[torch.optim.Optimizer]:
        own = groups(recipe, model, optimizer=kind)
        rest = torch.optim.AdamW(groups(recipe, model, optimizer="adamw"))
        return in_order(recipe, torch.optim.Muon(own, adjust_lr_fn=variant), rest)

    with pytest.raises(ParametrizationError, match=rf"adjust_lr_fn={other!r}, wanted '{wanted}'"):
        recipe.verify(model, *optimizers(other))
    recipe.verify(model, *optimizers(wanted))


def in_order(
    recipe: Recipe, matrix: torch.optim.Optimizer, rest: torch.optim.Optimizer
) -> list[torch.optim.Optimizer]:
    return [rest if name == "adamw" else matrix for name in recipe.optimizers]


@pytest.mark.parametrize(
    "kind", [name for name, kind in KINDS.items() if kind.l2 and name != "sgd"]
)
def test_decay_mixed_into_moments_is_refused(kind: str) -> None:
    with pytest.raises(ParametrizationError, match=rf"weight_decay: got 0.1 for '{kind}', which"):
        groups(make(kind), build(WIDTH), weight_decay=0.1)


def two() -> tuple[Recipe, nn.Module, torch.optim.Optimizer, torch.optim.Optimizer]:
    recipe, model = make("muon_keller"), build(WIDTH)
    matrix = torch.optim.Muon(groups(recipe, model, optimizer="muon_keller"))
    return recipe, model, matrix, torch.optim.AdamW(groups(recipe, model, optimizer="adamw"))


def names(model: nn.Module, optimizer: torch.optim.Optimizer) -> set[str]:
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    return {name for name, p in model.named_parameters() if id(p) in held}


def test_two_optimizers_share_the_tensors() -> None:
    recipe, model, matrix, rest = two()
    assert names(model, matrix) == {"hidden.0.weight", "hidden.1.weight"}
    assert names(model, rest) == {"embed.weight", "readout.weight"}
    # The shape factor does the scaling of the hidden matrices: AdamW's factor is not put on top.
    assert [group["lr_mult"] for group in matrix.param_groups] == [1.0]
    recipe.verify(model, *in_order(recipe, matrix, rest))


def test_two_optimizers_are_asked_for_one_by_one() -> None:
    recipe, model, matrix, rest = two()
    with pytest.raises(
        ParametrizationError, match=r"got optimizer=None, wanted 'adamw' or 'muon_k"
    ):
        groups(recipe, model)
    with pytest.raises(
        ParametrizationError, match=r"got 1 optimizers, wanted 2: adamw, muon_keller"
    ):
        recipe.verify(model, matrix)
    recipe.verify(model, matrix, rest)
    recipe.verify(model, rest, matrix)


def test_two_optimizers_must_hold_every_tensor_once_and_their_own() -> None:
    recipe, model, matrix, rest = two()
    all_of_it = torch.optim.AdamW(
        groups(recipe, model, optimizer="adamw") + groups(recipe, model, optimizer="muon_keller")
    )
    with pytest.raises(ParametrizationError, match="a parameter that occurs twice"):
        recipe.verify(model, all_of_it, matrix)
    one, other = model.get_submodule("hidden").parameters()
    with pytest.raises(ParametrizationError, match=r"without 'hidden.1.weight' \(1 of 4"):
        recipe.verify(model, rest, torch.optim.Muon([one], lr=2.0**-6, weight_decay=0))
    rest.add_param_group({"params": [one]})
    with pytest.raises(
        ParametrizationError, match=r"got 'hidden.0.weight' in the optimizer 'adamw'"
    ):
        recipe.verify(model, rest, torch.optim.Muon([other], lr=2.0**-6, weight_decay=0))


def test_matrix_optimizers_may_train_every_matrix() -> None:
    recipe = make("muon_plain", matrix_scope="all")
    assert recipe.optimizers == ("muon_plain",)
    # √(out/in) for an update of singular values 1 (arXiv 2310.17813): 2, 1 and 1/2 at m = 4.
    assert [t.lr for t in recipe.tensors] == [2, 1, 1, 0.5]


# Share of itself that a weight loses in one step of AdamW at rate 2^-3 and decay 2^-4 (for
# `ema_timescale` a timescale of 2^4 steps): at the base width, and at m = 4 times that.
RATE, DECAY = 2.0**-3, 2.0**-4
SHRINK: dict[str, dict[str, tuple[float, float]]] = {
    "decoupled_lr": {"hidden": (1, 1 / 4), "input": (1, 1)},  # η λ / m: falls with width
    "decoupled_lr_scaled": {"hidden": (1, 1), "input": (1, 1)},
    "independent": {"hidden": (1 / RATE, 1 / RATE), "input": (1 / RATE, 1 / RATE)},
    "ema_timescale": {"hidden": (1 / RATE, 1 / RATE), "input": (1 / RATE, 1 / RATE)},
    "sqrt_width": {"hidden": (1, 1 / 2), "input": (1, 1)},  # (η/m) (λ √m)
    "inverse_width_independent": {
        "hidden": (1 / RATE, 1 / RATE / 4),
        "input": (1 / RATE, 1 / RATE),
    },
    "none": {"hidden": (0, 0), "input": (0, 0)},
}


def shrink(
    convention: str, *, width: int, lr: float = RATE, factor: float = 1.0
) -> dict[str, float]:
    """Return what weights without a gradient lose in a step at this factor of the schedule."""
    given = 1 / DECAY if convention == "ema_timescale" else DECAY
    recipe, model = make("adamw", width=width, weight_decay=convention), build(width).double()
    optimizer = torch.optim.AdamW(groups(recipe, model, lr=lr, weight_decay=given))
    recipe.verify(model, optimizer)
    for group in optimizer.param_groups:
        group["lr"] *= factor
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    after = {
        name: float((p.detach() / before[name]).mean()) for name, p in model.named_parameters()
    }
    return {"input": 1 - after["embed.weight"], "hidden": 1 - after["hidden.0.weight"]}


@pytest.mark.parametrize("convention", WEIGHT_DECAYS)
def test_what_a_weight_loses_per_step(convention: str) -> None:
    found = [shrink(convention, width=width) for width in (BASE, WIDTH)]
    for role, wanted in SHRINK[convention].items():
        assert [f[role] for f in found] == pytest.approx([RATE * DECAY * w for w in wanted])


@pytest.mark.parametrize("convention", WEIGHT_DECAYS)
def test_decay_follows_the_schedule_and_only_coupled_ones_the_peak_rate(convention: str) -> None:
    plain = shrink(convention, width=WIDTH)["hidden"]
    assert shrink(convention, width=WIDTH, factor=0.5)["hidden"] == pytest.approx(plain / 2)
    assert shrink(convention, width=WIDTH, factor=0.0)["hidden"] == 0
    twice = shrink(convention, width=WIDTH, lr=2 * RATE)["hidden"]
    assert twice == pytest.approx(2 * plain if WEIGHT_DECAYS[convention].with_lr else plain)


def test_a_decay_that_is_divided_by_the_rate_wants_one() -> None:
    recipe = make("adamw", weight_decay="independent")
    with pytest.raises(ParametrizationError, match=r"got lr=0 with weight decay 'independent'"):
        groups(recipe, build(WIDTH), lr=0.0, weight_decay=0.1)
    assert groups(recipe, build(WIDTH), lr=0.0)[0]["weight_decay"] == 0


def test_decay_of_muon_refers_to_the_rate_of_its_group() -> None:
    # torch's Muon decays by the rate of the group, not by that times the factor of the shape.
    recipe = parametrize(
        lambda n: nn.Sequential(nn.Linear(n, 4 * n, bias=False)),
        width=WIDTH,
        base_width=BASE,
        optimizer="muon_kimi",
    )
    layer = nn.Linear(WIDTH, 4 * WIDTH, bias=False)
    model, before = nn.Sequential(layer), layer.weight.detach().clone()
    optimizer = torch.optim.Muon(
        recipe.param_groups(model, lr=RATE, weight_decay=DECAY), adjust_lr_fn="match_rms_adamw"
    )
    recipe.verify(model, optimizer)
    layer.weight.grad = torch.zeros_like(layer.weight)
    optimizer.step()
    assert torch.allclose(layer.weight, before * (1 - RATE * DECAY))


@pytest.mark.parametrize(
    "options",
    [{}, {"relative_step": False, "scale_parameter": False}],
    ids=["rates ignored", "steps not relative"],
)
def test_settings_of_adafactor_with_another_rule_are_refused(options: dict[str, Any]) -> None:
    recipe = parametrize(build, width=64, base_width=16, optimizer="adafactor")
    model = recipe.initialize(build(64), seed=0)
    groups = recipe.param_groups(model, lr=RATE, weight_decay=0.0)
    own = CLASSES["adafactor"](groups, **options)
    with pytest.raises(ParametrizationError, match="wanted relative_step=False and scale_param"):
        recipe.verify(model, own)


def test_decay_in_the_gradient_is_found_however_it_came_there() -> None:
    recipe = parametrize(build, width=64, base_width=16, optimizer="adam")
    model = recipe.initialize(build(64), seed=0)
    groups = recipe.param_groups(model, lr=RATE, weight_decay=0.0, eps=1e-8)
    own = {id(p): recipe.tensors[i].weight_decay for i, p in enumerate(model.parameters())}
    for group in groups:
        group["weight_decay"] = 0.1 * own[id(group["params"][0])]
    with pytest.raises(
        ParametrizationError, match=r"weight_decay: got 0\.1 for 'adam', which adds"
    ):
        recipe.verify(model, torch.optim.Adam(groups))


def test_an_optimizer_that_is_made_already_is_refused() -> None:
    own: Any = torch.optim.AdamW(nn.Linear(2, 2).parameters())
    with pytest.raises(ParametrizationError, match="optimizer: got AdamW, an object, wanted a nam"):
        find_optimizer(own)
