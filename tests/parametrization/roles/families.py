"""Every family of the installed transformers, from a tiny configuration whose width is a number.

Settings are chosen by the names of a configuration's fields. What cannot be built so is left out.
"""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import torch
import transformers as tf
from torch import nn
from transformers.models.auto import modeling_auto

HEAD = 8  # width of a head, at every width of the model


def _settings(n: int) -> dict[str, Any]:
    """Return values for fields of configurations, by name."""
    heads, groups = n // HEAD, n // (2 * HEAD)
    return {
        **dict.fromkeys(_WIDTHS, n),
        **dict.fromkeys(_INNER, 2 * n),
        **dict.fromkeys(_HEADS, heads),
        **dict.fromkeys(_GROUPS, groups),
        **dict.fromkeys(_HEAD_WIDTHS, HEAD),
        **dict.fromkeys(_LAYERS, 2),
        **dict.fromkeys(_VOCABULARIES, 96),
        **dict.fromkeys(_LENGTHS, 32),
        **dict.fromkeys(_EXPERTS, 4),
        **dict.fromkeys(_CHOSEN, 2),
        **dict.fromkeys(_ONES, 1),
        **dict.fromkeys(_ZEROS, 0),
        **dict.fromkeys(_NONE, None),
        "image_size": 16,
        "patch_size": 8,
        "num_channels": 3,
        "layer_types": ["full_attention", "full_attention"],
        "q_lora_rank": n // 2,
        "kv_lora_rank": n // 4,
        "qk_rope_head_dim": 4,
        "qk_nope_head_dim": HEAD,
        "v_head_dim": HEAD,
        "state_size": 4,
        "mamba_d_state": 4,
        "mamba_d_head": HEAD,
        "mamba_n_heads": n // 4,
        "mamba_head_dim": HEAD,
        "mamba_num_heads": n // 4,
        "chunk_size": 4,
        "rotary_dim": 4,
        "num_mel_bins": 8,
        "hidden_sizes": [n, 2 * n],
        "depths": [1, 1],
        "num_labels": 5,
    }


_WIDTHS = """hidden_size d_model n_embd dim embed_dim lru_width dim_model decoder_hidden_size
    encoder_hidden_size embedding_size word_embed_proj_dim hidden_dim
    attention_hidden_size""".split()
_INNER = """intermediate_size ffn_dim d_ff n_inner encoder_ffn_dim decoder_ffn_dim d_inner
    ffn_hidden_size
    moe_intermediate_size shared_expert_intermediate_size intermediate_size_mlp dim_feedforward
    mlp_dim shared_intermediate_size moe_shared_expert_intermediate_size feed_forward_proj_size
    dense_intermediate_size expert_ffn_hidden_size encoder_intermediate_size
    decoder_intermediate_size""".split()
_HEADS = """num_attention_heads n_head num_heads encoder_attention_heads n_heads
    decoder_attention_heads
    attention_heads linear_num_value_heads encoder_num_attention_heads
    decoder_num_attention_heads""".split()
_GROUPS = """num_key_value_heads num_kv_heads n_kv_heads linear_num_key_heads
    encoder_num_key_value_heads decoder_num_key_value_heads n_groups""".split()
_HEAD_WIDTHS = """head_dim d_kv attention_head_dim linear_key_head_dim linear_value_head_dim
    d_head
    global_head_dim kv_channels""".split()
_LAYERS = """num_hidden_layers n_layer n_layers num_layers encoder_layers decoder_layers depth
    encoder_num_hidden_layers decoder_num_hidden_layers num_decoder_layers
    num_encoder_layers""".split()
_VOCABULARIES = ["vocab_size", "vocab_size_per_layer_input"]
_LENGTHS = """max_position_embeddings n_positions max_sequence_length n_ctx max_seq_len
    max_source_positions max_target_positions sliding_window context_length""".split()
_EXPERTS = """num_experts num_local_experts n_routed_experts moe_num_experts
    num_routed_experts""".split()
_CHOSEN = """num_experts_per_tok top_k moe_top_k moe_topk num_experts_per_token experts_per_token
    num_selected_experts""".split()
_ONES = """n_shared_experts num_shared_experts n_group topk_group moe_layer_freq decoder_sparse_step
    bos_token_id decoder_start_token_id moe_layer_interval interleave_moe_layer_step
    moe_num_shared_experts""".split()
_ZEROS = """pad_token_id first_k_dense_replace num_nextn_predict_layers hidden_dropout
    attention_dropout
    dropout layerdrop encoder_layerdrop decoder_layerdrop mask_time_prob
    attention_probs_dropout_prob hidden_dropout_prob num_kv_shared_layers""".split()
_NONE = ["eos_token_id", "moe_layers", "mlp_layer_types", "sep_token_id"]

_TOKENS = torch.arange(12).reshape(2, 6) + 2
_NOISE = torch.randn(6144, generator=torch.Generator().manual_seed(0))
EXAMPLES: tuple[dict[str, torch.Tensor], ...] = (
    {"input_ids": _TOKENS},
    {"input_ids": _TOKENS, "decoder_input_ids": _TOKENS},
    {"pixel_values": _NOISE[:6144].view(2, 3, 32, 32)},
    {"pixel_values": _NOISE[:1536].view(2, 3, 16, 16)},
    {"input_values": _NOISE[:1600].view(2, 800)},
)


def families() -> Iterator[str]:
    """Yield the names of all families that have a model."""
    names = modeling_auto.MODEL_MAPPING_NAMES
    yield from sorted(names)


def build_of(family: str) -> Callable[[int], nn.Module]:
    """Return a builder of a model of a family, with a head that predicts tokens if there is one."""
    names = modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    found = names.get(family, modeling_auto.MODEL_MAPPING_NAMES[family])
    model: Any = getattr(tf, found if isinstance(found, str) else found[0])

    def build(n: int) -> nn.Module:
        made: nn.Module = model(make_config(model.config_class, n))
        return made

    return build


def make_config(kind: Any, n: int) -> Any:
    """Return a configuration of a class for one width."""
    fields = inspect.signature(kind.__init__).parameters
    names = getattr(kind, "attribute_map", {})
    settings = {
        field: _as_type(value, fields[field].default)
        for field, value in _settings(n).items()
        if field in fields and names.get(field, field) == field
        if isinstance(value, list) == isinstance(fields[field].default, list | tuple)
    }
    for field, sub in getattr(kind, "sub_configs", {}).items():
        if field in fields and sub.__name__ != "AutoConfig":
            settings[field] = make_config(sub, n).to_dict()
    return kind(**settings)


def _as_type(value: Any, default: Any) -> Any:
    """Return a number as the type that a field has by default."""
    return float(value) if isinstance(default, float) and isinstance(value, int) else value
