"""Every model of the zoo under every operation: the recipe resolves, or an error says why not.

Nothing may end in silence: after an operation either the same values, multipliers and groups are
there, or an error is raised by the recipe, or by torch where it cannot do the operation at all.
"""

import copy
import pickle
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from lrtransfer.errors import ParametrizationError
from lrtransfer.parametrization.parametrize import parametrize
from lrtransfer.parametrization.recipe.recipe import Recipe

from ..roles.zoo import ZOO

BASE, WIDTH = 32, 64
Operation = Callable[[str, nn.Module], nn.Module]


def copied(kind: str, model: nn.Module) -> nn.Module:
    return copy.deepcopy(model)


def pickled(kind: str, model: nn.Module) -> nn.Module:
    loaded: nn.Module = pickle.loads(pickle.dumps(model))
    return loaded


def loaded(kind: str, model: nn.Module) -> nn.Module:
    fresh = ZOO[kind].build(WIDTH)
    fresh.load_state_dict(model.state_dict())
    return fresh


def assigned(kind: str, model: nn.Module) -> nn.Module:
    fresh = ZOO[kind].build(WIDTH)
    fresh.load_state_dict(model.state_dict(), assign=True)
    return fresh


def emptied(kind: str, model: nn.Module) -> nn.Module:
    with torch.device("meta"):
        skeleton = ZOO[kind].build(WIDTH)
    return skeleton.to_empty(device="cpu")


def compiled(kind: str, model: nn.Module) -> nn.Module:
    made: Any = torch.compile(model, backend="eager")
    module: nn.Module = made
    return module


def data_parallel(kind: str, model: nn.Module) -> nn.Module:
    return nn.parallel.DistributedDataParallel(model)


def sharded(kind: str, model: nn.Module) -> nn.Module:
    fully_shard(model, mesh=init_device_mesh("cpu", (1,)))
    return model


OPERATIONS: dict[str, Operation] = {
    "deepcopy": copied,
    "pickle": pickled,
    "load_state_dict": loaded,
    "load_state_dict(assign)": assigned,
    "to_empty": emptied,
    "compile": compiled,
    "DDP": data_parallel,
    "fully_shard": sharded,
}
FRESH = {"load_state_dict", "load_state_dict(assign)", "to_empty"}  # models without hooks

# What torch (or Python) cannot do, whatever the recipe.
IMPOSSIBLE = {
    "pickle": (AttributeError, pickle.PicklingError, RuntimeError, TypeError),
    "to_empty": (RuntimeError, NotImplementedError, TypeError),  # built on meta at all
    "DDP": (RuntimeError,),
    "fully_shard": (NotImplementedError, ValueError),
}


UNTYING = {"load_state_dict(assign)", "to_empty"}  # torch then separates shared tensors


@lru_cache(maxsize=1)
def recipe_of(kind: str) -> Recipe:
    specimen = ZOO[kind]
    return parametrize(specimen.build, width=WIDTH, base_width=BASE, example=specimen.example)


@pytest.fixture(scope="module", autouse=True)
def _process_group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    store: Path = tmp_path_factory.mktemp("group") / "store"
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def values(model: nn.Module) -> list[torch.Tensor]:
    return [
        p.full_tensor() if isinstance(p, dist.tensor.DTensor) else p.detach()
        for p in model.parameters()
    ]


def verify(recipe: Recipe, model: nn.Module) -> None:
    groups = recipe.param_groups(model, lr=1e-2, weight_decay=0.1, eps=1e-8)
    recipe.verify(model, torch.optim.AdamW(groups))


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("kind", ZOO)
def test_nothing_ends_in_silence(kind: str, operation: str) -> None:
    recipe = recipe_of(kind)
    model = recipe.initialize(ZOO[kind].build(WIDTH), seed=0)
    expected = [value.clone() for value in values(model)]
    try:
        after = OPERATIONS[operation](kind, model)
    except IMPOSSIBLE.get(operation, ()):
        return
    is_bare, refusal = operation in FRESH and bool(recipe.multipliers), ""
    try:
        if operation == "to_empty":
            recipe.initialize(after, seed=0)
        elif is_bare:
            with pytest.raises(ParametrizationError):
                verify(recipe, after)
            recipe.attach(after)
        verify(recipe, after)
    except ParametrizationError as error:
        refusal = str(error)
    if refusal:
        is_untied = operation in UNTYING and len(list(after.parameters())) > len(expected)
        assert is_untied or "wanted the structured values" in refusal
        return
    assert all(a.equal(b) for a, b in zip(values(after), expected, strict=True))
