"""A recipe survives what happens to models, and refuses what does not fit."""

import copy
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn

from lrtransfer.errors import ParametrizationError
from lrtransfer.models.configs import MLPConfig
from lrtransfer.models.mlp import MLP
from lrtransfer.parametrization.parametrize import parametrize
from lrtransfer.parametrization.recipe.recipe import Recipe

OPTIMIZERS = ("sgd", "adamw")
SCHEMES = ("sp", "mup")

BASE, WIDTH = 16, 64


def build(n: int) -> nn.Module:
    return MLP(n, MLPConfig(inputs=5, outputs=3))


def make(**options: Any) -> Recipe:
    return parametrize(build, **{"width": WIDTH, "base_width": BASE} | options)


def state(model: nn.Module) -> list[torch.Tensor]:
    return [value.clone() for value in model.state_dict().values()]


def equal(left: list[torch.Tensor], right: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_schemes_are_equal_at_the_base_width(optimizer: str) -> None:
    recipes = [make(width=BASE, scheme=scheme, optimizer=optimizer) for scheme in SCHEMES]
    assert len({recipe.tensors for recipe in recipes}) == 1
    states = [state(recipe.initialize(build(BASE), seed=3)) for recipe in recipes]
    assert equal(*states)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_initial_std_follows_the_rule(scheme: str) -> None:
    recipe = make(scheme=scheme, width=256)
    model = recipe.initialize(build(256), seed=0)
    measured = {n: float(p.detach().std()) for n, p in model.named_parameters()}
    # Variance 1/fan_in at width 16 times the rule at r = 16; 768 entries give the std to 3 %.
    readout = 16**-0.5 / (16 if scheme == "mup" else 4)
    assert measured["readout.weight"] == pytest.approx(readout, rel=0.1)
    assert measured["hidden.0.weight"] == pytest.approx(256**-0.5, rel=0.05)
    assert measured["embed.weight"] == pytest.approx(5**-0.5, rel=0.1)


def test_initialize_twice_is_once_and_order_of_widths_is_irrelevant() -> None:
    recipe = make()
    first = state(recipe.initialize(build(WIDTH), seed=7))
    torch.manual_seed(99)
    make(width=128).initialize(build(128), seed=7)
    model = recipe.initialize(build(WIDTH), seed=1)
    assert equal(first, state(recipe.initialize(model, seed=7)))
    assert not equal(first, state(recipe.initialize(model, seed=8)))


def test_initialize_after_to_empty_equals_eager() -> None:
    recipe = make()
    with torch.device("meta"):
        skeleton = build(WIDTH)
    model = recipe.initialize(skeleton.to_empty(device="cpu"), seed=2)
    assert equal(state(model), state(recipe.initialize(build(WIDTH), seed=2)))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_keep_rescales_once(scheme: str) -> None:
    recipe = make(scheme=scheme)
    model = build(WIDTH)
    before = model.get_parameter("readout.weight").detach().clone()
    recipe.initialize(model, keep=True)
    after = model.get_parameter("readout.weight").detach()
    wanted = next(t.initial.std for t in recipe.tensors if t.name == "readout.weight")
    assert float(after.std(correction=0)) == pytest.approx(wanted, rel=1e-5)
    assert torch.corrcoef(torch.stack((before.flatten(), after.flatten())))[0, 1] > 0.9999
    with pytest.raises(ParametrizationError, match=r"already rescaled"):
        recipe.initialize(copy.deepcopy(model), keep=True)


def test_keep_leaves_rows_of_zero_out_of_the_scale() -> None:
    def padded(n: int) -> nn.Module:
        return nn.Sequential(nn.Embedding(4, n, padding_idx=0), nn.Linear(n, 3))

    recipe, model = parametrize(padded, width=4096, base_width=64), padded(4096)
    recipe.initialize(model, keep=True)
    table = model.get_parameter("0.weight").detach()
    assert float(table[1:].std()) == pytest.approx(recipe.tensors[0].initial.std, rel=0.01)
    assert not table[0].any()


@pytest.mark.parametrize("options", [{}, {"seed": 0, "keep": True}])
def test_initialize_wants_seed_or_keep(options: dict[str, Any]) -> None:
    with pytest.raises(ParametrizationError, match=r"wanted exactly one of them"):
        make().initialize(build(WIDTH), **options)


def test_groups_are_merged_complete_and_scaled() -> None:
    recipe, model = make(scheme="mup"), build(WIDTH)
    groups = recipe.param_groups(model, lr=0.5, weight_decay=0.1, eps=1e-8)
    ids = [id(p) for group in groups for p in group["params"]]
    assert sorted(ids) == sorted(id(p) for p in model.parameters())
    # m = 4: hidden and output lr / 4, decay * 4; epsilon / 4 for hidden and input.
    assert [(g["name"], g["lr"], g["lr_mult"], g["weight_decay"], g["eps"]) for g in groups] == [
        ("input", 0.5, 1.0, 0.1, 2.5e-9),
        ("hidden", 0.125, 0.25, 0.4, 2.5e-9),
        ("output", 0.125, 0.25, 0.4, 1e-8),
    ]


def test_biases_are_not_decayed_and_matrices_that_do_not_grow_are() -> None:
    def layers(n: int) -> nn.Module:
        return nn.Sequential(nn.Linear(4, 4), nn.Linear(4, n), nn.LayerNorm(n), nn.Linear(n, 2))

    for scheme in SCHEMES:
        recipe = parametrize(layers, width=64, base_width=16, scheme=scheme)
        decayed = {t.name for t in recipe.tensors if t.weight_decay}
        assert decayed == {"0.weight", "1.weight", "3.weight"}
        assert recipe.tensors[0].weight_decay == 1


def test_epsilon_must_be_said_where_it_scales() -> None:
    with pytest.raises(ParametrizationError, match=r"got no eps.*because mup scales it"):
        make().param_groups(build(WIDTH), lr=1e-2, weight_decay=0)
    assert "eps" not in make(scheme="sp").param_groups(build(WIDTH), lr=1, weight_decay=0)[0]


def test_recipe_survives_what_models_go_through() -> None:
    recipe = make()
    model = recipe.initialize(build(WIDTH), seed=0)
    loaded = build(WIDTH)
    loaded.load_state_dict(model.state_dict(), assign=True)
    compiled = torch.compile(build(WIDTH), backend="eager")
    assert isinstance(compiled, nn.Module)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), loaded, compiled):
        groups = recipe.param_groups(other, lr=1e-2, weight_decay=0, eps=1e-8)
        recipe.verify(other, torch.optim.AdamW(groups))
    assert pickle.loads(pickle.dumps(recipe)) == recipe


class _Holder(nn.Module):
    def __init__(self, n: int) -> None:
        super().__init__()
        self.module = nn.Linear(3, n)


@pytest.fixture
def process_group(tmp_path: Path) -> Iterator[None]:
    store = f"file://{tmp_path / 'store'}"
    dist.init_process_group("gloo", init_method=store, rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("process_group")
def test_wrappers_are_seen_through_in_any_order() -> None:
    ddp = nn.parallel.DistributedDataParallel
    recipe = parametrize(_Holder, width=64, base_width=16)

    def compiled(model: nn.Module) -> Any:
        return torch.compile(model, backend="eager")

    for wrapped in (
        _Holder(64),
        ddp(_Holder(64)),
        compiled(ddp(_Holder(64))),
        ddp(compiled(_Holder(64))),
        compiled(ddp(compiled(_Holder(64)))),
    ):
        recipe.initialize(wrapped, seed=0)
        groups = recipe.param_groups(wrapped, lr=1e-2, weight_decay=0, eps=1e-8)
        recipe.verify(wrapped, torch.optim.AdamW(groups))


def test_a_rescaled_model_is_known_outside_its_wrapper() -> None:
    recipe, model = make(), build(WIDTH)
    compiled: Any = torch.compile(model, backend="eager")
    recipe.initialize(compiled, keep=True)
    with pytest.raises(ParametrizationError, match=r"already rescaled"):
        recipe.initialize(model, keep=True)


def test_a_refused_model_is_left_as_it_was() -> None:
    class Longer(nn.Module):
        def __init__(self, n: int) -> None:
            super().__init__()
            self.body = build(n)

    model = Longer(WIDTH)
    with pytest.raises(ParametrizationError, match="recipe for width 64: got"):
        make().initialize(model, keep=True)
    own = parametrize(Longer, width=WIDTH, base_width=BASE)
    assert own.initialize(model, keep=True) is model  # not marked by the refusal


@pytest.mark.parametrize("options", [{"seed": 0}, {"keep": True}])
def test_a_model_on_the_meta_device_is_refused(options: dict[str, Any]) -> None:
    with torch.device("meta"):
        skeleton = build(WIDTH)
    with pytest.raises(ParametrizationError, match=r"'embed.weight' on the meta.*to_empty"):
        make().initialize(skeleton, **options)
    make().initialize(skeleton.to_empty(device="cpu"), keep=True)


def test_a_model_of_another_width_is_refused() -> None:
    with pytest.raises(ParametrizationError, match=r"got 'embed.weight' with shape \(32, 5\)"):
        make().initialize(build(32), seed=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scheme": "mub"}, "scheme: got 'mub', wanted one of sp, .*mup"),
        (
            {"optimizer": "lbfgs"},
            "got torch.optim.lbfgs.LBFGS, .* its step comes from a line search",
        ),
        ({"optimizer": "adamv"}, "optimizer: got 'adamv', wanted .* Did you mean 'adam"),
        ({"width": 0}, "width: got 0"),
        ({"base_width": -1}, "base_width: got -1"),
    ],
)
def test_unknown_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ParametrizationError, match=message):
        make(**options)
