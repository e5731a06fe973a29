"""A table tied to a readout that is no module: the same function as with one is trained."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lrtransfer.errors import ParametrizationError
from lrtransfer.parametrization.choices import Choices
from lrtransfer.parametrization.parametrize import parametrize
from lrtransfer.parametrization.recipe.recipe import Recipe

BASE, WIDTH, VOCABULARY = 16, 64, 11
TOKENS = torch.arange(10).reshape(2, 5)
LABELS = torch.arange(10) % VOCABULARY


class Tied(nn.Module):
    """A table that is used again as the readout, in one of the ways of writing that."""

    def __init__(self, n: int, how: str) -> None:
        super().__init__()
        self.table, self.mix, self.how = nn.Embedding(VOCABULARY, n), nn.Linear(n, n), how
        if how == "module":
            self.readout = nn.Linear(n, VOCABULARY, bias=False)
            self.readout.weight = self.table.weight

    def forward(self, tokens: torch.Tensor) -> Any:
        x = self.mix(self.table(tokens)).tanh()
        match self.how:
            case "module":
                return self.readout(x)
            case "linear":
                return F.linear(x, self.table.weight)
            case "product":
                return x @ self.table.weight.T
            case "bias":
                return F.linear(x, self.table.weight, x.new_ones(VOCABULARY))
        return torch.einsum("btn,vn->btv", x, self.table.weight)


def recipe_of(how: str, width: int = WIDTH, **options: Any) -> Recipe:
    return parametrize(
        lambda n: Tied(n, how), width=width, base_width=BASE, example=TOKENS, **options
    )


def train(how: str, recipe: Recipe, steps: int = 5) -> torch.Tensor:
    """Return the logits after some steps, in double precision."""
    model = recipe.initialize(Tied(WIDTH, how), seed=0).double()
    groups = recipe.param_groups(model, lr=0.02, weight_decay=0.1, eps=1e-3)
    made = torch.optim.SGD if recipe.optimizer.kind == "sgd" else torch.optim.AdamW
    optimizer = made(groups)
    recipe.verify(model, optimizer)
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(model(TOKENS).flatten(0, 1), LABELS).backward()
        optimizer.step()
    logits: torch.Tensor = model(TOKENS).detach()
    return logits - (1 if how == "bias" else 0)


@pytest.mark.parametrize("choices", [Choices(), Choices(gauge="table8"), Choices(form="absolute")])
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("how", ["linear", "product", "einsum", "bias"])
def test_the_same_function_is_trained_as_with_a_module(
    how: str, optimizer: str, choices: Choices
) -> None:
    expected = train("module", recipe_of("module", optimizer=optimizer, choices=choices))
    actual = train(how, recipe_of(how, optimizer=optimizer, choices=choices))
    assert torch.allclose(actual, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("scheme", ["sp", "sp_per_layer", "mean_field", "u_mup"])
def test_so_it_is_under_every_scheme(scheme: str) -> None:
    expected = train("module", recipe_of("module", scheme=scheme))
    assert torch.allclose(train("linear", recipe_of("linear", scheme=scheme)), expected, rtol=1e-9)


def test_at_the_base_width_nothing_is_changed() -> None:
    recipe = recipe_of("linear", width=BASE)
    assert recipe.multipliers == ()
    assert {(t.lr, t.multiplier) for t in recipe.tensors} == {(1.0, 1.0)}


def test_a_model_without_the_factor_at_its_lookups_is_refused() -> None:
    recipe, model = recipe_of("linear"), Tied(WIDTH, "linear")
    groups = recipe.param_groups(model, lr=0.02, weight_decay=0.1, eps=1e-8)
    with pytest.raises(ParametrizationError, match="forward multipliers"):
        recipe.verify(model, torch.optim.AdamW(groups))


def test_a_table_without_any_place_for_the_factor_says_what_to_do() -> None:
    class Raw(nn.Module):
        def __init__(self, n: int) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.randn(VOCABULARY, n))

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return F.embedding(tokens, self.table).tanh() @ self.table.T

    options: dict[str, Any] = {"width": WIDTH, "base_width": BASE, "example": TOKENS}
    with pytest.raises(ParametrizationError, match=r"'table', looked up and used.*nn\.Embedding"):
        parametrize(Raw, **options)
    assert parametrize(Raw, **options, scheme="sp").multipliers == ()


def test_a_gauge_that_multiplies_embeddings_is_still_refused() -> None:
    with pytest.raises(ParametrizationError, match="table3"):
        recipe_of("linear", choices=Choices(gauge="table9"))
