"""The composed rules against the published tables, by value."""

from typing import Any

import pytest

from lrtransfer.errors import ParametrizationError
from lrtransfer.parametrization.exponents import make_abc_scheme
from lrtransfer.parametrization.optimizers import KINDS
from lrtransfer.parametrization.powers import Fans, Power
from lrtransfer.parametrization.rules import (
    FAMILIES,
    GAUGES,
    SCHEMES,
    Role,
    Rule,
    Scheme,
    rule,
)

M = 4.0  # width ratio; hidden tensors grow on both sides
BASE = Fans(8.0, 8.0)
SIDES = {
    Role.INPUT: Fans(8.0, 8 * M),
    Role.HIDDEN: Fans(8 * M, 8 * M),
    Role.OUTPUT: Fans(8 * M, 8.0),
    Role.VECTOR: Fans(8.0, 8 * M),
    Role.SCALAR: BASE,
}
MATRICES = (Role.INPUT, Role.HIDDEN, Role.OUTPUT)


def of(power: Power, role: Role) -> float:
    return power.relative(SIDES[role], base=BASE)


def law(scheme: str | Scheme, family: str, role: Role, **options: str) -> Rule:
    rules = SCHEMES[scheme] if isinstance(scheme, str) else scheme
    return rule(rules, FAMILIES[family], role, **options)  # type: ignore[arg-type]


def rates(scheme: str | Scheme, family: str, **options: str) -> list[float]:
    return [of(law(scheme, family, role, **options).lr, role) for role in MATRICES]


# TP5 (arXiv 2203.03466), Tables 3, 8 and 9, relative to the base width. Columns: init std,
# multiplier, SGD rate, Adam rate; rows: input, hidden, output.
TABLES = {
    "table3": [(1, 1, M, 1), (M**-0.5, 1, 1, 1 / M), (1 / M, 1, 1 / M, 1 / M)],
    "table8": [(1, 1, M, 1), (M**-0.5, 1, 1, 1 / M), (1, 1 / M, M, 1)],
    "table9": [
        (M**-0.5, M**0.5, 1, M**-0.5),
        (M**-0.5, 1, 1, 1 / M),
        (M**-0.5, M**-0.5, 1, M**-0.5),
    ],
}


@pytest.mark.parametrize("gauge", TABLES)
def test_gauges_of_tp5(gauge: str) -> None:
    actual = [
        (
            of(law(GAUGES[gauge], "adaptive", role).init_std, role),
            of(law(GAUGES[gauge], "adaptive", role).multiplier, role),
            of(law(GAUGES[gauge], "gradient", role).lr, role),
            of(law(GAUGES[gauge], "adaptive", role).lr, role),
        )
        for role in MATRICES
    ]
    assert actual == TABLES[gauge]


# arXiv 2407.05872: exponents of 1/n; columns as in the table of the paper.
@pytest.mark.parametrize(
    ("scheme", "adam", "sgd", "no_alignment"),
    [
        ("sp_per_layer", (0, 1, 1), (-0.5, 0.5, 1), (0, 0.5, 0.5)),
        ("ntp_per_layer", (0, 0.5, 0.5), (-0.5, -0.5, 0), (0, 0, 0)),
        (GAUGES["table9"], (0.5, 1, 0.5), (0, 0, 0), (0.5, 0.5, 0)),
        # The readout of mean field without alignment: the symmetry gives -1/2.
        ("mean_field", (0, 0.5, 0), (-1, -1, -1), (0, 0, -0.5)),
    ],
)
def test_exponents_per_layer(
    scheme: str | Scheme,
    adam: tuple[float, ...],
    sgd: tuple[float, ...],
    no_alignment: tuple[float, ...],
) -> None:
    assert rates(scheme, "adaptive") == [M**-c for c in adam]
    assert rates(scheme, "gradient") == [M**-c for c in sgd]
    assert rates(scheme, "adaptive", alignment="none") == [M**-c for c in no_alignment]


# arXiv 2603.00541, appendix C, in the gauge of Table 8: input, hidden, output.
@pytest.mark.parametrize(
    ("family", "expected"),
    [
        ("gradient", (M, 1, M)),
        ("adaptive", (1, 1 / M, 1)),
        ("sign", (1, 1 / M, 1)),
        ("muon_plain", (M**0.5, 1, M**0.5)),
        ("shampoo", (M**0.5, 1, M**0.5)),
        ("soap", (M**0.5, 1, M**0.5)),
        ("muon_kimi", (1, M**-0.5, 1)),
        ("trust_ratio", (1, M**-0.5, 1)),  # TP5, B.3
    ],
)
def test_rates_of_families_in_the_gauge_of_table_8(
    family: str, expected: tuple[float, ...]
) -> None:
    assert rates(GAUGES["table8"], family) == pytest.approx(expected)


@pytest.mark.parametrize("family", ["muon_keller", "muon_spectral"])
def test_rates_are_constant_where_the_shape_factor_does_the_scaling(family: str) -> None:
    assert of(law("mup", family, Role.HIDDEN).lr, Role.HIDDEN) == 1


def test_kellers_factor_leaves_what_it_does_not_do_to_the_rate() -> None:
    # √max(1, out/in) is √2 at 16×8 and 1 at 8×16; the wanted factor there is √(1/2).
    tall, flat, square = Fans(8, 16), Fans(16, 8), Fans(8, 8)
    power = FAMILIES["muon_keller"].lr[Role.HIDDEN]
    assert power.relative(tall, base=square) == pytest.approx(1)
    assert power.relative(flat, base=square) == pytest.approx(0.5**0.5)


def test_spectral_readout_is_that_of_table_3() -> None:
    # One class: std (min(1, √(1/in)))/√in = 1/in.
    std = SCHEMES["spectral"].init_std[Role.OUTPUT].absolute(Fans(64, 1))
    assert std == pytest.approx(1 / 64)
    assert SCHEMES["spectral"].init_std[Role.INPUT].absolute(Fans(1, 64)) == pytest.approx(1)


def test_u_mup() -> None:
    # arXiv 2407.17465: hidden factor and Adam rate 1/√fan_in; output factor 1/fan_in, rate 1.
    hidden, output = (law("u_mup", "adaptive", r) for r in (Role.HIDDEN, Role.OUTPUT))
    sides = Fans(64, 64)
    assert [p.absolute(sides) for p in (hidden.init_std, hidden.multiplier, hidden.lr)] == [
        1,
        1 / 8,
        1 / 8,
    ]
    assert [p.absolute(sides) for p in (output.init_std, output.multiplier, output.lr)] == [
        1,
        1 / 64,
        1,
    ]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("pair", [("ntp_per_layer", "sp_per_layer"), ("mean_field", "mup")])
def test_schemes_that_are_one_up_to_the_symmetry(family: str, pair: tuple[str, str]) -> None:
    k = FAMILIES[family].lr_per_multiplier
    for role in Role:
        moved, plain = (law(scheme, family, role) for scheme in pair)
        assert moved.init_std * moved.multiplier == plain.init_std * plain.multiplier
        assert moved.effective_lr == plain.effective_lr
        assert moved.lr == plain.lr * moved.multiplier**k
        assert moved.eps == plain.eps * (moved.multiplier if FAMILIES[family].has_eps else Power())


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("family", FAMILIES)
def test_scalars_do_not_scale_and_nothing_does_at_the_base_width(scheme: str, family: str) -> None:
    for role in Role:
        actual = law(scheme, family, role)
        powers = (actual.init_std, actual.multiplier, actual.lr, actual.eps)
        assert [p.relative(BASE, base=BASE) for p in powers] == [1, 1, 1, 1]
        if role is Role.SCALAR:
            assert set(powers) == {Power()}


def test_sgd_rate_of_a_hidden_tensor_is_the_ratio_of_its_sides() -> None:
    # microsoft/mup, MuSGD: lr / (m_in / m_out).
    rate = law("mup", "gradient", Role.HIDDEN).lr
    assert rate.relative(Fans(M, 2 * M), base=Fans(1, 1)) == 2


def test_epsilon_follows_the_gradient_under_mup() -> None:
    # Without multipliers gradients of all tensors but the output's fall as 1/n (TP5, B.3).
    eps = {role: of(law("mup", "adaptive", role).eps, role) for role in Role}
    assert eps == {
        Role.INPUT: 1 / M,
        Role.HIDDEN: 1 / M,
        Role.OUTPUT: 1,
        Role.VECTOR: 1 / M,
        Role.SCALAR: 1,
    }
    table8 = [of(law(GAUGES["table8"], "adaptive", role).eps, role) for role in MATRICES]
    assert table8 == [1 / M, 1 / M, 1 / M]


def test_rows_of_ones_own() -> None:
    rows = {"hidden": {"b": 0.5, "c": 1}, "output": {"a": 0.5, "b": 0.5, "c": 0.5}}
    scheme = make_abc_scheme(rows)
    assert rates(scheme, "adaptive") == [1, 1 / M, M**-0.5]
    assert scheme.readout == 1
    output = law(scheme, "adaptive", Role.OUTPUT)
    assert of(output.effective_lr, Role.OUTPUT) == 1 / M  # c + a: the symmetry


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"readout": {"a": 1}}, r"rows for \['readout'\], wanted roles: input"),
        ({"hidden": {"d": 1}}, r"got \['d'\] for hidden, wanted the exponents a"),
        ({"vector": {"a": 1}}, "got a multiplier for vectors"),
        ({"hidden": {"b": "0.5"}}, r"got hidden.b = '0.5', wanted a number .* without quotes"),
        ({"hidden": {"b": float("nan")}}, "got hidden.b = nan, wanted a number"),
        ({"hidden": {"b": float("-inf")}}, "got hidden.b = -inf, wanted a number"),
        ({"hidden": {"c": 1e300}}, r"got hidden.c = 1e\+300, wanted a number between -10 and 10"),
        ({"hidden": {"c": 10**400}}, "got hidden.c = 1000"),
        ({"hidden": {"a": True}}, "got hidden.a = True, wanted a number"),
        ({"hidden": {"a": None}}, "got hidden.a = None, wanted a number"),
        ({"hidden": {"a": [1]}}, r"got hidden.a = \[1\], wanted a number"),
        ({"hidden": 1}, "got hidden = 1, wanted exponents for it, such as hidden = "),
        ({"hidden": "b"}, "got hidden = 'b', wanted exponents for it"),
        ({}, "got no exponents"),
    ],
)
def test_rows_that_mean_nothing_are_refused(rows: Any, message: str) -> None:
    with pytest.raises(ParametrizationError, match=message):
        make_abc_scheme(rows)


def test_rates_without_alignment_exist_for_normalised_gradients_only() -> None:
    with pytest.raises(ParametrizationError, match="alignment: got 'none'"):
        law("mup", "gradient", Role.HIDDEN, alignment="none")


def test_every_kind_has_a_family() -> None:
    assert {kind.family for kind in KINDS.values()} == set(FAMILIES)
