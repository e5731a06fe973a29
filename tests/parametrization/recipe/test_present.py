"""Weights that were learnt, loaded or frozen are not overwritten without a word."""

import copy
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import transformers
from torch import nn

from lrtransfer.errors import ParametrizationError
from lrtransfer.parametrization.choices import Choices
from lrtransfer.parametrization.parametrize import parametrize
from lrtransfer.parametrization.recipe.recipe import Recipe

BASE, WIDTH = 32, 64
REFUSED = r"initialize: got values that no new model has .*recipe.attach.*overwrite=True"


def normed(n: int) -> nn.Module:
    return nn.Sequential(nn.Linear(8, n), nn.LayerNorm(n), nn.Linear(n, n), nn.Linear(n, 4))


def uniform(n: int) -> nn.Module:
    return nn.Sequential(nn.Linear(8, n), nn.ReLU(), nn.Linear(n, n), nn.ReLU(), nn.Linear(n, 4))


def normal(n: int) -> nn.Module:
    layers = [nn.Linear(a, b, bias=False) for a, b in ((8, n), (n, n), (n, 4))]
    for layer in layers:
        nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
    return nn.Sequential(*layers)


def orthogonal(n: int) -> nn.Module:
    model = normal(n)
    for weight in model.parameters():
        nn.init.orthogonal_(weight)
    return model


BUILDS = [normed, uniform, normal, orthogonal]


@cache
def recipe_of(build: Callable[[int], nn.Module]) -> Recipe:
    return parametrize(build, width=WIDTH, base_width=BASE, example=batch()[0])


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(128, 8, generator=generator)
    return inputs, (inputs @ torch.randn(8, 4, generator=generator)).argmax(1)


def trained(model: nn.Module, *, steps: int = 50) -> nn.Module:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    inputs, classes = batch()
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(model(inputs), classes).backward()
        optimizer.step()
    return model


def loaded(build: Callable[[int], nn.Module], *, assign: bool) -> nn.Module:
    model = build(WIDTH)
    model.load_state_dict(trained(build(WIDTH)).state_dict(), assign=assign)
    return model


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def is_unchanged(model: nn.Module, before: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


MAKERS: dict[str, Callable[[Any], nn.Module]] = {
    "trained": lambda build: trained(build(WIDTH)),
    "trained after initialize": lambda build: trained(
        recipe_of(build).initialize(build(WIDTH), seed=0)
    ),
    "loaded": lambda build: loaded(build, assign=False),
    "loaded, assigned": lambda build: loaded(build, assign=True),
}


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("maker", MAKERS)
def test_learnt_weights_are_refused_and_kept(build: Any, maker: str) -> None:
    torch.manual_seed(0)
    recipe, model = recipe_of(build), MAKERS[maker](build)
    before = state(model)
    with pytest.raises(ParametrizationError, match=REFUSED):
        recipe.initialize(model, seed=0)
    assert is_unchanged(model, before)
    new = recipe.initialize(build(WIDTH), seed=0)
    assert is_unchanged(recipe.initialize(model, seed=0, overwrite=True), state(new))


@pytest.mark.parametrize("build", BUILDS)
def test_new_models_are_drawn_whatever_was_done_to_them(build: Any) -> None:
    recipe = recipe_of(build)
    expected = state(recipe.initialize(build(WIDTH), seed=0))
    for seed in range(10):
        torch.manual_seed(seed)
        copied = build(WIDTH)
        copied.load_state_dict(build(WIDTH).state_dict())
        for model in (build(WIDTH), copied, copy.deepcopy(copied)):
            recipe.initialize(model, seed=1)
            assert is_unchanged(recipe.initialize(model, seed=0), expected)


def test_memory_that_nobody_filled_is_drawn_whatever_it_holds() -> None:
    recipe = recipe_of(normed)
    with torch.device("meta"):
        skeleton = normed(WIDTH)
    model = skeleton.to_empty(device="cpu")
    for parameter in model.parameters():
        parameter.data = torch.full_like(parameter, 7.0)  # what a former tensor left there
    assert is_unchanged(
        recipe.initialize(model, seed=0), state(recipe.initialize(normed(WIDTH), seed=0))
    )


@pytest.mark.parametrize("choices", [Choices(readout_init="zero"), Choices(norm_gains="fix")])
def test_what_the_recipe_chose_is_not_called_learnt(choices: Choices) -> None:
    recipe = parametrize(normed, width=WIDTH, base_width=BASE, choices=choices)
    model = recipe.initialize(normed(WIDTH), seed=0)
    recipe.initialize(model, seed=1)
    recipe.initialize(copy.deepcopy(model), seed=1)


@pytest.mark.parametrize("tied", [False, True])
def test_what_from_pretrained_loads_is_refused(tmp_path: Path, tied: bool) -> None:
    def build(n: int) -> nn.Module:
        model: nn.Module = transformers.LlamaForCausalLM(config(n))
        return model

    def config(n: int) -> transformers.LlamaConfig:
        return transformers.LlamaConfig(
            hidden_size=n, intermediate_size=2 * n, num_hidden_layers=1, vocab_size=32,
            num_attention_heads=n // 16, tie_word_embeddings=tied, pad_token_id=None,
        )  # fmt: skip

    recipe = parametrize(
        build, width=WIDTH, base_width=BASE, example={"input_ids": torch.zeros(2, 4).long()}
    )
    transformers.LlamaForCausalLM(config(WIDTH)).save_pretrained(tmp_path)
    model = transformers.LlamaForCausalLM.from_pretrained(tmp_path)
    for options in ({"seed": 0}, {"keep": True}):
        with pytest.raises(ParametrizationError, match=REFUSED):
            recipe.initialize(model, **options)
    # A model with new weights, whose configuration was loaded, is new.
    own = transformers.LlamaForCausalLM(transformers.AutoConfig.from_pretrained(tmp_path))
    assert own.name_or_path
    recipe.initialize(own, seed=0)
    recipe.initialize(model, seed=0, overwrite=True)


def test_values_drawn_by_hand_can_be_kept_but_learnt_ones_are_not_rescaled() -> None:
    model = uniform(WIDTH)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1)
    recipe_of(uniform).initialize(model, keep=True)
    assert float(model.get_parameter("2.weight").detach().std(correction=0)) == pytest.approx(
        recipe_of(uniform).tensors[2].initial.std, rel=1e-3
    )
    with pytest.raises(ParametrizationError, match=REFUSED):
        recipe_of(normed).initialize(trained(normed(WIDTH)), keep=True)


@pytest.mark.parametrize("options", [{"seed": 3}, {"keep": True}])
def test_frozen_tensors_are_left_unless_asked_for(options: dict[str, Any]) -> None:
    model = trained(normed(WIDTH))
    assert isinstance(model, nn.Sequential)
    assert isinstance(model[3], nn.Linear)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith("3."))
    model[3].reset_parameters()  # a new head
    before = state(model)
    recipe_of(normed).initialize(model, **options)
    changed = {n for n, value in model.state_dict().items() if not torch.equal(value, before[n])}
    assert changed == {"3.weight", "3.bias"}
    assert not model.get_parameter("0.weight").requires_grad
    recipe_of(normed).initialize(model, seed=3, overwrite=True)
    new = recipe_of(normed).initialize(normed(WIDTH), seed=3)
    assert is_unchanged(model, state(new))


def test_a_build_that_gives_one_model_again_is_refused() -> None:
    with pytest.raises(ParametrizationError, match="the same model from two calls"):
        parametrize(cache(uniform), width=BASE, base_width=BASE, example=batch()[0])


@pytest.mark.parametrize("build", [normed, uniform, normal])
def test_a_build_that_seeds_itself_is_refused(build: Any) -> None:
    # Its draws would be kept as a fixed table, at the scale of SP.
    def seeded(n: int) -> nn.Module:
        torch.manual_seed(0)
        model: nn.Module = build(n)
        return model

    with pytest.raises(ParametrizationError, match=r"build: got the same values in '0\.weight'"):
        parametrize(seeded, width=WIDTH, base_width=BASE, example=batch()[0])


def test_tables_that_are_the_same_in_every_model_are_no_draws() -> None:
    class Tables(nn.Module):
        def __init__(self, n: int) -> None:
            super().__init__()
            places, bands = torch.arange(64.0)[:, None], torch.arange(n // 2)
            waves = places / 10_000 ** (2 * bands / n)
            self.places = nn.Parameter(torch.cat((waves.sin(), waves.cos()), dim=1))
            self.hidden = nn.Linear(n, n, bias=False)
            self.readout = nn.Linear(n, 4, bias=False)
            nn.init.eye_(self.hidden.weight)
            nn.init.zeros_(self.readout.weight)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.readout(self.hidden(self.places[x]).relu())
            return out

    recipe = parametrize(Tables, width=WIDTH, base_width=BASE, example=torch.arange(8))
    model = recipe.initialize(Tables(WIDTH), seed=0)
    assert is_unchanged(model, Tables(WIDTH).state_dict())


def test_a_build_that_gives_another_model_at_every_call_is_refused() -> None:
    calls: list[int] = []

    def build(n: int) -> nn.Module:
        calls.append(n)
        extra = [nn.Linear(n, n)] * (calls.count(BASE) % 2)
        return nn.Sequential(nn.Linear(8, n), *extra, nn.Linear(n, 4))

    with pytest.raises(ParametrizationError, match="got"):
        parametrize(build, width=WIDTH, base_width=BASE)
