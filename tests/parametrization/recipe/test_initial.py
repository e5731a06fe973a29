"""Initial distributions, as measured on models of the base width."""

from typing import Any

import pytest
import torch
from torch import nn

from lrtransfer.errors import ParametrizationError
from lrtransfer.models.configs import MLPConfig
from lrtransfer.models.mlp import MLP
from lrtransfer.parametrization.parametrize import parametrize
from lrtransfer.parametrization.recipe.initial import measure_initial
from lrtransfer.parametrization.recipe.recipe import Recipe

OPTIMIZERS = ("sgd", "adamw")
SCHEMES = ("sp", "mup")

BASE, WIDTH = 16, 64


def build(n: int) -> nn.Module:
    return MLP(n, MLPConfig(inputs=5, outputs=3))


def make(**options: Any) -> Recipe:
    return parametrize(build, **{"width": WIDTH, "base_width": BASE} | options)


def test_measuring_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    make()
    assert torch.equal(torch.rand(3), wanted)


def test_distribution_of_the_users_model_is_kept() -> None:
    class Mixed(nn.Module):
        def __init__(self, n: int) -> None:
            super().__init__()
            self.default = nn.Linear(64, n)  # uniform with bound 1/8, bias too
            self.zero = nn.Linear(n, n, bias=False)
            self.norm = nn.LayerNorm(n)
            nn.init.zeros_(self.zero.weight)

    found = measure_initial(Mixed, 64)
    assert found["default.weight"].shape == "uniform"
    assert found["default.weight"].std == pytest.approx(1 / 8 / 3**0.5, rel=0.02)
    assert (found["zero.weight"].mean, found["zero.weight"].std) == (0, 0)
    assert (found["norm.weight"].mean, found["norm.weight"].std) == (1, 0)
    model = parametrize(Mixed, width=256, base_width=64).initialize(Mixed(256), seed=0)
    assert float(model.get_parameter("default.weight").detach().abs().max()) <= 1 / 8 * 1.05
    assert not model.get_parameter("zero.weight").any()


@pytest.mark.parametrize("outputs", [1, 3])
def test_small_tensors_are_measured_from_more_builds(outputs: int) -> None:
    bias = measure_initial(lambda n: nn.Linear(n, outputs), 16)["bias"]
    assert bias.shape == "uniform"
    assert bias.std == pytest.approx(1 / 4 / 3**0.5, rel=0.15)
    assert bias.mean == 0


def test_no_more_models_are_built_than_needed() -> None:
    built = 0

    def layer(n: int) -> nn.Module:
        nonlocal built
        built += 1
        return nn.Sequential(nn.Linear(n, n, bias=False), nn.LayerNorm(n))

    measure_initial(layer, 32)  # 4 x 32 x 32 entries; the norm's are constant
    assert built == 4
    measure_initial(layer, 16)  # 16 x 16 x 16
    assert built == 4 + 16
    measure_initial(layer, 2)
    assert built == 4 + 16 + 64


def test_few_normal_values_do_not_pass_for_uniform() -> None:
    class Scalars(nn.Module):
        def __init__(self, n: int) -> None:
            super().__init__()
            self.gains = nn.ParameterList(nn.Parameter(torch.randn(1)) for _ in range(30))
            self.layer = nn.Linear(1, n)

    found = measure_initial(Scalars, 16)
    # By kurtosis alone one in seven would pass, four of the thirty.
    assert sum(found[f"gains.{i}"].shape == "uniform" for i in range(30)) <= 1


class _Frequencies(nn.Module):
    """A table that varies along its growing side and is the same in every model."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.embed = nn.Linear(3, n)
        self.embed.weight.data = torch.arange(3.0 * n).reshape(n, 3) / (3 * n)


@pytest.mark.parametrize(
    "values", [lambda n: torch.ones(n, n), lambda n: torch.randint(-8, 8, (n, n))]
)
def test_integer_weights_are_kept(values: Any) -> None:
    class Quantised(nn.Module):
        def __init__(self, n: int) -> None:
            super().__init__()
            self.weight = nn.Parameter(values(n).to(torch.int8), requires_grad=False)
            self.scale = nn.Parameter(torch.ones(n))

        def forward(self, x: torch.Tensor) -> Any:
            return x @ (self.weight.float() * self.scale)

    recipe = parametrize(Quantised, width=32, base_width=16, example=lambda n: torch.ones(2, n))
    model = Quantised(32)
    before = model.weight.clone()
    assert recipe.initialize(model, seed=0).get_parameter("weight").equal(before)


def test_complex_parameters_are_refused() -> None:
    def build(n: int) -> nn.Module:
        return nn.Linear(3, n, dtype=torch.complex64)

    with pytest.raises(ParametrizationError, match=r"'weight' of dtype .*complex64.*view_as_real"):
        parametrize(build, width=32, base_width=16)


def test_structured_values_that_grow_are_kept_and_missed_if_nobody_made_them() -> None:
    recipe, model = parametrize(_Frequencies, width=32, base_width=16), _Frequencies(32)
    wanted = model.embed.weight.detach().clone()
    assert recipe.initialize(model, seed=0).get_parameter("embed.weight").equal(wanted)
    with torch.device("meta"):
        skeleton = _Frequencies(32)
    empty = skeleton.to_empty(device="cpu")
    nn.init.zeros_(empty.embed.weight)
    with pytest.raises(ParametrizationError, match=r"in 'embed.weight', wanted the structured"):
        recipe.initialize(empty, seed=0)


def test_a_pattern_along_fixed_sides_is_carried_to_the_width() -> None:
    class States(nn.Module):
        def __init__(self, n: int) -> None:
            super().__init__()
            self.embed = nn.Linear(4, n, bias=False)
            self.embed.weight.data = torch.arange(1.0, 5).log().expand(n, 4).clone()

    recipe = parametrize(States, width=32, base_width=16)
    with torch.device("meta"):
        skeleton = States(32)
    model = recipe.initialize(skeleton.to_empty(device="cpu"), seed=0)
    assert model.get_parameter("embed.weight").equal(States(32).embed.weight)
    assert Recipe.from_json(recipe.to_json()) == recipe


def test_rows_of_padding_stay_zero() -> None:
    def table(n: int) -> nn.Module:
        return nn.Embedding(7, n, padding_idx=2)

    model = parametrize(table, width=64, base_width=16).initialize(table(64), seed=0)
    weight = model.get_parameter("weight").detach()
    assert not weight[2].any()
    assert float(weight[[0, 1, 3, 4, 5, 6]].std()) == pytest.approx(1, rel=0.15)


def test_rows_that_start_from_zero_along_a_growing_side_are_refused() -> None:
    def fused(n: int) -> nn.Module:
        layer = nn.Linear(n, 3 * n)
        nn.init.zeros_(layer.weight[:n])
        return layer

    with pytest.raises(ParametrizationError, match=r"'weight' with 16 of 48 rows that start from"):
        parametrize(fused, width=64, base_width=16)
