"""Traps that no other test is about, and the page that lists them all."""

import ast
import re
from pathlib import Path

import pytest
import torch
from torch import nn

from lrtransfer.errors import ParametrizationError
from lrtransfer.parametrization.parametrize import parametrize

TESTS = next(path for path in Path(__file__).parents if path.name == "tests")
PAGE = TESTS.parent / "docs" / "explanation" / "known-traps.md"
GROUPS = {"D": 14, "S": 12, "W": 10, "I": 15, "K": 13, "G": 13, "V": 12, "F": 7}


def layers(n: int) -> nn.Module:
    return nn.Sequential(nn.Linear(4, n), nn.ReLU(), nn.Linear(n, n), nn.Linear(n, 2))


def test_equal_widths_are_cautioned_about() -> None:
    (caution,) = parametrize(layers, width=16, base_width=16).cautions
    assert "every factor is 1" in caution
    assert not parametrize(layers, width=32, base_width=16).cautions


def test_a_forward_that_was_not_seen_is_cautioned_about() -> None:
    class Tied(nn.Module):
        def __init__(self, n: int) -> None:
            super().__init__()
            self.table = nn.Embedding(11, n)

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.table(tokens) @ self.table.weight.T
            return logits

    (caution,) = parametrize(Tied, width=32, base_width=16).cautions
    assert "the forward of Tied" in caution
    seen = parametrize(Tied, width=32, base_width=16, example=torch.arange(11))
    assert seen.cautions == ()
    assert [m.factor for m in seen.multipliers] == [2.0]


def test_values_that_are_not_finite_are_refused() -> None:
    def masked(n: int) -> nn.Module:
        layer = nn.Linear(4, n)
        nn.init.constant_(layer.bias, float("-inf"))
        return layer

    with pytest.raises(ParametrizationError, match="'bias', which starts with values"):
        parametrize(masked, width=32, base_width=16)


def test_groups_of_a_loaded_model_leave_its_weights_alone() -> None:
    trained = layers(64).state_dict()
    model = layers(64)
    model.load_state_dict(trained)
    recipe = parametrize(layers, width=64, base_width=16)
    optimizer = torch.optim.AdamW(recipe.param_groups(model, lr=1e-3, weight_decay=0.1, eps=1e-8))
    recipe.attach(model)
    recipe.verify(model, optimizer)
    assert all(value.equal(trained[name]) for name, value in model.state_dict().items())


def test_biases_start_alike_at_every_width() -> None:
    # torch draws them with bound 1/sqrt(fan_in): of the hidden layer 1/4 at width 16, std 1/4/√3.
    recipe = parametrize(layers, width=1024, base_width=16)
    model = recipe.initialize(layers(1024), seed=0)
    assert float(model.get_parameter("2.bias").detach().std()) == pytest.approx(
        1 / 4 / 3**0.5, rel=0.1
    )


def test_logits_are_multiplied_in_evaluation_too() -> None:
    class Tied(nn.Module):
        def __init__(self, n: int) -> None:
            super().__init__()
            self.table = nn.Embedding(11, n)
            self.readout = nn.Linear(n, 11, bias=False)
            self.readout.weight = self.table.weight

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.readout(self.table(tokens))
            return logits

    tokens = torch.arange(11)
    recipe = parametrize(Tied, width=64, base_width=16, example=tokens)
    model = recipe.initialize(Tied(64), seed=0)
    table = model.get_parameter("table.weight")
    expected = table @ table.T / 4
    assert model(tokens).allclose(expected, atol=1e-5)
    assert model.eval()(tokens).allclose(expected, atol=1e-5)


def test_every_trap_is_on_the_page() -> None:
    listed = set()
    for cell in re.findall(r"^\| ([^|]*) \|", PAGE.read_text(), flags=re.MULTILINE):
        for part in cell.split(", "):
            if ends := re.fullmatch(r"([A-Z])(\d+)(?:–\1(\d+))?", part):
                first, last = int(ends[2]), int(ends[3] or ends[2])
                listed |= {f"{ends[1]}{i}" for i in range(first, last + 1)}
    assert listed == {f"{group}{i + 1}" for group, count in GROUPS.items() for i in range(count)}


@pytest.mark.parametrize(
    "reference",
    sorted(set(re.findall(r"`(test_\w+\.py(?:::\w+)?)`", PAGE.read_text()))),
)
def test_tests_named_on_the_page_exist(reference: str) -> None:
    file, _, name = reference.partition("::")
    trees = [ast.parse(path.read_text()) for path in TESTS.rglob(file)]
    named = [{n.name for n in tree.body if isinstance(n, ast.FunctionDef)} for tree in trees]
    assert len([names for names in named if not name or name in names]) == 1
