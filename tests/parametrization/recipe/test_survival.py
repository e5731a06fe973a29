"""Whatever is done to a model, its recipe resolves or says aloud that it does not."""

import copy
import pickle
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.utils.parametrizations import weight_norm
from torch.optim.swa_utils import AveragedModel
from torch.utils.checkpoint import checkpoint

from lrtransfer.errors import ParametrizationError
from lrtransfer.models.configs import MLPConfig, TransformerConfig
from lrtransfer.models.mlp import MLP
from lrtransfer.models.transformer import Transformer
from lrtransfer.parametrization.parametrize import parametrize
from lrtransfer.parametrization.recipe.recipe import Recipe
from lrtransfer.parametrization.roles.roles import Layout

WIDTH, BASE = 64, 16


def mlp(n: int) -> nn.Module:
    return MLP(n, MLPConfig(inputs=5, outputs=3, depth=1))


def transformer(n: int) -> nn.Module:
    return Transformer(n, TransformerConfig(vocabulary=20, context=8, depth=1))


def convolutional(n: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, n, 3), nn.BatchNorm2d(n), nn.ReLU(), nn.Flatten(), nn.Linear(n, 2)
    )


class Checkpointed(nn.Module):
    def __init__(self, n: int) -> None:
        super().__init__()
        self.body = mlp(n)

    def forward(self, x: torch.Tensor) -> Any:
        return checkpoint(self.body, x, use_reentrant=False)


class Tied(nn.Module):
    """Share a hidden matrix between two layers that use it alike."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.embed = nn.Linear(5, n)
        self.first = nn.Linear(n, n)
        self.second = nn.Linear(n, n)
        self.second.weight = self.first.weight
        self.readout = nn.Linear(n, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.readout(self.second(self.first(self.embed(x))))
        return out


def weight_normed(n: int) -> nn.Module:
    return nn.Sequential(nn.Linear(5, n), weight_norm(nn.Linear(n, n)), nn.Linear(n, 3))


_HIDDEN = "1.parametrizations.weight.original"
LAYOUTS: dict[Any, dict[str, Layout]] = {
    weight_normed: {
        f"{_HIDDEN}0": Layout(contracted=(), produced=(0, 1)),
        f"{_HIDDEN}1": Layout(contracted=(1,), produced=(0,)),
    }
}
BUILDS: list[Callable[[int], nn.Module]] = [
    mlp,
    transformer,
    convolutional,
    Checkpointed,
    Tied,
    weight_normed,
]


def inputs(build: Callable[[int], nn.Module]) -> torch.Tensor:
    if build is transformer:
        return torch.arange(16).view(2, 8)
    return torch.ones(2, 3, 3, 3) if build is convolutional else torch.ones(2, 5)


def recipe_of(build: Callable[[int], nn.Module]) -> Recipe:
    return parametrize(build, width=WIDTH, base_width=BASE, layouts=LAYOUTS.get(build))


def optimizer_of(recipe: Recipe, model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW(recipe.param_groups(model, lr=0.01, weight_decay=0.1, eps=1e-8))


def state(model: nn.Module) -> list[torch.Tensor]:
    return [p.detach().clone() for p in model.parameters()]


def saved(model: nn.Module) -> nn.Module:
    file = BytesIO()
    torch.save(model, file)
    file.seek(0)
    loaded: nn.Module = torch.load(file, weights_only=False)
    return loaded


def into(build: Callable[[int], nn.Module], model: nn.Module, *, assign: bool) -> nn.Module:
    fresh = build(WIDTH)
    fresh.load_state_dict(model.state_dict(), assign=assign)
    return fresh


def emptied(build: Callable[[int], nn.Module]) -> nn.Module:
    with torch.device("meta"):
        skeleton = build(WIDTH)
    return skeleton.to_empty(device="cpu")


def compiled_in_place(model: nn.Module) -> nn.Module:
    model.compile(backend="eager")
    return model


def compiled(model: nn.Module) -> Any:
    return torch.compile(model, backend="eager")


def sharded(model: nn.Module) -> nn.Module:
    fully_shard(model, mesh=init_device_mesh("cpu", (1,)))
    return model


OPERATIONS: dict[str, Callable[[Any, nn.Module], nn.Module]] = {
    "nothing": lambda _, model: model,
    "deepcopy": lambda _, model: copy.deepcopy(model),
    "pickle": lambda _, model: pickle.loads(pickle.dumps(model)),
    "save": lambda _, model: saved(model),
    "load": lambda build, model: into(build, model, assign=False),
    "load assign": lambda build, model: into(build, model, assign=True),
    "to_empty": lambda build, _: emptied(build),
    "compile": lambda _, model: compiled(model),
    "compile in place": lambda _, model: compiled_in_place(model),
    "data parallel": lambda _, model: nn.parallel.DistributedDataParallel(model),
    "fully_shard": lambda _, model: sharded(model),
    "float64": lambda _, model: model.double(),
    "half": lambda _, model: model.half(),
    "average": lambda _, model: AveragedModel(model).module,
}
IMPOSSIBLE = {(weight_normed, "pickle"), (weight_normed, "save")}  # refused by torch
UNTYING = {(Tied, "load assign"), (Tied, "to_empty")}  # torch leaves two separate tensors
CASES = [
    (build, operation)
    for build in BUILDS
    for operation in OPERATIONS
    if (build, operation) not in IMPOSSIBLE | UNTYING
]


@pytest.fixture(scope="module")
def process_group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    store = f"file://{tmp_path_factory.mktemp('group') / 'store'}"
    dist.init_process_group("gloo", init_method=store, rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def recipes() -> dict[Any, Recipe]:
    return {build: recipe_of(build) for build in BUILDS}


def whole(tensor: torch.Tensor) -> torch.Tensor:
    gather = getattr(tensor, "full_tensor", None)
    return gather() if gather else tensor


@pytest.mark.usefixtures("process_group")
@pytest.mark.parametrize(("build", "operation"), CASES)
def test_the_recipe_survives(recipes: dict[Any, Recipe], build: Any, operation: str) -> None:
    recipe = recipes[build]
    wanted = state(recipe.initialize(build(WIDTH), seed=4))
    model = OPERATIONS[operation](build, build(WIDTH))
    recipe.initialize(model, seed=4)
    for parameter, value in zip(model.parameters(), wanted, strict=True):
        assert torch.equal(whole(parameter.detach()), value.to(parameter.dtype))
    optimizer = optimizer_of(recipe, model)
    listed = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(listed) == sorted(map(id, model.parameters()))
    if operation != "half":  # the CPU has no half-precision normalisation of every kind
        x = inputs(build)
        dtype = next(model.parameters()).dtype
        model(x.to(dtype) if x.is_floating_point() else x).square().mean().backward()
        optimizer.step()
        assert all(p.grad is not None for p in model.parameters())
    recipe.verify(model, optimizer)


@pytest.mark.parametrize(("build", "operation"), sorted(UNTYING, key=str))
def test_a_tie_that_broke_is_found_and_can_be_mended(build: Any, operation: str) -> None:
    recipe, model = recipe_of(build), OPERATIONS[operation](build, build(WIDTH))
    assert isinstance(model, Tied)
    with pytest.raises(ParametrizationError, match=r"got 'second.weight' with shape \(64, 64\)"):
        recipe.initialize(model, seed=4)
    model.second.weight = model.first.weight
    recipe.verify(model, optimizer_of(recipe, recipe.initialize(model, seed=4)))


@pytest.mark.usefixtures("process_group")
@pytest.mark.parametrize("operation", ["deepcopy", "load", "fully_shard", "to_empty", "average"])
def test_groups_of_the_model_before_are_refused_after(operation: str) -> None:
    recipe, before = recipe_of(mlp), mlp(WIDTH)
    optimizer = optimizer_of(recipe, before)
    after = OPERATIONS[operation](mlp, before)
    with pytest.raises(ParametrizationError, match=r"got an optimizer without 'embed.weight'"):
        recipe.verify(after, optimizer)


def test_values_that_are_kept_are_not_rescaled_again_after_a_copy() -> None:
    recipe = recipe_of(mlp)
    model = recipe.initialize(mlp(WIDTH), keep=True)
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), saved(model)):
        with pytest.raises(ParametrizationError, match=r"already rescaled"):
            recipe.initialize(copied, keep=True)


def test_an_average_is_not_the_model_itself() -> None:
    with pytest.raises(ParametrizationError, match=r"wanted .* Give it the model that build\(64\)"):
        recipe_of(mlp).initialize(AveragedModel(mlp(WIDTH)), seed=0)


def test_weight_norm_added_later_is_refused() -> None:
    def plain(n: int) -> nn.Module:
        return nn.Sequential(nn.Linear(5, n), nn.Linear(n, n), nn.Linear(n, 3))

    with pytest.raises(ParametrizationError, match=r"got '1\..*Give it the model that build"):
        recipe_of(plain).initialize(weight_normed(WIDTH), seed=0)


def test_functional_calls_and_stacked_models_compute_with_the_recipes_weights() -> None:
    recipe, x = recipe_of(mlp), inputs(mlp)
    models = [recipe.initialize(mlp(WIDTH), seed=seed) for seed in range(3)]
    parameters, buffers = torch.func.stack_module_state(models)
    skeleton = mlp(WIDTH).to("meta")

    def call(own: Any, also: Any) -> Any:
        return torch.func.functional_call(skeleton, (own, also), (x,))

    stacked = torch.func.vmap(call)(parameters, buffers)
    for model, out in zip(models, stacked, strict=True):
        torch.testing.assert_close(out, model(x))


def test_a_checkpoint_keeps_rates_and_multipliers(tmp_path: Path) -> None:
    recipe, model = recipe_of(mlp), mlp(WIDTH)
    optimizer = optimizer_of(recipe, model)
    torch.save(optimizer.state_dict(), tmp_path / "optimizer.pt")
    fresh = torch.optim.AdamW(recipe.param_groups(model, lr=9.0, weight_decay=9.0, eps=1.0))
    fresh.load_state_dict(torch.load(tmp_path / "optimizer.pt"))
    for key in ("lr", "lr_mult", "weight_decay", "eps"):
        own = [group[key] for group in optimizer.param_groups]
        assert [group[key] for group in fresh.param_groups] == own
    recipe.verify(model, fresh)


def test_checkpoints_of_another_width_are_refused() -> None:
    recipe, model = recipe_of(mlp), mlp(WIDTH)
    optimizer = optimizer_of(recipe, model)
    other = parametrize(mlp, width=128, base_width=BASE)
    wider = mlp(128)
    with pytest.raises(RuntimeError, match=r"size mismatch for embed.weight"):
        model.load_state_dict(wider.state_dict())
    optimizer.load_state_dict(optimizer_of(other, wider).state_dict())  # torch does not look
    with pytest.raises(ParametrizationError, match=r"got lr=.*wanted the ratio 0.25"):
        recipe.verify(model, optimizer)
