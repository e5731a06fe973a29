"""Several processes: the same initial weights and the same training, however tensors are spread.

Real processes over gloo on the CPU. They write what they found; the tests compare it with one
process that holds the whole model.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.distributed.checkpoint import state_dict as checkpoints
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    ParallelStyle,
    RowwiseParallel,
    parallelize_module,
)
from torch.multiprocessing.spawn import spawn

from lrtransfer.errors import ParametrizationError
from lrtransfer.parametrization.parametrize import parametrize
from lrtransfer.parametrization.recipe.recipe import Recipe
from lrtransfer.parametrization.recipe.sharding import BLOCK, take_local_part

# Of the middle tensor a process of two holds parts of two blocks; five outputs are spread unevenly,
# and of one output the second process holds nothing.
WIDTH = 1056
assert WIDTH**2 // 2 < BLOCK < WIDTH**2

State = dict[str, torch.Tensor]


class Net(nn.Module):
    """Start from normal, uniform and constant values."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.embed = nn.Linear(8, n)
        self.norm = nn.LayerNorm(n)
        self.hidden = nn.Linear(n, n)
        self.outputs = nn.Linear(n, 5)
        self.value = nn.Linear(n, 1)
        nn.init.normal_(self.hidden.weight, std=n**-0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.hidden(F.relu(self.norm(self.embed(x))))
        return torch.cat((self.outputs(h), self.value(h)), dim=-1)


def recipe_at(width: int) -> Recipe:
    return parametrize(Net, width=width, base_width=16)


def whole(model: nn.Module) -> State:
    """Return copies of the whole tensors, under the names of the model inside DDP."""
    return {
        name.removeprefix("module."): (p.full_tensor() if isinstance(p, DTensor) else p)
        .detach()
        .clone()
        for name, p in model.named_parameters()
    }


def seeded(width: int) -> nn.Module:
    torch.manual_seed(5)
    return Net(width)


def spread(processes: int, work: Callable[..., None], folder: Path) -> list[dict[str, Any]]:
    """Return what `work(rank, processes, folder)` saved in every process."""
    spawn(work, (processes, folder), nprocs=processes)
    return [torch.load(folder / f"{rank}.pt") for rank in range(processes)]


def join(rank: int, processes: int, folder: Path) -> None:
    torch.set_num_threads(1)
    store = f"file://{folder / 'store'}"
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=processes)


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    draw = torch.randn(8, 14, generator=generator, dtype=torch.float64)
    return draw[:, :8], draw[:, 8:]


def train(recipe: Recipe, model: nn.Module, part: slice) -> torch.optim.Optimizer:
    """Take two steps on a part of the batch."""
    groups = recipe.param_groups(model, lr=2**-6, weight_decay=0.1, eps=1e-8)
    optimizer = torch.optim.AdamW(groups)
    inputs, targets = batch()
    for _ in range(2):
        optimizer.zero_grad()
        F.mse_loss(model(inputs[part]), targets[part]).backward()
        optimizer.step()
    recipe.verify(model, optimizer)
    return optimizer


def settings(optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
    return [{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups]


def two_processes(rank: int, processes: int, folder: Path) -> None:
    join(rank, processes, folder)
    mesh = init_device_mesh("cpu", (processes,))
    found = sharded_starts(mesh) | sharded_training(mesh) | data_parallel(rank)
    torch.save(found, folder / f"{rank}.pt")
    dist.destroy_process_group()


def sharded_starts(mesh: DeviceMesh) -> dict[str, Any]:
    recipe = recipe_at(WIDTH)
    rows, columns = Net(WIDTH), Net(WIDTH)
    fully_shard(rows, mesh=mesh)
    fully_shard(columns.hidden, mesh=mesh, shard_placement_fn=lambda p: Shard(p.ndim - 1))
    with torch.device("meta"):
        skeleton = Net(WIDTH)
    fully_shard(skeleton.hidden, mesh=mesh)
    fully_shard(skeleton, mesh=mesh)
    skeleton.to_empty(device="cpu")
    for model in (rows, columns, skeleton):
        recipe.initialize(model, seed=3)
    kept = seeded(64)
    fully_shard(kept, mesh=mesh)
    recipe_at(64).initialize(kept, keep=True)
    return {
        "rows": whole(rows),
        "columns": whole(columns),
        "from meta": whole(skeleton),
        "keep": whole(kept),
        "here": [tuple(take_local_part(p).values.shape) for p in rows.parameters() if p.ndim == 2],
        "columns here": tuple(take_local_part(columns.hidden.weight).values.shape),
    }


def sharded_training(mesh: DeviceMesh) -> dict[str, Any]:
    recipe, model = recipe_at(64), Net(64).double()
    unsharded = recipe.param_groups(model, lr=2**-6, weight_decay=0.1, eps=1e-8)
    fully_shard(model.hidden, mesh=mesh)
    fully_shard(model, mesh=mesh)
    recipe.initialize(model, seed=3)
    optimizer = train(recipe, model, slice(None))
    saved = checkpoints.get_optimizer_state_dict(model, optimizer)
    fresh = torch.optim.AdamW(recipe.param_groups(model, lr=1.0, weight_decay=0.1, eps=1e-8))
    checkpoints.set_optimizer_state_dict(model, fresh, saved)
    recipe.verify(model, fresh)
    with pytest.raises(ParametrizationError) as refusal:
        recipe.verify(model, torch.optim.AdamW(unsharded))
    return {
        "sharded": whole(model),
        "settings": settings(optimizer),
        "settings loaded": settings(fresh),
        "groups from before": str(refusal.value),
    }


def data_parallel(rank: int) -> dict[str, Any]:
    recipe, plain = recipe_at(64), Net(64).double()
    model = nn.parallel.DistributedDataParallel(plain)
    recipe.initialize(model, seed=3)
    start = whole(model)
    train(recipe, model, slice(4 * rank, 4 * rank + 4))
    return {"parallel start": start, "parallel": whole(model)}


Found = list[dict[str, Any]]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    return spread(2, two_processes, tmp_path_factory.mktemp("two"))


def require_equal(state: State, wanted: State) -> None:
    assert state.keys() == wanted.keys()
    assert [name for name in wanted if not torch.equal(state[name], wanted[name])] == []


def require_close(state: State, wanted: State) -> None:
    for name in wanted:
        torch.testing.assert_close(state[name], wanted[name], rtol=1e-11, atol=1e-11, msg=name)


@pytest.mark.parametrize("how", ["rows", "columns", "from meta"])
def test_sharded_models_start_as_the_whole_one_does(found: Found, how: str) -> None:
    wanted = whole(recipe_at(WIDTH).initialize(Net(WIDTH), seed=3))
    for process in found:
        require_equal(process[how], wanted)


def test_processes_hold_different_and_uneven_parts(found: Found) -> None:
    embed, hidden = (WIDTH // 2, 8), (WIDTH // 2, WIDTH)
    assert found[0]["here"] == [embed, hidden, (3, WIDTH), (1, WIDTH)]
    assert found[1]["here"] == [embed, hidden, (2, WIDTH), (0, WIDTH)]
    assert found[0]["columns here"] == (WIDTH, WIDTH // 2)
    weight = found[0]["rows"]["hidden.weight"]
    assert not torch.equal(weight[: WIDTH // 2], weight[WIDTH // 2 :])


def test_kept_values_are_rescaled_by_the_scale_of_the_whole_tensor(found: Found) -> None:
    wanted = whole(recipe_at(64).initialize(seeded(64), keep=True))
    for process in found:
        for name, value in process["keep"].items():
            torch.testing.assert_close(value, wanted[name], rtol=1e-6, atol=0, msg=name)


def test_sharded_training_is_training_of_the_whole_model(found: Found) -> None:
    recipe, model = recipe_at(64), Net(64).double()
    recipe.initialize(model, seed=3)
    optimizer = train(recipe, model, slice(None))
    for process in found:
        require_close(process["sharded"], whole(model))
        assert process["settings"] == settings(optimizer)


def test_a_distributed_checkpoint_keeps_rates_and_multipliers(found: Found) -> None:
    for process in found:
        assert process["settings loaded"] == process["settings"]
        assert [group["lr_mult"] for group in process["settings loaded"]] == [1, 1, 0.25, 0.25, 1]


def test_groups_made_before_sharding_are_refused(found: Found) -> None:
    for process in found:
        assert "got an optimizer without 'embed.weight' (10 of 10" in process["groups from before"]


def test_data_parallel_training_is_training_on_the_whole_batch(found: Found) -> None:
    recipe, model = recipe_at(64), Net(64).double()
    start = whole(recipe.initialize(model, seed=3))
    train(recipe, model, slice(None))
    for process in found:
        require_equal(process["parallel start"], start)
        require_close(process["parallel"], whole(model))


def four_processes(rank: int, processes: int, folder: Path) -> None:
    join(rank, processes, folder)
    mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("data", "inner"))
    hybrid, tensor_parallel = Net(36), Net(36)
    fully_shard(hybrid, mesh=mesh)
    ways: dict[str, ParallelStyle] = {"hidden": ColwiseParallel(), "outputs": RowwiseParallel()}
    parallelize_module(tensor_parallel, mesh["inner"], ways)
    fully_shard(tensor_parallel, mesh=mesh["data"])
    for model in (hybrid, tensor_parallel):
        recipe_at(36).initialize(model, seed=3)
    found = {"hybrid": whole(hybrid), "tensor parallel": whole(tensor_parallel)}
    torch.save(found, folder / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
def test_starts_are_the_same_on_meshes_of_two_dimensions(tmp_path: Path) -> None:
    wanted = whole(recipe_at(36).initialize(Net(36), seed=3))
    for process in spread(4, four_processes, tmp_path):
        require_equal(process["hybrid"], wanted)
        require_equal(process["tensor parallel"], wanted)


def test_sums_over_processes_are_refused(tmp_path: Path) -> None:
    join(0, 1, tmp_path)
    mesh = init_device_mesh("cpu", (1,))
    tensor = distribute_tensor(torch.ones(2, 3), mesh, [Replicate()])
    assert take_local_part(tensor).values.shape == (2, 3)
    partial = DTensor.from_local(torch.ones(2, 3), mesh, [Partial()])
    with pytest.raises(ParametrizationError, match=r"shape \(2, 3\).*a Partial tensor has no"):
        take_local_part(partial)
    dist.destroy_process_group()
