"""Models of the transformers library, from tiny configurations."""

from collections.abc import Callable
from typing import Any

import torch
import transformers as tf

from .specimens import IN, OUT, PIXELS, TOKENS, H, S, Specimen, V


def hub(model: Any, config: Any, settings: Callable[[int], dict[str, Any]]) -> Any:
    return lambda n: model(config(**settings(n)))


def decoder(n: int, **more: Any) -> dict[str, Any]:
    return {
        "vocab_size": 96,
        "hidden_size": n,
        "intermediate_size": 4 * n,
        "num_hidden_layers": 1,
        "num_attention_heads": n // 8,
        "num_key_value_heads": n // 16,
        "head_dim": 8,
        "max_position_embeddings": 32,
    } | more


def _encoder(n: int, **more: Any) -> dict[str, Any]:
    table = decoder(n, **more)
    return {k: v for k, v in table.items() if k not in {"num_key_value_heads", "head_dim"}}


def _gpt(n: int) -> dict[str, Any]:
    return {"vocab_size": 96, "n_embd": n, "n_head": n // 8, "n_layer": 1, "n_positions": 32}


def bart(n: int, **more: Any) -> dict[str, Any]:
    sides = ("encoder", "decoder")
    return (
        {"vocab_size": 96, "d_model": n, "max_position_embeddings": 32}
        | {f"{side}_layers": 1 for side in sides}
        | {f"{side}_attention_heads": n // 8 for side in sides}
        | {f"{side}_ffn_dim": 4 * n for side in sides}
        | more
    )


def _image(n: int) -> dict[str, Any]:
    return _encoder(n, image_size=16, patch_size=8)


IDS = {"input_ids": TOKENS}
LM = {"*embed_tokens.weight": IN, "lm_head.weight": OUT, "*norm*": V, "*.bias": V, "*.weight": H}
_CLS = {"classifier.weight": OUT, "classifier.bias": S}
_BERT = {"*bias": V, "*embeddings.weight": IN, "*Norm*": V, "*norm*": V, "*.weight": H}
_QK_NORMS = {"*.q_norm.weight": S, "*.k_norm.weight": S}
_GPT = {"*.wte.weight": IN, "*.wpe.weight": IN, "*.ln_*": V, "lm_head.bias": S, "*.bias": V}
MOE = {"*.gate.weight": OUT, "*experts*": H, "*shared_expert_gate.weight": OUT}
_T5 = {"shared.weight": IN, "*relative_attention_bias.weight": IN, "*norm*": V, "*.weight": H}
_VIT = {"*cls_token": V, "*position_embeddings": IN, "*patch_embeddings*weight": IN}

HUB = {
    "gpt2": Specimen(
        hub(tf.GPT2LMHeadModel, tf.GPT2Config, _gpt), IDS | {"labels": TOKENS}, _GPT | {"*": H}
    ),
    "gptj": Specimen(
        hub(tf.GPTJForCausalLM, tf.GPTJConfig, lambda n: _gpt(n) | {"rotary_dim": 4}),
        IDS,
        _GPT | {"lm_head.weight": OUT, "*": H},
    ),
    "llama": Specimen(hub(tf.LlamaForCausalLM, tf.LlamaConfig, decoder), IDS, LM),
    "qwen2": Specimen(hub(tf.Qwen2ForCausalLM, tf.Qwen2Config, decoder), IDS, LM),
    "qwen3": Specimen(hub(tf.Qwen3ForCausalLM, tf.Qwen3Config, decoder), IDS, _QK_NORMS | LM),
    "mistral": Specimen(hub(tf.MistralForCausalLM, tf.MistralConfig, decoder), IDS, LM),
    "gemma2": Specimen(hub(tf.Gemma2ForCausalLM, tf.Gemma2Config, decoder), IDS, LM),
    "phi": Specimen(hub(tf.PhiForCausalLM, tf.PhiConfig, decoder), IDS, {"lm_head.bias": S} | LM),
    "neox": Specimen(
        hub(tf.GPTNeoXForCausalLM, tf.GPTNeoXConfig, _encoder),
        IDS,
        {"*embed_in.weight": IN} | LM,
    ),
    "mixtral": Specimen(
        hub(tf.MixtralForCausalLM, tf.MixtralConfig, lambda n: decoder(n, num_local_experts=4)),
        IDS,
        MOE | LM,
    ),
    "mamba": Specimen(
        hub(
            tf.MambaForCausalLM,
            tf.MambaConfig,
            lambda n: {"vocab_size": 96, "hidden_size": n, "state_size": 4, "num_hidden_layers": 1},
        ),
        IDS,
        {"*embeddings.weight": IN, "*A_log": V, "*.D": V, "*norm*": V, "*conv1d*": V, "*bias": V}
        | {"*.weight": H},
    ),
    "mamba2": Specimen(
        hub(
            tf.Mamba2ForCausalLM,
            tf.Mamba2Config,
            lambda n: {
                "vocab_size": 96,
                "hidden_size": n,
                "state_size": 4,
                "num_hidden_layers": 1,
                "head_dim": 8,
                "num_heads": n // 4,
                "n_groups": 1,
                "chunk_size": 4,
            },
        ),
        IDS,
        {"*embeddings.weight": IN, "*A_log": V, "*.D": V, "*norm*": V, "*conv1d*": V, "*bias": V}
        | {"lm_head.weight": OUT, "*.weight": H},
    ),
    "bert": Specimen(
        hub(tf.BertForMaskedLM, tf.BertConfig, _encoder), IDS, {"cls.predictions.bias": S} | _BERT
    ),
    "roberta": Specimen(
        hub(tf.RobertaForSequenceClassification, tf.RobertaConfig, _encoder),
        IDS,
        {"classifier.out_proj.weight": OUT, "classifier.out_proj.bias": S} | _BERT,
    ),
    "distilbert": Specimen(
        hub(
            tf.DistilBertForMaskedLM,
            tf.DistilBertConfig,
            lambda n: {
                "vocab_size": 96,
                "dim": n,
                "hidden_dim": 4 * n,
                "n_layers": 1,
                "n_heads": n // 8,
            },
        ),
        IDS,
        {"vocab_projector.bias": S} | _BERT,
    ),
    "t5": Specimen(
        hub(
            tf.T5ForConditionalGeneration,
            tf.T5Config,
            lambda n: {
                "vocab_size": 96,
                "d_model": n,
                "d_kv": 8,
                "d_ff": 4 * n,
                "num_layers": 1,
                "num_heads": n // 8,
                "decoder_start_token_id": 0,
            },
        ),
        IDS | {"labels": TOKENS},
        _T5,
    ),
    "bart": Specimen(
        hub(tf.BartForConditionalGeneration, tf.BartConfig, bart),
        IDS | {"labels": TOKENS},
        {"*shared.weight": IN, "*positions.weight": IN, "*norm*": V, "*bias": V, "*.weight": H},
    ),
    "whisper": Specimen(
        hub(
            tf.WhisperForConditionalGeneration,
            tf.WhisperConfig,
            lambda n: bart(
                n,
                num_mel_bins=8,
                max_source_positions=8,
                max_target_positions=16,
                pad_token_id=0,
                bos_token_id=1,
                eos_token_id=2,
                decoder_start_token_id=1,
            ),
        ),
        {"input_features": torch.ones(2, 8, 16), "decoder_input_ids": TOKENS},
        {"*embed_tokens.weight": IN, "*positions.weight": IN, "*conv1.weight": IN, "*norm*": V}
        | {"*bias": V, "*.weight": H},
    ),
    "vit": Specimen(
        hub(tf.ViTForImageClassification, tf.ViTConfig, _image),
        {"pixel_values": PIXELS},
        _CLS | _VIT | {"*norm*": V, "*.bias": V, "*.weight": H},
    ),
    "bloom": Specimen(
        hub(
            tf.BloomForCausalLM,
            tf.BloomConfig,
            lambda n: {"vocab_size": 96, "hidden_size": n, "n_layer": 1, "n_head": n // 8},
        ),
        IDS,
        {"*word_embeddings.weight": IN, "*ln_f.weight": V} | LM,
    ),
}
