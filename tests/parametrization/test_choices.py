"""Each choice does what it says, and nothing else is accepted."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from lrtransfer.errors import ParametrizationError
from lrtransfer.parametrization.choices import Choices, Tuned
from lrtransfer.parametrization.optimizers import KINDS, Optimizer
from lrtransfer.parametrization.parametrize import _place_multipliers, parametrize
from lrtransfer.parametrization.recipe.initial import InitialDistribution
from lrtransfer.parametrization.recipe.multipliers import Multiplier
from lrtransfer.parametrization.recipe.recipe import Recipe
from lrtransfer.parametrization.recipe.tensor import TensorRecipe
from lrtransfer.parametrization.recipe.tensor_rules import TensorRules
from lrtransfer.parametrization.roles.roles import Layout, TensorRole
from lrtransfer.parametrization.rules import GAUGES, SCHEMES, Role

BASE, M = 8, 4  # base width and ratio
RANDOM = InitialDistribution("normal", mean=0.0, std=0.5)
GAIN = InitialDistribution("normal", mean=1.0, std=0.0)
ROWS = Layout(contracted=(0,), produced=(1,))
MATRIX = Layout(contracted=(1,), produced=(0,))
VECTOR = Layout(contracted=(), produced=(0,))

HIDDEN = TensorRole("hidden.weight", Role.HIDDEN, (32, 32), (8, 8), MATRIX)
READOUT = TensorRole("readout.weight", Role.OUTPUT, (3, 32), (3, 8), MATRIX)
TABLE = TensorRole("embed.weight", Role.INPUT, (5, 32), (5, 8), ROWS, lookup=True)
FIRST = TensorRole("first.weight", Role.INPUT, (32, 5), (8, 5), MATRIX)
NORM = TensorRole("norm.weight", Role.VECTOR, (32,), (8,), VECTOR)


def tensor(
    role: TensorRole,
    initial: InitialDistribution = RANDOM,
    *,
    scheme: str = "mup",
    kind: str = "adamw",
    in_branch: bool = False,
    **chosen: Any,
) -> TensorRecipe:
    branches = frozenset({role.name} if in_branch else ())
    setting = TensorRules(SCHEMES[scheme], Optimizer(kind), Choices(**chosen), branches)
    return setting.make(role, initial)


def test_readout_init() -> None:
    std = {init: tensor(READOUT, readout_init=init).initial.std for init in ("rule", "zero", "sp")}
    assert std == {"rule": 0.5 / M, "zero": 0, "sp": 0.5 / M**0.5}
    assert {tensor(READOUT, readout_init=init).lr for init in ("rule", "zero", "sp")} == {1 / M}
    assert tensor(HIDDEN, readout_init="zero") == tensor(HIDDEN)


def test_variance_of_a_readout_as_in_sp_counts_its_multiplier() -> None:
    actual = tensor(READOUT, scheme="mean_field", readout_init="sp")
    assert actual.initial.std * actual.multiplier == 0.5 / M**0.5


def test_steps_relative_to_the_norm_of_a_readout_are_not_larger_where_it_is() -> None:
    # Rate × norm is 1/m under both; and the loss by decay is the same, too.
    for init, norm in (("rule", 1 / M), ("sp", M**-0.5)):
        actual = tensor(READOUT, kind="lamb", readout_init=init)
        assert actual.lr * norm == 1 / M
        assert actual.lr * norm * actual.weight_decay == 1


def test_query_init() -> None:
    query = replace(HIDDEN, is_query=True)
    bias = replace(NORM, is_query=True)
    assert tensor(query, query_init="zero").initial.std == 0
    assert tensor(query).initial.std == 0.5 / M**0.5
    assert tensor(HIDDEN, query_init="zero") == tensor(HIDDEN)
    assert tensor(bias, query_init="zero") == tensor(bias)


def test_scale_eps() -> None:
    assert (tensor(HIDDEN).eps, tensor(HIDDEN, scale_eps=False).eps) == (1 / M, 1)


def test_epsilon_is_given_at_the_base_width_whatever_the_form() -> None:
    assert tensor(HIDDEN, form="absolute").eps == tensor(HIDDEN).eps == 1 / M
    # arXiv 2407.17465 leaves ε alone; so do schemes with one rate for all tensors.
    assert {tensor(HIDDEN, scheme=scheme).eps for scheme in ("u_mup", "sp", "ntp")} == {1}


@pytest.mark.parametrize(("exponent", "expected"), [(None, 1), (0, 1), (0.5, 1 / 2), (1, 1 / 4)])
def test_embedding_lr_exponent(exponent: float | None, expected: float) -> None:
    assert tensor(TABLE, embedding_lr_exponent=exponent).lr == expected
    assert tensor(FIRST, embedding_lr_exponent=exponent).lr == 1  # multiplied, not looked up


def test_u_mup_has_an_embedding_exponent_of_its_own() -> None:
    assert tensor(TABLE, scheme="u_mup").lr == 32**-0.5
    assert tensor(TABLE, scheme="u_mup", embedding_lr_exponent=0).lr == 1


def test_norm_gains() -> None:
    gain = replace(NORM, is_norm_gain=True)
    zero = InitialDistribution("normal", mean=0.0, std=0.0)
    for start in (GAIN, zero, RANDOM):  # what it starts with says nothing
        assert (tensor(gain, start).lr, tensor(gain, start, norm_gains="fix").lr) == (1, 0)
        assert tensor(NORM, start, norm_gains="fix").lr == 1
    head = replace(gain, role=Role.SCALAR, shape=(8,))
    assert tensor(head, GAIN, norm_gains="fix").lr == 0


def test_decay_embeddings() -> None:
    assert tensor(TABLE).weight_decay == 1
    assert tensor(TABLE, decay_embeddings=False).weight_decay == 0
    assert tensor(FIRST, decay_embeddings=False).weight_decay == 1


def test_tuned_factors_multiply_what_the_rule_gives() -> None:
    actual = tensor(HIDDEN, tuned={"hidden": Tuned(lr=2, init_std=3)})
    assert (actual.lr, actual.initial.std) == (2 / M, 3 * 0.5 / M**0.5)
    assert tensor(READOUT, tuned={"hidden": Tuned(lr=2)}) == tensor(READOUT)
    # The loss by decay per step is that of the rate given, not of the role's own.
    assert actual.lr * actual.weight_decay == 1


def test_alignment() -> None:
    assert (tensor(HIDDEN).lr, tensor(HIDDEN, alignment="none").lr) == (1 / M, M**-0.5)


def test_form() -> None:
    # Fans in place of ratios: the readout of fan_in 32 and its rate, both 1/32.
    actual = tensor(READOUT, form="absolute")
    assert (actual.initial.std, actual.lr) == (1 / 32, 1 / 32)
    relative = tensor(READOUT, scheme="u_mup", form="relative")
    assert (relative.multiplier, relative.initial.std) == (1 / M, 0.5)


def test_rows_looked_up_have_a_fan_in_of_one() -> None:
    # Absolute forms: std 1/√fan_in of a first layer of 5 inputs, but 1 of a table of 5 rows.
    assert tensor(FIRST, scheme="ntp").initial.std == 5**-0.5
    assert tensor(TABLE, scheme="ntp").initial.std == 1


def test_matrix_scope() -> None:
    def kinds(scope: str) -> list[str]:
        roles = (FIRST, HIDDEN, READOUT, TABLE, NORM)
        return [tensor(r, kind="muon_plain", matrix_scope=scope).optimizer for r in roles]

    assert kinds("hidden") == ["adamw", "muon_plain", "adamw", "adamw", "adamw"]
    assert kinds("all") == ["muon_plain", "muon_plain", "muon_plain", "adamw", "adamw"]
    kernel = replace(HIDDEN, shape=(32, 32, 3), base_shape=(8, 8, 3))
    assert tensor(kernel, kind="muon_plain").optimizer == "adamw"


# arXiv 2505.01618, Table 1, at depth ratio 2: rates L^(α-1), ε 1/m L^-α, inside branches alone.
@pytest.mark.parametrize(("alpha", "lr", "eps"), [(1.0, 1.0, 1 / 2), (0.5, 2**-0.5, 2**-0.5)])
def test_depth(alpha: float, lr: float, eps: float) -> None:
    chosen: dict[str, Any] = {
        "depth": 8,
        "base_depth": 4,
        "depth_exponent": alpha,
        "scheme": "completep",
    }
    inside = tensor(HIDDEN, in_branch=True, **chosen)
    assert (inside.lr, inside.eps) == pytest.approx((lr / M, eps / M))
    assert inside.lr * inside.weight_decay == pytest.approx(1)
    gain = tensor(NORM, GAIN, in_branch=True, **chosen)
    assert gain.lr == pytest.approx(lr)
    assert tensor(HIDDEN, **chosen) == tensor(HIDDEN)


def test_depth_under_sgd_counts_the_smaller_gradient() -> None:
    # Gradients ∝ 1/L under α = 1: arXiv 2603.00541, SGD, hidden r_L.
    chosen: dict[str, Any] = {"depth": 8, "base_depth": 4, "scheme": "completep", "kind": "sgd"}
    assert tensor(HIDDEN, in_branch=True, **chosen).lr == 2


@pytest.mark.parametrize(("alpha", "factor"), [(1.0, 0.5), (0.5, 2**-0.5)])
def test_branches_are_multiplied_where_they_end(alpha: float, factor: float) -> None:
    class Block(nn.Module):
        def __init__(self, n: int) -> None:
            super().__init__()
            self.hidden = nn.Linear(n, n)

    choices = Choices(depth=8, base_depth=4, depth_exponent=alpha)
    setting = TensorRules(SCHEMES["completep"], Optimizer("adamw"), choices)
    role = replace(HIDDEN, is_residual_output=True)
    actual = _place_multipliers(
        partial(Block, BASE), (role,), (setting.make(role, RANDOM),), setting
    )
    assert actual == (Multiplier("hidden", "output", factor),)


class Tied(nn.Module):
    def __init__(self, n: int) -> None:
        super().__init__()
        self.embed, self.readout = nn.Embedding(5, n), nn.Linear(n, 5, bias=False)
        self.readout.weight = self.embed.weight


def tied(scheme: str, gauge: str = "table3") -> tuple[Multiplier, ...]:
    rules = GAUGES[gauge] if scheme == "mup" else SCHEMES[scheme]
    setting = TensorRules(rules, Optimizer("adamw"), Choices(gauge=gauge))
    role = replace(TABLE, tied_readouts=("readout",))
    tensors = (setting.make(role, RANDOM),)
    return _place_multipliers(partial(Tied, BASE), (role,), tensors, setting)


def test_logits_of_a_tied_readout_are_multiplied() -> None:
    expected = (Multiplier("readout", "input", 1 / M),)
    assert tied("mup") == tied("mup", "table8") == expected
    assert tied("sp") == ()
    with pytest.raises(ParametrizationError, match=r"got 'embed.weight' tied to the readout 'read"):
        tied("mup", "table9")


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"gauge": "table4"}, "gauge: got 'table4', wanted one of table3, table8, table9"),
        ({"form": "ratio"}, "form: got 'ratio', wanted one of None, relative, absolute"),
        ({"alignment": "half"}, "alignment: got 'half', wanted one of full, none"),
        ({"weight_decay": "l2"}, "weight_decay: got 'l2', wanted one of decoupled_lr, "),
        ({"readout_init": "one"}, "readout_init: got 'one', wanted one of rule, zero, sp"),
        ({"query_init": "sp"}, "query_init: got 'sp', wanted one of rule, zero"),
        ({"norm_gains": "no"}, "norm_gains: got 'no', wanted one of train, fix"),
        ({"attention": "ask"}, "attention: got 'ask', wanted one of refuse, accept"),
        ({"matrix_scope": "some"}, "matrix_scope: got 'some', wanted one of hidden, all"),
        ({"tuned": {"head": Tuned()}}, r"tuned: got \['head'\], wanted roles: input, hidden"),
        ({"depth": 0, "base_depth": 4}, "depth: got 0, wanted a positive whole number"),
        ({"depth": 4}, "depth: got depth=4 and base_depth=None, wanted both or neither"),
    ],
)
def test_other_values_are_refused(chosen: dict[str, Any], message: str) -> None:
    with pytest.raises(ParametrizationError, match=message):
        Choices(**chosen)


def build(n: int) -> nn.Module:
    return nn.Sequential(nn.Linear(BASE, n), nn.Linear(n, n), nn.Linear(n, 64, bias=False))


@pytest.mark.parametrize("gauge", ["table8", "table9"])
def test_a_gauge_is_for_mup_alone(gauge: str) -> None:
    with pytest.raises(ParametrizationError, match=f"gauge: got '{gauge}' for the scheme 'sp'"):
        parametrize(build, width=16, base_width=8, scheme="sp", choices=Choices(gauge=gauge))


@pytest.mark.parametrize(("scheme", "kind"), [("u_mup", "sgd"), ("spectral", "muon_plain")])
def test_schemes_without_rates_for_an_optimizer_are_refused(scheme: str, kind: str) -> None:
    with pytest.raises(ParametrizationError, match=f"got '{scheme}' with the optimizer '{kind}'"):
        parametrize(build, width=16, base_width=8, scheme=scheme, optimizer=kind)


def test_depth_is_for_schemes_that_scale_it() -> None:
    choices = Choices(depth=8, base_depth=4)
    with pytest.raises(ParametrizationError, match="depth: got 8 with the scheme 'mup', which has"):
        parametrize(build, width=16, base_width=8, choices=choices)


def test_a_depth_without_branches_in_sight_is_refused() -> None:
    choices = Choices(depth=8, base_depth=4)
    with pytest.raises(
        ParametrizationError, match="depth: got 8 for base_depth=4, but no residual"
    ):
        parametrize(build, width=16, base_width=8, scheme="completep", choices=choices)


def is_defined(scheme: str, kind: str) -> bool:
    families = SCHEMES[scheme].families
    return not families or KINDS[kind].family in families


@pytest.mark.parametrize(
    ("scheme", "kind"), [(s, kind) for s in SCHEMES for kind in KINDS if is_defined(s, kind)]
)
def test_recipes_survive_json(scheme: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"0.weight", "0.bias", "1.weight", "1.bias", "2.weight"}
    monkeypatch.setattr(
        "lrtransfer.parametrization.parametrize.measure_initial",
        lambda build, width: dict.fromkeys(names, RANDOM),
    )
    recipe = parametrize(build, width=12, base_width=8, scheme=scheme, optimizer=kind)
    again = Recipe.from_json(recipe.to_json())
    assert again == recipe
    assert again.tensors[1].source == recipe.tensors[1].source
    model = again.initialize(build(12), seed=0)
    assert torch.isfinite(model(torch.ones(1, BASE))).all()
