"""The roles of every model of the zoo, also with every module and parameter renamed."""

import random
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import pytest
from torch import nn

from lrtransfer.parametrization.roles.roles import assign_roles

from .idioms import IDIOMS
from .specimens import Specimen
from .zoo import ZOO

BASE, WIDTH = 32, 128
MODELS = ZOO | IDIOMS


def wanted(specimen: Specimen, name: str) -> str:
    return next(role for pattern, role in specimen.roles.items() if fnmatchcase(name, pattern))


@pytest.mark.parametrize("kind", MODELS)
def test_every_tensor_has_the_role_written_down_for_it(kind: str) -> None:
    specimen = MODELS[kind]
    tensors = assign_roles(specimen.build, width=WIDTH, base_width=BASE, example=specimen.example)
    found = {tensor.name: tensor.role.value for tensor in tensors}
    assert found == {name: wanted(specimen, name) for name in found}


@pytest.mark.parametrize("kind", MODELS)
def test_names_decide_nothing(kind: str) -> None:
    specimen = MODELS[kind]
    options: dict[str, Any] = {"width": WIDTH, "base_width": BASE, "example": specimen.example}
    plain = assign_roles(specimen.build, **options)
    other = assign_roles(renamed(specimen.build), **options)
    assert not {tensor.name for tensor in plain} & {tensor.name for tensor in other}
    assert [tensor.role for tensor in plain] == [tensor.role for tensor in other]
    assert [tensor.layout for tensor in plain] == [tensor.layout for tensor in other]


def renamed(build: Callable[[int], nn.Module]) -> Callable[[int], nn.Module]:
    """Return a builder of the same model with random names of modules and parameters."""

    def rebuild(n: int) -> nn.Module:
        model, generator = build(n), random.Random(0)
        classes: dict[type[nn.Module], tuple[type[nn.Module], dict[str, str]]] = {}
        for module in list(model.modules()):
            if not isinstance(module, nn.RNNBase | nn.MultiheadAttention):
                own = type(module)
                renaming, names = classes.setdefault(own, _renaming(own))
                _rename(module._parameters, names, generator)
                if not isinstance(module, nn.Sequential | nn.ModuleList | nn.ModuleDict):
                    _rename(module._modules, names, generator)
                module.__class__ = renaming
        return model

    return rebuild


def _renaming(own: type[nn.Module]) -> tuple[type[nn.Module], dict[str, str]]:
    """Return a class whose instances find by old names what has a new one, and the names."""
    names: dict[str, str] = {}

    def find(self: nn.Module, name: str) -> Any:
        return own.__getattr__(self, names.get(name, name))

    return type(own.__name__, (own,), {"__getattr__": find}), names


def _rename(table: dict[str, Any], names: dict[str, str], generator: random.Random) -> None:
    for name, value in list(table.items()):
        new = names.setdefault(name, "".join(generator.choices("abcdefgh", k=10)))
        del table[name]
        table[new] = value
