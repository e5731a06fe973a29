"""Whatever schedules the rates: their ratios are the recipe's, or `verify` says they are not."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler as schedulers

from lrtransfer import keep_ratios
from lrtransfer.errors import ParametrizationError
from lrtransfer.models.configs import MLPConfig
from lrtransfer.models.mlp import MLP
from lrtransfer.parametrization.parametrize import parametrize
from lrtransfer.parametrization.recipe.recipe import Recipe

LR, STEPS = 0.5, 12
Optimizer = torch.optim.Optimizer
Make = Callable[[Optimizer], Any]


def of_transformers(name: str, **options: Any) -> Make:
    def make(optimizer: Optimizer) -> Any:
        from transformers import get_scheduler

        return get_scheduler(name, optimizer, 3, STEPS, scheduler_specific_kwargs=options or None)

    return make


def warmup_then(later: Make) -> Make:
    def make(optimizer: Optimizer) -> Any:
        parts = [schedulers.LinearLR(optimizer, total_iters=3), later(optimizer)]
        return schedulers.SequentialLR(optimizer, parts, milestones=[3])

    return make


def chained(optimizer: Optimizer) -> Any:
    return schedulers.ChainedScheduler([
        schedulers.ConstantLR(optimizer, total_iters=3),
        schedulers.ExponentialLR(optimizer, 0.9),
    ])


MULTIPLYING: dict[str, Make] = {
    "LambdaLR": lambda o: schedulers.LambdaLR(o, lambda t: t / 4),  # from a rate of 0
    "MultiplicativeLR": lambda o: schedulers.MultiplicativeLR(o, lambda _: 0.9),
    "StepLR": lambda o: schedulers.StepLR(o, 3, gamma=0.3),
    "MultiStepLR": lambda o: schedulers.MultiStepLR(o, [2, 5], gamma=0.3),
    "ConstantLR": lambda o: schedulers.ConstantLR(o, total_iters=3),
    "LinearLR": lambda o: schedulers.LinearLR(o, total_iters=5),
    "ExponentialLR": lambda o: schedulers.ExponentialLR(o, 0.7),
    "PolynomialLR": lambda o: schedulers.PolynomialLR(o, total_iters=STEPS, power=2.0),
    "CosineAnnealingLR": lambda o: schedulers.CosineAnnealingLR(o, STEPS),
    "CosineAnnealingWarmRestarts": lambda o: schedulers.CosineAnnealingWarmRestarts(o, 5),
    "SequentialLR": warmup_then(lambda o: schedulers.ExponentialLR(o, 0.7)),
    "ChainedScheduler": chained,
    "ReduceLROnPlateau": lambda o: schedulers.ReduceLROnPlateau(o, patience=1),
    "OneCycleLR, list": lambda o: schedulers.OneCycleLR(
        o, [2 * group.get("lr_mult", 1.0) for group in o.param_groups], total_steps=STEPS + 1
    ),
    "linear": of_transformers("linear"),
    "cosine": of_transformers("cosine"),
    "cosine_with_restarts": of_transformers("cosine_with_restarts", num_cycles=2),
    "polynomial": of_transformers("polynomial", lr_end=0.01, power=2.0),
    "constant": of_transformers("constant"),
    "constant_with_warmup": of_transformers("constant_with_warmup"),
    "inverse_sqrt": of_transformers("inverse_sqrt"),
    "cosine_with_min_lr": of_transformers("cosine_with_min_lr", min_lr=0.05),
    "cosine_warmup_with_min_lr": of_transformers("cosine_warmup_with_min_lr", min_lr_rate=0.1),
    "warmup_stable_decay": of_transformers("warmup_stable_decay", num_decay_steps=4),
}
ABSOLUTE: dict[str, Make] = {
    "CosineAnnealingLR": lambda o: schedulers.CosineAnnealingLR(o, STEPS - 2, eta_min=0.1),
    "CosineAnnealingWarmRestarts": lambda o: schedulers.CosineAnnealingWarmRestarts(
        o, 5, eta_min=0.1
    ),
    "OneCycleLR": lambda o: schedulers.OneCycleLR(o, 0.4, total_steps=STEPS + 1),
    "CyclicLR": lambda o: schedulers.CyclicLR(
        o, base_lr=0.1, max_lr=0.6, step_size_up=3, cycle_momentum=False
    ),
    "SequentialLR": warmup_then(lambda o: schedulers.CosineAnnealingLR(o, 6, eta_min=0.1)),
    "ReduceLROnPlateau": lambda o: schedulers.ReduceLROnPlateau(o, patience=1, min_lr=0.1),
    "reduce_lr_on_plateau": of_transformers("reduce_lr_on_plateau", patience=1, min_lr=0.1),
    "greedy": of_transformers("greedy", patience=1, min_lr=0.1),
}
EVERY = [
    (f"{kind}-{name}", make)
    for kind, table in (("multiplying", MULTIPLYING), ("absolute", ABSOLUTE))
    for name, make in table.items()
]


def build(n: int) -> nn.Module:
    return MLP(n, MLPConfig(inputs=5, outputs=3, depth=1))


def shallow(n: int) -> nn.Module:
    return MLP(n, MLPConfig(inputs=5, outputs=3, depth=0))


def recipe_of(model: Callable[[int], nn.Module], optimizer: str) -> Recipe:
    return parametrize(model, width=64, base_width=16, optimizer=optimizer)


def adamw(lr: float | torch.Tensor = LR) -> tuple[Recipe, nn.Module, Optimizer]:
    recipe, model = recipe_of(build, "adamw"), build(64)
    groups = recipe.param_groups(model, lr=lr, weight_decay=0.1, eps=1e-8)
    return recipe, model, torch.optim.AdamW(groups, lr=lr)


def plain(lr: float = LR) -> Optimizer:
    return torch.optim.AdamW([nn.Parameter(torch.zeros(1))], lr=lr)


def advance(scheduler: Any) -> None:
    metrics = [1.0] if hasattr(scheduler, "patience") else []  # never better: a plateau
    scheduler.step(*metrics)


def rates(optimizer: Optimizer, make: Make, steps: int = STEPS) -> list[list[float]]:
    """Return the rates of all groups that each step was made with."""
    scheduler, seen = make(optimizer), []
    for _ in range(steps):
        optimizer.step()
        seen.append([float(group["lr"]) for group in optimizer.param_groups])
        advance(scheduler)
    return seen


def multiples(optimizer: Optimizer, schedule: list[list[float]]) -> list[list[float]]:
    """Return what the groups' rates are to be if a plain optimizer's are these."""
    return [[lr * group["lr_mult"] for group in optimizer.param_groups] for (lr,) in schedule]


@pytest.mark.parametrize("name", MULTIPLYING)
def test_schedulers_that_multiply_keep_the_ratios(name: str) -> None:
    recipe, model, optimizer = adamw()
    seen = rates(optimizer, MULTIPLYING[name])
    wanted = multiples(optimizer, rates(plain(), MULTIPLYING[name]))
    assert seen == [pytest.approx(row, rel=1e-12) for row in wanted]
    recipe.verify(model, optimizer)


@pytest.mark.parametrize("name", ABSOLUTE)
def test_verify_finds_schedules_that_lead_all_groups_to_one_rate(name: str) -> None:
    recipe, model, optimizer = adamw()
    rates(optimizer, ABSOLUTE[name])
    with pytest.raises(ParametrizationError, match=r"call keep_ratios\(optimizer\) before"):
        recipe.verify(model, optimizer)


@pytest.mark.parametrize(("name", "make"), EVERY, ids=[name for name, _ in EVERY])
def test_every_scheduler_keeps_the_ratios_if_asked(name: str, make: Make) -> None:
    recipe, model, optimizer = adamw()
    keep_ratios(optimizer)
    seen = rates(optimizer, make)
    wanted = multiples(optimizer, rates(plain(), make))
    assert seen == [pytest.approx(row, rel=1e-12) for row in wanted]
    reference = [group["lr_mult"] for group in optimizer.param_groups].index(1.0)
    assert [row[reference] for row in seen] == [row[reference] for row in wanted]  # to the bit
    optimizer.step()
    recipe.verify(model, optimizer)


@pytest.mark.parametrize("name", ABSOLUTE)
def test_the_rate_tuned_is_followed_where_no_group_has_it(name: str) -> None:
    recipe, model = recipe_of(shallow, "sgd"), shallow(64)
    groups = recipe.param_groups(model, lr=LR, weight_decay=0)
    assert [group["lr_mult"] for group in groups] == [4, 0.25]
    optimizer = torch.optim.SGD(groups, lr=LR, momentum=0.9)
    keep_ratios(optimizer)
    seen = rates(optimizer, ABSOLUTE[name])
    assert seen == multiples(optimizer, rates(plain(), ABSOLUTE[name]))
    optimizer.step()
    recipe.verify(model, optimizer)


def test_without_the_call_the_rates_are_the_schedulers_again() -> None:
    *_, optimizer = adamw()
    keep_ratios(optimizer).remove()
    assert len({tuple(row) for row in rates(optimizer, ABSOLUTE["OneCycleLR"])}) == STEPS
    assert len({group["lr"] for group in optimizer.param_groups}) == 1


def test_one_rate_assigned_to_all_groups_is_taken_for_the_one_tuned() -> None:
    recipe, model, optimizer = adamw()
    keep_ratios(optimizer)
    for group in optimizer.param_groups:
        group["lr"] = 0.25
    optimizer.step()
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.0625, 0.0625]
    recipe.verify(model, optimizer)


@pytest.mark.parametrize("name", ABSOLUTE)
def test_a_resumed_schedule_goes_on_as_if_never_interrupted(name: str) -> None:
    *_, whole = adamw()
    keep_ratios(whole)
    wanted = rates(whole, ABSOLUTE[name])
    *_, first = adamw()
    keep_ratios(first)
    scheduler = ABSOLUTE[name](first)
    for _ in range(STEPS // 2):
        first.step()
        advance(scheduler)
    *_, second = adamw()
    keep_ratios(second)
    resumed = ABSOLUTE[name](second)
    resumed.load_state_dict(copy.deepcopy(scheduler.state_dict()))
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for row in wanted[STEPS // 2 :]:
        second.step()
        assert [group["lr"] for group in second.param_groups] == row
        advance(resumed)


def test_groups_of_a_tensor_rate_share_no_tensor() -> None:
    # microsoft/mup divides one tensor in place: the vectors' rate shrinks along.
    lr = torch.tensor(LR)
    recipe, model, optimizer = adamw(lr)
    held = [group["lr"] for group in optimizer.param_groups]
    assert [float(value) for value in held] == [0.5, 0.125, 0.125]
    assert len({value.data_ptr() for value in [lr, *held]}) == 4
    keep_ratios(optimizer)
    rates(optimizer, ABSOLUTE["CosineAnnealingLR"])
    assert all(g["lr"] is value for g, value in zip(optimizer.param_groups, held, strict=True))
    optimizer.step()
    recipe.verify(model, optimizer)
    assert float(lr) == LR


@pytest.mark.filterwarnings("ignore:.torch.jit.script_method:DeprecationWarning")  # torch's own
def test_a_compiled_step_keeps_the_ratios() -> None:
    recipe, model, optimizer = adamw(torch.tensor(LR))
    keep_ratios(optimizer)
    step = torch.compile(optimizer.step, backend="eager")
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    for lr in (0.25, 0.125):
        for group in optimizer.param_groups:
            group["lr"].fill_(lr)
        step()
        assert [float(g["lr"]) for g in optimizer.param_groups] == [lr, lr / 4, lr / 4]
    recipe.verify(model, optimizer)


def test_verify_looks_behind_a_rate_of_zero() -> None:
    recipe, model, optimizer = adamw()
    MULTIPLYING["LambdaLR"](optimizer)
    assert [group["lr"] for group in optimizer.param_groups] == [0, 0, 0]
    recipe.verify(model, optimizer)
    plain_one = torch.optim.AdamW(model.parameters(), lr=LR)
    MULTIPLYING["LambdaLR"](plain_one)
    with pytest.raises(ParametrizationError, match=r"got lr=0.5 .* wanted the ratio 0.25"):
        recipe.verify(model, plain_one)


def test_groups_without_multipliers_are_refused() -> None:
    with pytest.raises(ParametrizationError, match=r"a group without lr_mult.*param_groups"):
        keep_ratios(plain())
    frozen = nn.Parameter(torch.zeros(1))
    with pytest.raises(ParametrizationError, match=r"lr_mult are all 0, wanted one that trains"):
        keep_ratios(torch.optim.SGD([{"params": [frozen], "lr": 0.0, "lr_mult": 0.0}]))


def test_a_state_dict_of_other_groups_is_refused_at_the_next_step() -> None:
    *_, optimizer = adamw()
    keep_ratios(optimizer)
    model = build(64)
    foreign = torch.optim.AdamW([{"params": [p]} for p in list(model.parameters())[:3]])
    state = foreign.state_dict()
    state["param_groups"] = [
        saved | {"params": own["params"]}
        for saved, own in zip(
            state["param_groups"], optimizer.state_dict()["param_groups"], strict=True
        )
    ]
    optimizer.load_state_dict(state)
    with pytest.raises(ParametrizationError, match=r"got no group with lr_mult 1.*then load"):
        optimizer.step()
