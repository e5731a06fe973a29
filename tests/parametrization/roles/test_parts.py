"""Parts of a fused tensor, however they are taken: strided, by a list of indices, interleaved."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers as tf
from torch import nn

from lrtransfer.errors import ParametrizationError
from lrtransfer.parametrization.parametrize import parametrize
from lrtransfer.parametrization.roles.roles import assign_roles

from .hub import IDS, decoder, hub
from .specimens import FEATURES, Apply

H, OUT = "hidden", "output"


def fused(split: Callable[[torch.Tensor, int], Any]) -> Callable[[int], nn.Module]:
    """Return a builder of a model with a fused matrix of n + 4 outputs and a use of each part."""

    def build(n: int) -> nn.Module:
        def forward(m: Any, x: torch.Tensor) -> Any:
            parts = split((x @ m.stem) @ m.fused.T, n)
            return sum(part.relu().sum((-1,)) for part in parts)

        return Apply(forward, stem=(5, n), fused=(n + 4, n))

    return build


def parts_of(build: Callable[[int], nn.Module], name: str, example: Any) -> Any:
    roles = assign_roles(build, width=128, base_width=32, example=example)
    return next(role for role in roles if role.name == name).parts


@pytest.mark.parametrize(
    "split",
    [
        lambda y, n: (y[..., :n], y[..., n::2], y[..., n + 1 :: 2]),
        lambda y, n: (y[..., :n], y[..., n:].view(-1, 2, 2).transpose(1, 2).reshape(-1, 4)),
        lambda y, n: (
            y[..., :n],
            y[..., n:].unflatten(-1, (2, 2)).unbind(-1)[0],
            y[..., n + 1 :: 2],
        ),
        lambda y, n: (y[..., :n], y[..., [n, n + 1]], y[..., [n + 2, n + 3]]),
        lambda y, n: (y[..., :n], y[..., torch.tensor([n, n + 3])], y[..., [n + 1, n + 2]]),
        lambda y, n: (y[..., :n], y.index_select(-1, torch.arange(n, n + 4))),
        lambda y, n: (y[..., :n], y[..., [-4, -3, -2, -1]]),
        lambda y, n: (
            y.view(-1, n // 4 + 1, 4)[..., :-1, :],
            y.view(-1, n // 4 + 1, 4)[..., [-1], :],
        ),
        lambda y, n: y.split([n, 4], -1),
    ],
)
def test_parts_whose_union_is_one_stretch_are_one(split: Callable[..., Any]) -> None:
    assert parts_of(fused(split), "fused", FEATURES) == ((0, 128, H), (128, 132, OUT))


def test_heads_in_turn_with_keys_of_a_fixed_number_have_a_part_each() -> None:
    def split(y: torch.Tensor, n: int) -> Any:
        groups = y.view(-1, 2, n // 2 + 2)
        return groups[..., :-2], groups[..., [-2]], groups[..., [-1]]

    parts = parts_of(fused(split), "fused", FEATURES)
    assert parts == ((0, 64, H), (64, 66, OUT), (66, 130, H), (130, 132, OUT))


def every(step: int) -> Callable[[torch.Tensor, int], Any]:
    """Return a split that takes four outputs in steps that grow with width, and the rest."""

    def split(y: torch.Tensor, n: int) -> Any:
        stride = n // step
        rest = [i for i in range(n + 4) if i % stride or i // stride >= 4]
        return y[..., : 4 * stride : stride], y[..., rest]

    return split


def test_parts_that_move_apart_are_read_as_long_as_they_are_as_many() -> None:
    parts = parts_of(fused(every(16)), "fused", FEATURES)
    assert [part[:2] for part in parts if part[2] == OUT] == [(0, 1), (8, 9), (16, 17), (24, 25)]


def test_parts_in_more_pieces_at_a_larger_width_are_refused() -> None:
    build = fused(every(32))
    with pytest.raises(
        ParametrizationError, match=r"fused tensor 'fused' with parts of size \[4\]"
    ):
        assign_roles(build, width=128, base_width=32, example=FEATURES)


def test_keys_and_values_of_falcon_start_as_outputs_and_want_another_rate_under_sgd() -> None:
    def sizes(n: int) -> dict[str, Any]:
        return {
            "vocab_size": 96,
            "hidden_size": n,
            "num_hidden_layers": 1,
            "num_attention_heads": n // 8,
        }

    build = hub(tf.FalconForCausalLM, tf.FalconConfig, sizes)
    name = "transformer.h.0.self_attention.query_key_value.weight"
    # 16 heads of width 8, then one key and one value that all of them share.
    assert parts_of(build, name, IDS) == ((0, 128, H), (128, 144, OUT))
    recipe = parametrize(build, width=128, base_width=32, example=IDS)
    model = recipe.initialize(build(128), seed=0)
    weight = model.get_parameter(name)
    queries, others = weight[:128].std().item(), weight[128:].std().item()
    assert others / queries == pytest.approx(4**-0.5, rel=0.1)  # r^-1 against r^-1/2
    with pytest.raises(ParametrizationError, match="parts are hidden, output and want different"):
        parametrize(build, width=128, base_width=32, example=IDS, optimizer="sgd")


@pytest.mark.parametrize("interleave", [True, False])
def test_the_latent_matrix_of_deepseek_has_rotary_keys_of_a_fixed_size(interleave: bool) -> None:
    def sizes(n: int) -> dict[str, Any]:
        return decoder(
            n,
            head_dim=4,
            num_key_value_heads=n // 8,
            q_lora_rank=n // 2,
            kv_lora_rank=n // 4,
            qk_rope_head_dim=4,
            qk_nope_head_dim=8,
            v_head_dim=8,
            first_k_dense_replace=1,
            rope_interleave=interleave,
        )

    build = hub(tf.DeepseekV3ForCausalLM, tf.DeepseekV3Config, sizes)
    name = "model.layers.0.self_attn.kv_a_proj_with_mqa.weight"
    assert parts_of(build, name, IDS) == ((0, 32, H), (32, 36, OUT))
