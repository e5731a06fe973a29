"""Forward multipliers: hooks that scale weights and nothing else."""

import copy
import pickle
from typing import Any

import pytest
import torch
import transformers
from torch import nn

from lrtransfer.errors import ParametrizationError
from lrtransfer.parametrization.choices import Choices
from lrtransfer.parametrization.parametrize import parametrize
from lrtransfer.parametrization.recipe.multipliers import Multiplier, attach, place_multiplier
from lrtransfer.parametrization.recipe.recipe import Recipe

BASE, WIDTH = 4, 16


class Network(nn.Module):
    def __init__(self, n: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(6, n)
        self.hidden = nn.Linear(n, n)
        self.readout = nn.Linear(n, 3)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.readout(torch.tanh(self.hidden(self.embed(tokens))))
        return logits


conv1d: Any = transformers.pytorch_utils.Conv1D
TOKENS = torch.arange(6)


def make(gauge: str = "table9", *, width: int = WIDTH) -> Recipe:
    return parametrize(Network, width=width, base_width=BASE, choices=Choices(gauge=gauge))


def hooks(model: nn.Module) -> dict[str, int]:
    return {
        name: len(m._forward_pre_hooks) + len(m._forward_hooks)
        for name, m in model.named_modules()
        if m._forward_pre_hooks or m._forward_hooks
    }


def test_a_weight_is_scaled_and_its_bias_is_not() -> None:
    layer, x = nn.Linear(3, 5), torch.randn(2, 3)
    expected = x @ (0.25 * layer.weight).T + layer.bias
    attach(layer, [Multiplier("", "input", 0.25)])
    assert torch.equal(layer(x), expected)


def test_rows_looked_up_are_scaled() -> None:
    model = nn.Sequential(nn.Embedding(4, 3))
    expected = 0.25 * model(torch.arange(4))
    multiplier = place_multiplier(model, "0.weight", 0.25)
    assert multiplier.side == "output"
    attach(model, [multiplier])
    assert torch.equal(model(torch.arange(4)), expected)


@pytest.mark.parametrize("sizes", [(5, 3), (4, 4)])
def test_layers_of_another_making_are_probed(sizes: tuple[int, int]) -> None:
    layer: Any = conv1d(*sizes)
    nn.init.normal_(layer.bias)
    model = nn.Sequential(layer)
    x = torch.randn(2, sizes[1])
    expected = x @ (0.25 * layer.weight) + layer.bias
    attach(model, [place_multiplier(model, "0.weight", 0.25)])
    assert torch.allclose(model(x), expected, rtol=1e-6, atol=1e-7)


class _Squares(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x @ self.weight).square()


class _Router(nn.Module):
    """Gives the experts chosen beside the logits, as routers of transformers do."""

    def __init__(self, result: type[Any]) -> None:
        super().__init__()
        self.weight, self.result = nn.Parameter(torch.randn(4, 3)), result

    def forward(self, x: torch.Tensor) -> Any:
        logits = x @ self.weight.T
        chosen = logits.topk(2).indices
        return self.result(zip(("logits", "chosen"), (logits, chosen), strict=True))


class _Three(nn.Module):
    """Takes three dimensions, and more than one argument."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 3))

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        batch, length, size = x.shape
        return x.view(batch * length, size) @ self.weight * mask


@pytest.mark.parametrize(
    ("model", "name", "kind"),
    [
        (nn.Sequential(_Router(tuple)), "0.weight", "_Router"),
        (nn.Sequential(_Router(dict)), "0.weight", "_Router"),
        (nn.Sequential(_Three()), "0.weight", "_Three"),
        (nn.MultiheadAttention(4, 2), "out_proj.weight", "NonDynamicallyQuantizableLinear"),
        (nn.MultiheadAttention(4, 2), "in_proj_weight", "MultiheadAttention"),
        (nn.Sequential(_Squares()), "0.weight", "_Squares"),
        (nn.LSTM(3, 3), "weight_ih_l0", "LSTM"),
    ],
)
def test_modules_without_a_place_for_it_are_refused(model: nn.Module, name: str, kind: str) -> None:
    with pytest.raises(ParametrizationError, match=f"got tensor '{name}' of {kind}, which needs a"):
        place_multiplier(model, name, 0.5)


def test_no_hook_where_the_factor_is_one() -> None:
    assert hooks(make("table3").initialize(Network(WIDTH), seed=0)) == {}
    assert hooks(make("table8").initialize(Network(WIDTH), seed=0)) == {"readout": 1}
    assert hooks(make("table9").initialize(Network(WIDTH), seed=0)) == {"embed": 1, "readout": 1}
    assert hooks(make("table9", width=BASE).initialize(Network(BASE), seed=0)) == {}


def test_attaching_twice_is_attaching_once() -> None:
    recipe, model = make(), Network(WIDTH)
    once = recipe.attach(model)(TOKENS)
    assert torch.equal(recipe.attach(model)(TOKENS), once)
    assert hooks(model) == {"embed": 1, "readout": 1}
    make("table3").attach(model)
    assert hooks(model) == {}


def test_hooks_of_others_are_left_alone() -> None:
    model, seen = Network(WIDTH), []
    model.readout.register_forward_pre_hook(lambda module, args: seen.append(1))
    recipe = make()
    recipe.attach(recipe.attach(model))(TOKENS)
    assert seen == [1]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_keep_their_hooks(copied: Any) -> None:
    recipe, model = make(), Network(WIDTH)
    recipe.initialize(model, seed=0)
    other = copied(model)
    assert torch.equal(other(TOKENS), model(TOKENS))
    recipe.verify(other, optimizer_of(recipe, other))


def optimizer_of(recipe: Recipe, model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW(recipe.param_groups(model, lr=1e-2, weight_decay=0, eps=1e-8))


def test_verify_finds_missing_hooks_and_those_of_another_recipe() -> None:
    recipe, model = make(), Network(WIDTH)
    with pytest.raises(
        ParametrizationError, match=r"got forward multipliers \[\], wanted .*attach"
    ):
        recipe.verify(model, optimizer_of(recipe, model))
    make("table8").attach(model)
    with pytest.raises(
        ParametrizationError, match=r"got forward multipliers \[\('readout', 'input'"
    ):
        recipe.verify(model, optimizer_of(recipe, model))
    recipe.attach(model)
    recipe.verify(model, optimizer_of(recipe, model))


def test_hooks_compile_into_the_graph() -> None:
    model = make().initialize(Network(WIDTH), seed=0)
    compiled: Any = torch.compile(model, backend="aot_eager", fullgraph=True)
    assert torch.allclose(compiled(TOKENS), model(TOKENS), rtol=1e-6, atol=1e-7)


def test_gauges_start_from_the_same_function() -> None:
    # The same streams: table 8 draws the readout m times larger and multiplies it by 1/m = 1/4.
    table3, table8 = (
        make(gauge).initialize(Network(WIDTH), seed=0) for gauge in ("table3", "table8")
    )
    weights = [m.get_parameter("readout.weight").detach() for m in (table3, table8)]
    assert torch.allclose(4 * weights[0], weights[1])
    assert torch.allclose(table8(TOKENS), table3(TOKENS), rtol=1e-5, atol=1e-7)
