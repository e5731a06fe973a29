r"""What an optimizer does to a model of width 64 and of width 256, beside what the recipe promises.

Independent of the trial inside `verify`: the optimizer is made by its constructor from the groups
of the recipe, on the model itself, at both widths, and its steps are compared at the end.

Under μP the entries of an update of elementwise optimizers change with r = 4 as 1 (input), 1/r
(hidden, output); those of an orthogonal one, of full rank, as r^-1/2 (hidden). Gradients are given
as they are under μP: smaller by 1/r below the readout. Weight decay takes the same share of a
matrix at both widths, lr · weight_decay or, divided by the rate, weight_decay.
"""

import importlib
import itertools
import math
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import torch
from torch import nn

import lrtransfer as lt
from lrtransfer.parametrization.optimizers import KINDS
from lrtransfer.parametrization.recipe.recipe import Recipe

from .catalog import DECAY, LR, Configuration

BASE, WIDTH = 64, 256
LAYERS = 3
STEPS = (4, 24)  # the latter where nothing moved before
FIRST = (1, 2, 24)
INPUT, HIDDEN, OUTPUT = "0.weight", tuple(f"{i + 1}.weight" for i in range(LAYERS)), "4.weight"
_PROMISED = {INPUT: 1.0, HIDDEN[0]: 1 / 4, OUTPUT: 1 / 4}
Values = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Made:
    """A model of one width with the optimizers that train it; the first is the one tried."""

    recipe: Recipe
    model: nn.Module
    optimizers: tuple[torch.optim.Optimizer, ...]


def build(width: int) -> nn.Module:
    """Return a linear network; its hidden matrices are alike."""
    sides = [32, *[width] * (LAYERS + 1), 16]
    layers = [nn.Linear(a, b, bias=False) for a, b in itertools.pairwise(sides)]
    return nn.Sequential(*layers)


def make(configuration: Configuration, width: int, *, decay: float = 0.0) -> Made:
    """Return a model with the optimizer of a configuration, and AdamW for what it leaves."""
    cls = getattr(importlib.import_module(configuration.module), configuration.name)
    recipe, values = _make_recipe(cls, configuration.follows, width)
    model = build(width)
    model.load_state_dict(values)
    groups = {
        kind: recipe.param_groups(model, lr=LR, weight_decay=decay, eps=1e-8, optimizer=kind)
        for kind in recipe.optimizers
    }
    mine = [_strip(g, configuration) for g in groups.pop(configuration.follows)]
    rest = [torch.optim.AdamW(own) for own in groups.values()]
    return Made(recipe, model, (cls(mine, **configuration.options), *rest))


@cache
def _make_recipe(cls: Any, follows: str, width: int) -> tuple[Recipe, Values]:
    """Return a recipe with its initial values, those of the hidden matrices all alike."""
    recipe = lt.parametrize(build, width=width, base_width=BASE, optimizer=cls, follows=follows)
    values = recipe.initialize(build(width), seed=0).state_dict()
    return recipe, values | {name: values[HIDDEN[0]] for name in HIDDEN}


def _strip(group: dict[str, Any], configuration: Configuration) -> dict[str, Any]:
    """Return a group as a package wants it, without the recipe's names where it minds them."""
    if configuration.package == "muon-optimizer":
        keys = {"params", "lr", "weight_decay"}
        if configuration.in_groups.get("use_muon") is False:
            keys |= {"eps"}
        group = {key: value for key, value in group.items() if key in keys}
    return group | dict(configuration.in_groups)


def find_faults(configuration: Configuration) -> list[str]:
    """Return in what the optimizer does otherwise at one of the widths than the recipe promises."""
    try:
        _, moved = _run(configuration, BASE)
        _, moved_wide = _run(configuration, WIDTH)
        faults = _compare_steps(configuration, _sizes(moved), _sizes(moved_wide))
        _, still = _run(configuration, WIDTH, gradient=0.0)
        if _size(still[HIDDEN[0]]) > 0.05 * _size(moved_wide[HIDDEN[0]]):
            faults.append("moves without a gradient")
        return faults + _find_faults_of_decay(configuration)
    except Exception as error:  # of the package
        return [f"raises {type(error).__name__}"]


def _compare_steps(
    configuration: Configuration, sizes: dict[str, float], wide: dict[str, float]
) -> list[str]:
    faults = []
    family = KINDS[configuration.follows].family
    promised = dict(_PROMISED)
    if KINDS[configuration.follows].matrices_only:
        # The rule of SOAP is for gradients of low rank, which these are not.
        promised = {} if family == "soap" else {HIDDEN[0]: 1 / 2}
    for name, ratio in promised.items():
        measured = wide[name] / sizes[name] if sizes[name] else math.nan
        if not 0.8 < measured / ratio < 1.25:
            faults.append(f"{_ROLES[name]} step x {measured:.2g} (promised {ratio:g})")
    equal = [wide[name] for name in HIDDEN]
    if max(equal) > 1.1 * min(equal):
        faults.append(f"equal tensors differ by {max(equal) / max(min(equal), 1e-30):.2f}")
    return faults


_ROLES = {INPUT: "input", HIDDEN[0]: "hidden", OUTPUT: "output"}


def _find_faults_of_decay(configuration: Configuration) -> list[str]:
    steps, start, plain = _find_first_step(configuration)
    run = partial(_run, configuration, steps=(steps,))
    _, decayed = run(BASE, decay=DECAY)
    _, still = run(BASE, gradient=0.0)
    _, alone = run(BASE, gradient=0.0, decay=DECAY)
    _, mixed = _shrink(start, still, alone)
    if mixed > 0.1 and configuration.follows != "sgd":
        return ["decay is mixed into the moments"]
    narrow, _ = _shrink(start, plain, decayed)
    start, plain = run(WIDTH)
    wide, _ = _shrink(start, plain, run(WIDTH, decay=DECAY)[1])
    unit = LR * DECAY * steps
    if abs(narrow) < 1e-4 * unit:
        return ["no decay"]
    if not 0.8 < wide / narrow < 1.25:
        return [f"decay x {wide / narrow:.2g} at four times the width"]
    relative = KINDS[configuration.follows].family in {"trust_ratio", "gradient"}
    usual = any(0.45 < narrow / unit * by < 1.4 for by in (1.0, LR)) or steps > 2
    return [] if usual or relative else [f"decay is {narrow / unit:.3g} times lr * weight_decay"]


def _find_first_step(configuration: Configuration) -> tuple[int, Values, Values]:
    """Return the number of steps after which something has moved, the start, and the moves."""
    for steps in FIRST:
        start, moved = _run(configuration, BASE, steps=(steps,))
        if _size(moved[HIDDEN[0]]) > 0:
            break
    return steps, start, moved


def _shrink(start: Values, plain: Values, decayed: Values) -> tuple[float, float]:
    """Return what share of a hidden matrix decay takes, and what else it does."""
    weights, taken = start[HIDDEN[0]], plain[HIDDEN[0]] - decayed[HIDDEN[0]]
    share = float((taken * weights).sum() / (weights * weights).sum())
    return share, _size(taken - share * weights) / _size(taken) if _size(taken) else 0.0


def _run(
    configuration: Configuration,
    width: int,
    *,
    gradient: float = 0.1,
    decay: float = 0.0,
    steps: tuple[int, ...] = STEPS,
) -> tuple[Values, Values]:
    """Return the initial values of a model, and how far each tensor moves in some steps."""
    for total in steps:
        torch.manual_seed(0)
        made = make(configuration, width, decay=decay)
        getattr(made.optimizers[0], "train", lambda: None)()
        start = {name: p.detach().clone() for name, p in made.model.named_parameters()}
        for step in range(total):
            for name, p in made.model.named_parameters():
                below = name != OUTPUT
                p.grad = gradient * _draw(p.shape, step) * (BASE / width if below else 1.0)
            for optimizer in made.optimizers:
                optimizer.step()
        moved = {name: p.detach() - start[name] for name, p in made.model.named_parameters()}
        if not gradient or _size(moved[HIDDEN[0]]) > 0:
            break
    return start, moved


@cache
def _draw(shape: torch.Size, step: int) -> torch.Tensor:
    """Return a gradient: one direction for all steps, and noise."""
    fixed, noise = (torch.Generator().manual_seed(seed) for seed in (0, step + 1))
    return torch.randn(*shape, generator=fixed) + 0.3 * torch.randn(*shape, generator=noise)


def _size(values: torch.Tensor) -> float:
    return float(values.double().square().mean().sqrt())


def _sizes(values: Values) -> dict[str, float]:
    """Return the typical size of the entries: single ones may be far larger, or many 0."""
    return {name: float(t.double().abs().sqrt().mean() ** 2) for name, t in values.items()}
