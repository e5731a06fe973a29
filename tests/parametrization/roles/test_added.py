"""What is added: biases of experts and of heads are vectors, tables of positions are inputs."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers as tf
from torch import nn

from lrtransfer.parametrization.powers import Fans
from lrtransfer.parametrization.roles.roles import TensorRole, make_role_table

from .hub import IDS, decoder, hub
from .specimens import SERIES, Apply

Forward = Callable[[Any, torch.Tensor], Any]


def roles_of(build: Callable[[int], nn.Module], example: Any) -> dict[str, TensorRole]:
    table = make_role_table(build, width=128, base_width=32, example=example)
    return {tensor.name: tensor for tensor in table.tensors}


def between(forward: Forward, **shapes: Callable[[int], tuple[int, ...]]) -> Any:
    """Return a builder of a model with a forward of its own between two linear layers."""

    def build(n: int) -> nn.Module:
        members = {name: shape(n) for name, shape in shapes.items()}
        stem, head = nn.Linear(5, n), nn.Linear(n, 3)
        return Apply(lambda m, x: m.head(forward(m, m.stem(x))), stem=stem, head=head, **members)

    return build


def dense_experts(m: Any, x: torch.Tensor) -> Any:
    rows = x.flatten(0, 1).expand(4, -1, -1)
    return (torch.bmm(rows, m.up) + m.shift[:, None]).relu().sum(0).view_as(x)


def picked_experts(m: Any, x: torch.Tensor) -> Any:
    rows = x.flatten(0, 1)
    chosen = (rows @ m.router).argmax(-1)
    return (torch.bmm(m.up[chosen].mT, rows[..., None])[..., 0] + m.shift[chosen]).view_as(x)


def scaled_experts(m: Any, x: torch.Tensor) -> Any:
    rows = x.flatten(0, 1)
    chosen = (rows @ m.router).argmax(-1)
    return (torch.bmm(m.up[chosen].mT, rows[..., None])[..., 0] * m.shift[chosen]).view_as(x)


def experts_in_a_loop(m: Any, x: torch.Tensor) -> Any:
    chosen, out = (x @ m.router).argmax(-1), torch.zeros_like(x)
    for expert in range(4):
        rows = chosen == expert
        out[rows] = x[rows] @ m.up[expert] + m.shift[expert]
    return out


def experts_with_a_fused_bias(m: Any, x: torch.Tensor) -> Any:
    rows = x.flatten(0, 1).expand(4, -1, -1)
    return torch.baddbmm(m.shift[:, None], rows, m.up).relu().sum(0).view_as(x)


EXPERTS: dict[str, Callable[[int], tuple[int, ...]]] = {
    "up": lambda n: (4, n, n),
    "shift": lambda n: (4, n),
    "router": lambda n: (n, 4),
}


@pytest.mark.parametrize(
    "forward",
    [dense_experts, picked_experts, scaled_experts, experts_in_a_loop, experts_with_a_fused_bias],
)
def test_a_bias_for_each_expert_is_a_vector(forward: Forward) -> None:
    shapes = dict(EXPERTS)
    if forward in {dense_experts, experts_with_a_fused_bias}:
        del shapes["router"]
    bias = roles_of(between(forward, **shapes), SERIES)["shift"]
    assert (bias.role, bias.contracts, bias.lookup) == ("vector", False, False)
    assert (bias.fans, bias.base_fans) == (Fans(1, 128), Fans(1, 32))


def heads(x: torch.Tensor) -> Any:
    return x.unflatten(-1, (-1, 8))


@pytest.mark.parametrize(
    "forward",
    [
        lambda m, x: (heads(x @ m.q) + m.shift).flatten(-2),
        lambda m, x: (heads(x @ m.q).transpose(1, 2) + m.shift[:, None]).transpose(1, 2).flatten(2),
        lambda m, x: torch.addcmul(m.shift, heads(x @ m.q), heads(x)).flatten(-2),
    ],
)
def test_a_bias_added_to_heads_is_a_vector_with_all_their_outputs(forward: Forward) -> None:
    build = between(forward, q=lambda n: (n, n), shift=lambda n: (n // 8, 8))
    bias = roles_of(build, SERIES)["shift"]
    assert (bias.role, bias.contracts, bias.fans) == ("vector", False, Fans(1, 128))


def test_gates_of_blocks_have_biases_that_are_vectors() -> None:
    def forward(m: Any, x: torch.Tensor) -> Any:
        blocks = heads(x).flatten(0, 1).transpose(0, 1)
        gate = torch.baddbmm(m.shift[:, None], blocks, m.gate).sigmoid()
        return gate.transpose(0, 1).flatten(1).view_as(x) * x

    grown = between(forward, gate=lambda n: (n // 8, 8, 8), shift=lambda n: (n // 8, 8))
    assert roles_of(grown, SERIES)["shift"].role == "vector"
    assert not roles_of(grown, SERIES)["shift"].contracts


@pytest.mark.parametrize(
    "forward",
    [
        lambda m, x: x + m.table,
        lambda m, x: (x.transpose(1, 2) + m.table.T).transpose(1, 2),
        lambda m, x: torch.cat([m.table[None, :2].expand(2, -1, -1), x], 1) + m.table[0],
        lambda m, x: (heads(x) + heads(m.table)).flatten(-2),
    ],
)
def test_a_table_of_positions_stays_an_input(forward: Forward) -> None:
    table = roles_of(between(forward, table=lambda n: (7, n)), SERIES)["table"]
    assert (table.role, table.lookup, table.fans) == ("input", True, Fans(1, 128))


def test_what_cannot_be_told_is_read_as_a_table_and_cautioned_about() -> None:
    def forward(m: Any, x: torch.Tensor) -> Any:
        return torch.linalg.matrix_exp(x @ x.mT) @ x.sort(-1).values + m.table

    build = between(forward, table=lambda n: (7, n))
    table = make_role_table(build, width=128, base_width=32, example=SERIES)
    (caution,) = table.cautions
    assert "table of shape (7, 32) is added to an activation that could not be followed" in caution
    assert "roles={'table': 'vector'}" in caution
    declared = make_role_table(
        build, width=128, base_width=32, example=SERIES, roles={"table": "vector"}
    )
    assert declared.cautions == ()
    assert not {t.name: t for t in declared.tensors}["table"].contracts


def test_a_learned_token_that_a_weight_maps_is_a_vector() -> None:
    def forward(m: Any, x: torch.Tensor) -> Any:
        return x + torch.einsum("ibn,nm->ibm", m.token.expand(2, 7, -1), m.map)

    tensors = roles_of(between(forward, token=lambda n: (1, 1, n), map=lambda n: (n, n)), SERIES)
    assert (tensors["token"].role, tensors["map"].role) == ("vector", "hidden")
    assert not tensors["token"].contracts


MOE: dict[str, Any] = {"num_local_experts": 4, "num_experts_per_tok": 2}


@pytest.mark.parametrize("implementation", ["eager", "batched_mm", "grouped_mm"])
def test_biases_of_gpt_oss_experts_are_vectors(implementation: str) -> None:
    def build(n: int) -> nn.Module:
        sizes = decoder(n, **MOE, experts_implementation=implementation)
        return tf.GptOssForCausalLM(tf.GptOssConfig(**sizes))

    tensors = roles_of(build, IDS)
    for name in ("gate_up_proj_bias", "down_proj_bias"):
        bias = tensors[f"model.layers.0.mlp.experts.{name}"]
        assert (bias.role, bias.contracts, bias.lookup) == ("vector", False, False)


def _xlnet(n: int) -> dict[str, Any]:
    return {"vocab_size": 96, "d_model": n, "n_layer": 1, "n_head": n // 8, "d_inner": 4 * n}


def test_gates_of_recurrent_gemma_and_head_biases_of_xlnet_are_vectors() -> None:
    gemma = hub(
        tf.RecurrentGemmaForCausalLM,
        tf.RecurrentGemmaConfig,
        lambda n: decoder(n, num_hidden_layers=3, lru_width=n),
    )
    xlnet = hub(tf.XLNetModel, tf.XLNetConfig, _xlnet)
    segments = IDS | {"token_type_ids": IDS["input_ids"] % 2}
    targets = {"target_mapping": torch.ones(2, 2, 6), "perm_mask": torch.zeros(2, 6, 6)}
    found = roles_of(gemma, IDS) | roles_of(xlnet, segments | targets)
    biases = [name for name in found if name.endswith(("gate_bias", "r_w_bias", "r_r_bias"))]
    assert len(biases) == 6
    assert {(found[name].role, found[name].contracts) for name in biases} == {("vector", False)}
