"""The tables against the published ones, by exponent."""

import pytest

from lrtransfer.parametrization.rules import OPTIMIZERS, RULES, SCHEMES, Role

M = 4.0  # width ratio; hidden tensors grow on both sides
RATIOS = {
    Role.INPUT: (1.0, M),
    Role.HIDDEN: (M, M),
    Role.OUTPUT: (M, 1.0),
    Role.VECTOR: (1.0, M),
    Role.SCALAR: (1.0, 1.0),
}

# TP5 (arXiv 2203.03466) Table 3, relative to the base width: (init std, lr).
TABLE_3: dict[tuple[str, str], dict[Role, tuple[float, float]]] = {
    ("mup", "sgd"): {
        Role.INPUT: (1, M),
        Role.HIDDEN: (M**-0.5, 1),
        Role.OUTPUT: (1 / M, 1 / M),
        Role.VECTOR: (1, M),
    },
    ("mup", "adamw"): {
        Role.INPUT: (1, 1),
        Role.HIDDEN: (M**-0.5, 1 / M),
        Role.OUTPUT: (1 / M, 1 / M),
        Role.VECTOR: (1, 1),
    },
    ("sp", "sgd"): {
        Role.INPUT: (1, 1),
        Role.HIDDEN: (M**-0.5, 1),
        Role.OUTPUT: (M**-0.5, 1),
        Role.VECTOR: (1, 1),
    },
}
TABLE_3["sp", "adamw"] = TABLE_3["sp", "sgd"]


@pytest.mark.parametrize("key", list(RULES))
@pytest.mark.parametrize("role", [r for r in Role if r is not Role.SCALAR])
def test_table_3(key: tuple[str, str], role: Role) -> None:
    rule = RULES[key][role]
    assert (rule.init_std(*RATIOS[role]), rule.lr(*RATIOS[role])) == TABLE_3[key][role]


@pytest.mark.parametrize("key", list(RULES))
def test_scalars_do_not_scale(key: tuple[str, str]) -> None:
    rule = RULES[key][Role.SCALAR]
    assert [power(M, M) for power in (rule.init_std, rule.lr, rule.eps)] == [1, 1, 1]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("role", [Role.INPUT, Role.HIDDEN, Role.OUTPUT])
def test_shrinkage_per_step_is_width_stable_under_mup(optimizer: str, role: Role) -> None:
    rule = RULES["mup", optimizer][role]
    assert rule.lr(*RATIOS[role]) * rule.weight_decay(*RATIOS[role]) == 1


def test_sgd_rate_of_a_hidden_tensor_is_the_ratio_of_its_sides() -> None:
    # microsoft/mup, MuSGD: lr / (m_in / m_out) and decay times that.
    rule = RULES["mup", "sgd"][Role.HIDDEN]
    assert (rule.lr(M, 2 * M), rule.weight_decay(M, 2 * M)) == (2, 0.5)


def test_epsilon_follows_the_gradient_under_mup() -> None:
    # In the gauge without multipliers gradients of all tensors but the output's fall as 1/n.
    eps = {role: RULES["mup", "adamw"][role].eps(*RATIOS[role]) for role in Role}
    assert eps == {
        Role.INPUT: 1 / M,
        Role.HIDDEN: 1 / M,
        Role.OUTPUT: 1,
        Role.VECTOR: 1 / M,
        Role.SCALAR: 1,
    }


def test_every_scheme_knows_every_optimizer_and_role() -> None:
    assert set(RULES) == {(s, o) for s in SCHEMES for o in OPTIMIZERS}
    assert all(set(table) == set(Role) for table in RULES.values())
