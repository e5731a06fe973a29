"""Deliberate mistakes, with which the coordinate check is tested and measured.

A mistake multiplies something by a power of the width ratio r = n / n_0: the initial standard
deviation or the learning rate of all tensors of a role, or the output. At the base width the factor
is 1, as in practice, where the learning rate is tuned at the base width.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from ..parametrization.parametrize import parametrize
from ..parametrization.recipe.tensor import TensorRecipe
from ..parametrization.roles.roles import Build
from ..parametrization.rules import Role
from .coordinates import Make, recipe_maker

RolePowers = Mapping[Role, float]


@dataclass(frozen=True)
class Mistake:
    """A mistake, and what the check should say about it.

    Attributes:
        init: Wrong powers of r in the initial standard deviation, by role.
        lr: Wrong powers of r in the learning rate, by role.
        output: Wrong power of r in a factor on the output of the readout.
        single: Whether only the middle tensor of the role is wrong.
        says: Text that the cause of the first suspect must contain.
    """

    says: str
    init: RolePowers = field(default_factory=dict)
    lr: RolePowers = field(default_factory=dict)
    output: float = 0.0
    single: bool = False


_I, _H, _O, _V = Role.INPUT, Role.HIDDEN, Role.OUTPUT, Role.VECTOR
_NOTHING_SCALED = "nothing is scaled with width"
_ONE_RATE = "share one learning rate"

# Correct learning rates differ between Adam and SGD, hence so do some mistakes.
_COMMON = {
    "readout lr unscaled": Mistake("output learning rate", lr={_O: 1}),
    "readout init as in SP": Mistake("readout init is too large", init={_O: 0.5}),
    "hidden lr too large by n": Mistake("hidden learning rate", lr={_H: 1}),
    "hidden init constant": Mistake("hidden init is not scaled", init={_H: 0.5}),
    "input lr too small by n": Mistake("input learning rate", lr={_I: -1}),
    "one hidden lr too large by n": Mistake("hidden learning rate", lr={_H: 1}, single=True),
    "one hidden tensor as readout": Mistake("hidden init shrinks", init={_H: -0.5}, single=True),
    "output multiplied twice": Mistake("the output is scaled down twice", output=-1),
    "vector lr too small by n": Mistake("vector learning rate", lr={_V: -1}),
    "vector lr too large by n": Mistake("vector learning rate", lr={_V: 1}),
    "input init shrinks": Mistake("input init depends on width", init={_I: -0.5}),
}
MISTAKES: Mapping[str, Mapping[str, Mistake]] = {
    "adamw": _COMMON
    | {
        "plain optimizer": Mistake(_ONE_RATE, lr={_H: 1, _O: 1}),
        "base = target": Mistake(_NOTHING_SCALED, lr={_H: 1, _O: 1}, init={_O: 0.5}),
        "rule of SGD": Mistake("rule of SGD", lr={_I: 1, _H: 1, _V: 1}),
        "multipliers inverted": Mistake("multipliers are inverted", lr={_H: 2, _O: 2}),
    },
    "sgd": _COMMON
    | {
        "plain optimizer": Mistake(_ONE_RATE, lr={_I: -1, _O: 1, _V: -1}),
        "base = target": Mistake(_NOTHING_SCALED, lr={_I: -1, _O: 1, _V: -1}, init={_O: 0.5}),
        "rule of Adam": Mistake("rule of Adam", lr={_I: -1, _H: -1, _V: -1}),
        "multipliers inverted": Mistake("multipliers are inverted", lr={_I: -2, _O: 2, _V: -2}),
    },
}


def mistake_maker(
    build: Build, mistake: Mistake, *, optimizer: str, base_width: int, **options: Any
) -> Make:
    """Return a function that makes a model in muP with one mistake, and its optimizer.

    Arguments:
        build: Function from a width to a model.
        mistake: The mistake.
        optimizer: As in `parametrize`.
        base_width: As in `parametrize`.
        **options: Further options of `parametrize`.

    Returns:
        Function from width and seed to model and optimizer.
    """
    settings: dict[str, Any] = {"optimizer": optimizer, "base_width": base_width, **options}
    correct = recipe_maker(build, **settings)
    tensors = parametrize(build, width=base_width, **settings).tensors
    powers = {t.name: _powers(t, mistake, tensors) for t in tensors}
    readout = next(t.name for t in tensors if t.role is Role.OUTPUT)

    def make(width: int, seed: int) -> tuple[nn.Module, torch.optim.Optimizer]:
        model, trainer = correct(width, seed)
        ratio = width / base_width
        group_of = {id(p): group for group in trainer.param_groups for p in group["params"]}
        trainer.param_groups = []
        for name, parameter in model.named_parameters():
            init, lr = powers[name]
            with torch.no_grad():
                parameter.mul_(ratio**init)
            group = group_of[id(parameter)]
            rate = {"params": [parameter], "lr": group["lr"] * ratio**lr}
            trainer.param_groups.append(group | rate)
        if mistake.output:
            factor = ratio**mistake.output
            layer = model.get_submodule(readout.rpartition(".")[0])
            layer.register_forward_hook(lambda module, args, output: output * factor)
        return model, trainer

    return make


def _powers(
    tensor: TensorRecipe, mistake: Mistake, tensors: tuple[TensorRecipe, ...]
) -> tuple[float, float]:
    peers = [t.name for t in tensors if t.role is tensor.role]
    if mistake.single and tensor.name != peers[len(peers) // 2]:
        return 0.0, 0.0
    return mistake.init.get(tensor.role, 0.0), mistake.lr.get(tensor.role, 0.0)
