"""Accelerate and Lightning: their wrappers, schedulers and checkpoints, with the real packages."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler as schedulers

from lrtransfer import keep_ratios
from lrtransfer.errors import ParametrizationError
from lrtransfer.parametrization.parametrize import parametrize
from lrtransfer.parametrization.recipe.recipe import Recipe

LR, STEPS = 2.0**-4, 8

# What importing them warns of is theirs.
pytestmark = pytest.mark.filterwarnings("ignore")
Optimizer = torch.optim.Optimizer
Make = Callable[[Optimizer], Any]
SCHEDULERS: dict[str, Make] = {
    "OneCycleLR": lambda o: schedulers.OneCycleLR(o, LR, total_steps=2 * STEPS),
    "eta_min": lambda o: schedulers.CosineAnnealingLR(o, 2 * STEPS, eta_min=0.01),
    "plain cosine": lambda o: schedulers.CosineAnnealingLR(o, 2 * STEPS),
}


def build(n: int) -> nn.Module:
    return nn.Sequential(nn.Linear(3, n), nn.ReLU(), nn.Linear(n, n), nn.ReLU(), nn.Linear(n, 1))


def make() -> tuple[Recipe, nn.Module]:
    recipe = parametrize(build, width=64, base_width=16)
    return recipe, recipe.initialize(build(64), seed=0)


def make_optimizer(recipe: Recipe, model: nn.Module, *, kept: bool = True) -> torch.optim.AdamW:
    groups = recipe.param_groups(model, lr=LR, weight_decay=0.1, eps=1e-8)
    optimizer = torch.optim.AdamW(groups, lr=LR)
    if kept:
        keep_ratios(optimizer)
    return optimizer


def step(model: nn.Module, optimizer: Any, backward: Any = None) -> None:
    optimizer.zero_grad()
    loss = model(torch.ones(4, 3)).square().mean()
    loss.backward() if backward is None else backward(loss)
    optimizer.step()


@pytest.mark.parametrize("name", SCHEDULERS)
def test_the_ratios_of_the_next_step_are_verified(name: str) -> None:
    recipe, model = make()
    optimizer = make_optimizer(recipe, model)
    scheduler = SCHEDULERS[name](optimizer)
    for _ in range(STEPS):
        recipe.verify(model, optimizer)  # just before a step: the rates are the scheduler's
        step(model, optimizer)
        recipe.verify(model, optimizer)
        scheduler.step()


def test_other_multiples_are_found_though_the_ratios_are_kept() -> None:
    recipe, model = make()
    optimizer = make_optimizer(recipe, model)
    scheduler = SCHEDULERS["eta_min"](optimizer)
    step(model, optimizer)
    scheduler.step()
    optimizer.param_groups[1]["lr_mult"] *= 2
    with pytest.raises(ParametrizationError, match="wanted the ratio"):
        recipe.verify(model, optimizer)


def test_a_group_overwritten_alone_is_found_though_the_ratios_are_kept() -> None:
    recipe = parametrize(build, width=64, base_width=16, optimizer="sgd")
    model = recipe.initialize(build(64), seed=0)
    optimizer = torch.optim.SGD(recipe.param_groups(model, lr=LR, weight_decay=0), lr=LR)
    keep_ratios(optimizer)
    step(model, optimizer)
    recipe.verify(model, optimizer)
    assert len({group["lr"] for group in optimizer.param_groups}) > 2
    optimizer.param_groups[-1]["lr"] *= 2
    with pytest.raises(ParametrizationError, match="wanted the ratio"):
        recipe.verify(model, optimizer)


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("steps", [0, 1, STEPS])
def test_a_checkpoint_loaded_is_verified(name: str, steps: int, tmp_path: Path) -> None:
    recipe, model = make()
    optimizer = make_optimizer(recipe, model)
    scheduler = SCHEDULERS[name](optimizer)
    for _ in range(steps):
        step(model, optimizer)
        scheduler.step()
    torch.save([o.state_dict() for o in (model, optimizer, scheduler)], tmp_path / "checkpoint")
    recipe, model = make()
    again = make_optimizer(recipe, model)
    later = SCHEDULERS[name](again)
    states = torch.load(tmp_path / "checkpoint", weights_only=False)
    for thing, state in zip((model, again, later), states, strict=True):
        thing.load_state_dict(state)
    recipe.verify(model, again)
    step(model, again)
    recipe.verify(model, again)
    assert [g["lr"] for g in again.param_groups] == pytest.approx([
        again.param_groups[0]["lr"] * g["lr_mult"] for g in again.param_groups
    ])


def test_without_the_hook_a_checkpoint_of_unequal_ratios_is_found() -> None:
    recipe, model = make()
    optimizer = make_optimizer(recipe, model)
    scheduler = SCHEDULERS["eta_min"](optimizer)
    for _ in range(STEPS):
        step(model, optimizer)
        scheduler.step()
    again = make_optimizer(recipe, model, kept=False)
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    with pytest.raises(ParametrizationError, match=r"call keep_ratios\(optimizer\)"):
        recipe.verify(model, again)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_accelerate(name: str) -> None:
    accelerate = pytest.importorskip("accelerate")
    recipe, plain = make()
    own = make_optimizer(recipe, plain, kept=False)
    accelerator = accelerate.Accelerator(cpu=True)
    model, optimizer = accelerator.prepare(plain, own)
    assert optimizer is not own
    keep_ratios(optimizer)  # the wrapper's hooks would never run
    scheduler = accelerator.prepare(SCHEDULERS[name](own))
    for _ in range(STEPS):
        recipe.verify(model, optimizer)
        step(model, optimizer, backward=accelerator.backward)
        recipe.verify(model, optimizer)
        scheduler.step()
    multiples = [group["lr_mult"] for group in own.param_groups]
    step(model, optimizer, backward=accelerator.backward)
    reference = own.param_groups[multiples.index(1)]["lr"]
    assert [g["lr"] for g in own.param_groups] == pytest.approx([reference * m for m in multiples])


def test_accelerate_does_not_hide_a_plain_optimizer() -> None:
    accelerate = pytest.importorskip("accelerate")
    recipe, model = make()
    accelerator = accelerate.Accelerator(cpu=True)
    optimizer = accelerator.prepare(torch.optim.AdamW(model.parameters(), lr=LR))
    with pytest.raises(ParametrizationError, match=r"wanted the ratio 0\.25"):
        recipe.verify(model, optimizer)
    other = accelerator.prepare(
        torch.optim.SGD(recipe.param_groups(model, lr=LR, weight_decay=0, eps=1e-8))
    )
    with pytest.raises(ParametrizationError, match="got an optimizer of class SGD, wanted"):
        recipe.verify(model, other)


def make_module(lightning: Any, recipe: Recipe, name: str, *, kept: bool = True) -> Any:
    class Module(lightning.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.net = recipe.initialize(build(64), seed=0)
            self.verified = 0

        def training_step(self, batch: Any, index: int) -> Any:
            return self.net(batch[0]).square().mean()

        def configure_optimizers(self) -> Any:
            optimizer = make_optimizer(recipe, self.net, kept=kept)
            scheduler = {"scheduler": SCHEDULERS[name](optimizer), "interval": "step"}
            return {"optimizer": optimizer, "lr_scheduler": scheduler}

        def on_train_batch_start(self, *_: Any) -> None:
            recipe.verify(self.net, self.optimizers())

        def on_train_batch_end(self, *_: Any) -> None:
            recipe.verify(self.net, self.trainer.optimizers[0])
            self.verified += 1

    return Module()


def make_trainer(lightning: Any, folder: Path, steps: int) -> Any:
    return lightning.Trainer(
        max_steps=steps,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )


def load_batches() -> Any:
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(64, 3)), 4)


@pytest.mark.parametrize("package", ["lightning.pytorch", "pytorch_lightning"])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_lightning(name: str, package: str, tmp_path: Path) -> None:
    lightning = pytest.importorskip(package)
    recipe, _ = make()
    module = make_module(lightning, recipe, name)
    trainer = make_trainer(lightning, tmp_path, STEPS)
    trainer.fit(module, load_batches())
    assert module.verified == STEPS
    trainer.save_checkpoint(tmp_path / "saved.ckpt")
    again = make_module(lightning, recipe, name)
    resumed = make_trainer(lightning, tmp_path, STEPS + 3)
    resumed.fit(again, load_batches(), ckpt_path=tmp_path / "saved.ckpt", weights_only=False)
    assert again.verified == 3


def test_lightning_without_the_hook_is_found(tmp_path: Path) -> None:
    lightning = pytest.importorskip("lightning.pytorch")
    recipe, _ = make()
    module = make_module(lightning, recipe, "OneCycleLR", kept=False)
    with pytest.raises(ParametrizationError, match=r"call keep_ratios\(optimizer\)"):
        make_trainer(lightning, tmp_path, STEPS).fit(module, load_batches())
