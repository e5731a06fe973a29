"""Groups that a user has already are split and scaled, and otherwise left as they are."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

from lrtransfer import keep_ratios
from lrtransfer.errors import ParametrizationError
from lrtransfer.parametrization.parametrize import parametrize
from lrtransfer.parametrization.recipe.recipe import Recipe

LR, DECAY, EPS = 0.5, 0.1, 1e-8


def build(n: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, n), nn.Linear(n, n), nn.LayerNorm(n), nn.Linear(n, 2))


def make(**options: Any) -> tuple[Recipe, nn.Sequential]:
    return parametrize(build, **{"width": 64, "base_width": 16} | options), build(64)


def scaled(recipe: Recipe, model: nn.Module, groups: Any) -> list[dict[str, Any]]:
    return recipe.scale(groups, model, lr=LR, weight_decay=DECAY, eps=EPS)


def by_parameter(groups: list[dict[str, Any]], *keys: str) -> dict[int, list[Any]]:
    return {id(p): [group[key] for key in keys] for group in groups for p in group["params"]}


def no_decay_lists(model: nn.Module) -> list[dict[str, Any]]:
    parameters = list(model.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1]},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]


def test_a_bare_list_gives_what_param_groups_gives() -> None:
    recipe, model = make()
    own = recipe.param_groups(model, lr=LR, weight_decay=DECAY, eps=EPS)
    keys = ("lr", "lr_mult", "weight_decay", "eps")
    wanted = by_parameter(own, *keys)
    assert by_parameter(scaled(recipe, model, model.parameters()), *keys) == wanted


def test_no_decay_lists_stay_undecayed_and_the_rest_scales() -> None:
    recipe, model = make()
    no_decay = no_decay_lists(model)
    no_decay[1]["params"].append(no_decay[0]["params"].pop(1))  # the hidden matrix, too
    groups = scaled(recipe, model, no_decay)
    found = by_parameter(groups, "lr", "weight_decay", "eps")
    # m = 4: hidden and output lr / 4, decay * 4; epsilon / 4 for input, hidden and vectors.
    assert found[id(model[0].weight)] == [0.5, 0.1, 2.5e-9]
    assert found[id(model[1].weight)] == [0.125, 0, 2.5e-9]
    assert found[id(model[3].weight)] == [0.125, 0.4, 1e-8]
    assert found[id(model[2].weight)] == [0.5, 0, 2.5e-9]
    recipe.verify(model, torch.optim.AdamW(groups))


def test_layer_wise_rates_are_multiplied_and_known_to_verify() -> None:
    recipe, model = make()
    own = [{"params": layer.parameters(), "lr": LR * 0.5**i} for i, layer in enumerate(model)]
    groups = scaled(recipe, model, own)
    found = by_parameter(groups, "lr", "lr_mult")
    assert found[id(model[1].weight)] == [0.0625, 0.125]
    assert found[id(model[2].weight)] == [0.125, 0.25]
    assert found[id(model[3].weight)] == [0.015625, 0.03125]
    optimizer = torch.optim.AdamW(groups)
    recipe.verify(model, optimizer)
    keep_ratios(optimizer)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 4, eta_min=0.1)
    for _ in range(4):
        optimizer.step()
        scheduler.step()
    optimizer.step()
    assert float(optimizer.param_groups[0]["lr"]) == pytest.approx(0.1)
    recipe.verify(model, optimizer)
    optimizer.param_groups[-1]["lr"] *= 2
    with pytest.raises(ParametrizationError, match=r"for '3.bias' beside"):
        recipe.verify(model, optimizer)


def test_frozen_layers_may_be_left_out_and_others_may_not() -> None:
    recipe, model = make()
    model[0].requires_grad_(False)
    trained = [p for p in model.parameters() if p.requires_grad]
    recipe.verify(model, torch.optim.AdamW(scaled(recipe, model, trained)))
    with pytest.raises(ParametrizationError, match=r"without '1.weight' \(1 of 6 tensors"):
        recipe.verify(model, torch.optim.AdamW(scaled(recipe, model, trained[1:])))


def test_the_groups_given_are_left_as_they_were() -> None:
    recipe, model = make()
    own = no_decay_lists(model)
    before = [group | {"params": list(group["params"])} for group in own]
    groups = scaled(recipe, model, own)
    assert [list(map(id, group["params"])) for group in own] == [
        list(map(id, group["params"])) for group in before
    ]
    assert [group.keys() for group in own] == [group.keys() for group in before]
    groups[0]["params"].clear()
    assert len(own[0]["params"]) == 3


def test_other_keys_and_names_are_kept() -> None:
    recipe, model = make()
    own = [{"params": [*model.named_parameters()], "betas": (0.8, 0.9), "tag": "all"}]
    optimizer = torch.optim.AdamW(scaled(recipe, model, own))
    assert {(g["betas"], g["tag"]) for g in optimizer.param_groups} == {((0.8, 0.9), "all")}
    wanted = {name: id(p) for name, p in model.named_parameters()}
    names = {
        name: id(p)
        for group in optimizer.param_groups
        for name, p in zip(group["param_names"], group["params"], strict=True)
    }
    assert names == wanted
    # The same, from groups that were an optimizer's already.
    plain = torch.optim.AdamW(model.named_parameters())
    again = scaled(recipe, model, plain.param_groups)
    assert {
        name: id(p)
        for group in again
        for name, p in zip(group["param_names"], group["params"], strict=True)
    } == wanted


def test_rates_that_a_scheduler_left_are_scaled_along() -> None:
    recipe, model = make()
    plain = torch.optim.AdamW(model.parameters(), lr=LR)
    torch.optim.lr_scheduler.OneCycleLR(plain, 0.8, total_steps=4)
    for group in scaled(recipe, model, plain.param_groups):
        start = group["initial_lr"]
        assert [group["lr"], group["max_lr"]] == pytest.approx([start, 25 * start])
        assert group["min_lr"] == pytest.approx(start / 1e4)


def test_a_tensor_rate_is_not_shared() -> None:
    recipe, model = make()
    lr = torch.tensor(LR)
    groups = recipe.scale(no_decay_lists(model), model, lr=lr, weight_decay=DECAY, eps=EPS)
    assert len({group["lr"].data_ptr() for group in groups} | {lr.data_ptr()}) == len(groups) + 1
    recipe.verify(model, torch.optim.AdamW(groups))


def test_scaling_sgd_leaves_epsilon_out() -> None:
    recipe, model = make(optimizer="sgd")
    groups = recipe.scale(model.parameters(), model, lr=LR, weight_decay=DECAY)
    assert not any("eps" in group for group in groups)
    recipe.verify(model, torch.optim.SGD(groups, momentum=0.9))


def test_groups_scaled_before_are_refused() -> None:
    recipe, model = make()
    groups = scaled(recipe, model, model.parameters())
    with pytest.raises(ParametrizationError, match=r"has lr_mult already.*apply twice"):
        scaled(recipe, model, groups)


def test_parameters_of_another_model_are_refused() -> None:
    recipe, model = make()
    with pytest.raises(ParametrizationError, match=r"shape \(64, 3\) that is not in the model"):
        scaled(recipe, model, copy.deepcopy(model).parameters())


def test_a_rate_of_zero_and_a_missing_epsilon_are_refused() -> None:
    recipe, model = make()
    with pytest.raises(ParametrizationError, match=r"got lr=0, wanted a positive"):
        recipe.scale(model.parameters(), model, lr=0, weight_decay=DECAY, eps=EPS)
    with pytest.raises(ParametrizationError, match=r"got no eps"):
        recipe.scale(model.parameters(), model, lr=LR, weight_decay=DECAY)


def test_a_parameter_in_two_groups_is_left_to_the_optimizer_to_refuse() -> None:
    recipe, model = make()
    twice = [{"params": model.parameters()}, {"params": [model[0].weight]}]
    with pytest.raises(ValueError, match=r"some parameters appear in more than one"):
        torch.optim.AdamW(scaled(recipe, model, twice))


def test_a_tensor_of_another_optimizer_is_refused_where_all_multiples_are_equal() -> None:
    recipe, model = make(width=16, optimizer="muon_keller")[0], build(16)
    matrices = [model[1].weight, model[0].weight]
    with pytest.raises(ParametrizationError, match=r"got '0.weight' in the optimizer 'muon_kel"):
        recipe.scale(matrices, model, lr=LR, weight_decay=DECAY, optimizer="muon_keller")
