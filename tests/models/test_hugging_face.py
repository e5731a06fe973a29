"""Causal language models of `transformers`: how their fields scale, and what is refused."""

from typing import Any

import pytest
import torch
from torch import nn

from lrtransfer.errors import ConfigError
from lrtransfer.models.configs import HuggingFaceConfig
from lrtransfer.models.hugging_face import hugging_face_model

LLAMA = HuggingFaceConfig(
    type="llama",
    scales=("hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads"),
    fields={
        "vocab_size": 61,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    },
)
GPT2 = HuggingFaceConfig(
    type="gpt2", scales=("n_embd", "n_head"), fields={"vocab_size": 61, "n_head": 2, "n_layer": 1}
)
MIXTURE = HuggingFaceConfig(
    type="qwen2_moe",
    scales=(
        "hidden_size", "intermediate_size", "moe_intermediate_size",
        "shared_expert_intermediate_size", "num_attention_heads", "num_key_value_heads",
    ),
    fields={
        "vocab_size": 61,
        "intermediate_size": 32,
        "moe_intermediate_size": 16,
        "shared_expert_intermediate_size": 24,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "num_experts": 4,
        "num_experts_per_tok": 2,
    },
)  # fmt: skip


def shapes(config: HuggingFaceConfig, width: int, base_width: int) -> dict[str, tuple[int, ...]]:
    model = hugging_face_model(width, config, base_width=base_width)
    return {name: tuple(p.shape) for name, p in model.named_parameters()}


def test_fields_scale_in_proportion_and_the_others_stay() -> None:
    assert LLAMA.fields_at(64, base_width=32) == {
        "vocab_size": 61,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
    }
    assert LLAMA.fields_at(32, base_width=32) == LLAMA.fields | {"hidden_size": 32}


def config_of(*scales: str, **fields: Any) -> HuggingFaceConfig:
    return HuggingFaceConfig(type="llama", scales=scales, fields=fields)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (config_of("n", "heads"), "model.fields.heads: got None, wanted its whole number at the"),
        (config_of("n", "heads", heads=True), "model.fields.heads: got True, wanted its whole"),
        (config_of("n", "heads", heads=4.0), "model.fields.heads: got 4.0, wanted its whole"),
        (config_of("n", "heads", heads=3), "got 3 at the base width 32, which is not whole in"),
        (config_of("n", n=64), "model.fields.n: got 64, wanted the base width, 32, or nothing"),
        (config_of("n", n="wide"), "model.fields.n: got 'wide', wanted the base width"),
    ],
)
def test_fields_that_do_not_scale_are_refused(config: HuggingFaceConfig, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config.fields_at(48, base_width=32)


def test_a_width_given_as_the_base_width_is_nothing_new() -> None:
    assert config_of("n", n=32).fields_at(48, base_width=32) == {"n": 48}


def test_a_llama_grows_where_it_should() -> None:
    small, large = (shapes(LLAMA, width, 32) for width in (32, 64))
    block = "model.layers.1."
    for name, at_32, at_64 in [
        ("model.embed_tokens.weight", (61, 32), (61, 64)),
        (f"{block}self_attn.q_proj.weight", (32, 32), (64, 64)),
        (f"{block}self_attn.k_proj.weight", (16, 32), (32, 64)),
        (f"{block}mlp.gate_proj.weight", (48, 32), (96, 64)),
        (f"{block}mlp.down_proj.weight", (32, 48), (64, 96)),
        (f"{block}input_layernorm.weight", (32,), (64,)),
        ("lm_head.weight", (61, 32), (61, 64)),
    ]:
        assert (small[name], large[name]) == (at_32, at_64)


def test_a_gpt2_grows_where_it_should() -> None:
    small, large = (shapes(GPT2, width, 16) for width in (16, 48))
    name = "transformer.h.0.attn.c_attn.weight"  # stored (in, out)
    assert (small[name], large[name]) == ((16, 48), (48, 144))
    assert (small["transformer.wpe.weight"], large["transformer.wpe.weight"]) == (
        (1024, 16),
        (1024, 48),
    )


def test_a_mixture_grows_where_it_should() -> None:
    small, large = (shapes(MIXTURE, width, 32) for width in (32, 64))
    assert small.keys() == large.keys()
    grown = {name for name in small if small[name] != large[name]}
    assert grown == set(small)
    # The number of experts does not grow: the router is a readout.
    assert (small["model.layers.0.mlp.gate.weight"], large["model.layers.0.mlp.gate.weight"]) == (
        (4, 32),
        (4, 64),
    )


@pytest.mark.parametrize(("config", "width"), [(LLAMA, 64), (GPT2, 32), (MIXTURE, 64)])
def test_a_model_maps_tokens_to_logits(config: HuggingFaceConfig, width: int) -> None:
    torch.manual_seed(0)
    model = hugging_face_model(width, config, base_width=16 if config is GPT2 else 32)
    assert isinstance(model, nn.Module)
    output = model(torch.zeros(2, 5, dtype=torch.int64))
    assert output.logits.shape == (2, 5, 61)
    assert output.get("past_key_values") is None  # a cache is of no use in training


def with_fields(**fields: Any) -> HuggingFaceConfig:
    return LLAMA.model_copy(update={"fields": LLAMA.fields | fields})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (LLAMA.model_copy(update={"type": "lama"}), "^model.type: got 'lama', .*mean 'llama'"),
        (
            HuggingFaceConfig(type="vit", scales=("hidden_size",)),
            "^model.fields: got {} for vit, from which transformers makes no causal language model",
        ),
        (with_fields(nonsense=1), "^model.fields.nonsense: got a field that llama has not"),
        (
            with_fields(rms_norm_eps="small"),
            "^model.fields: got .*'rms_norm_eps': 'small'.*expected float",
        ),
        (with_fields(num_attention_heads=3), "^model.fields: got "),
    ],
)
def test_what_transformers_cannot_make_is_one_error(
    config: HuggingFaceConfig, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        hugging_face_model(32, config, base_width=32)


@pytest.mark.parametrize("cached", [True, False])
def test_a_cache_may_be_asked_for(cached: bool) -> None:
    model: Any = hugging_face_model(32, with_fields(use_cache=cached), base_width=32)
    assert model.config.use_cache is cached
