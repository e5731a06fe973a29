"""Ways of writing a forward that are easily misread, with the roles written down by hand."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
import transformers as tf
from torch import nn

from .hub import IDS, LM, MOE, bart, decoder, hub
from .specimens import FEATURES, IN, LINEARS, OUT, PIXELS, SERIES, Apply, H, S, Specimen, V


def _between(n: int, forward: Callable[[Any, torch.Tensor], Any], **members: Any) -> nn.Module:
    """Return a model with a forward of one's own between two linear layers."""
    return Apply(
        lambda m, x: m.head(forward(m, m.stem(x))),
        stem=nn.Linear(5, n),
        head=nn.Linear(n, 3),
        **members,
    )


def _heads(x: torch.Tensor) -> Any:
    return x.unflatten(-1, (-1, 8)).transpose(1, 2)


def _cast(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> Any:
        x = x.double() @ m.first.double() - m.shift.double().exp()
        return (x.float()[..., None] * m.second).double().sum(-2).float()

    return _between(n, forward, first=(n, n), shift=(n,), second=(n, n))


def _written_tokens(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> Any:
        x = x.clone()
        x[torch.zeros(2, 7, dtype=torch.bool)] = m.mask
        x[:, 0] = m.first
        return x

    return _between(n, forward, mask=(n,), first=(n,))


def _long_convolution(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> Any:
        seen, kernel = torch.fft.rfft(x, n=14, dim=1), torch.fft.rfft(m.kernel, n=14)
        return torch.fft.irfft(seen * kernel.T, n=14, dim=1)[:, :7] + x * m.skip

    return _between(n, forward, kernel=(n, 7), skip=(n,))


def _complex_states(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> Any:
        decay = torch.exp(torch.complex(-m.decay.exp(), m.angle))
        state, outs = torch.zeros(2, n, dtype=torch.complex64), []
        for t in range(7):
            state = decay * state + torch.complex(x[:, t] @ m.real, x[:, t] @ m.imaginary)
            outs.append(state.real)
        return torch.stack(outs, 1)

    return _between(n, forward, decay=(n,), angle=(n,), real=(n, n), imaginary=(n, n))


def _recurrent_by_hand(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> Any:
        state = m.start.expand(2, -1)
        for t in range(7):
            seen, kept = (x[:, t] @ m.seen).chunk(2, -1), (state @ m.kept).chunk(2, -1)
            gate = torch.sigmoid(seen[0] + kept[0])
            state = gate * state + (1 - gate) * torch.tanh(seen[1] + gate * kept[1])
        return state

    return _between(n, forward, seen=(n, 2 * n), kept=(n, 2 * n), start=(1, n))


def _raw_heads(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> Any:
        q = x[:, None] @ m.queries
        return (F.scaled_dot_product_attention(q, q, q) @ m.out).sum(1)

    return _between(n, forward, queries=(n // 8, n, 8), out=(n // 8, 8, n))


def _heads_in_a_loop(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> Any:
        return torch.cat([x @ m.heads[i] for i in range(n // 8)], -1)

    return _between(n, forward, heads=(n // 8, n, 8))


def _direct_latents(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> Any:
        q, k = _heads(m.latents.expand(2, -1, -1)), _heads(x)
        return ((q @ k.mT / 8).softmax(-1) @ k).transpose(1, 2).flatten(2)

    return _between(n, forward, latents=(1, 4, n))


def _absorbed_latent_attention(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> Any:
        low, q, up = m.down(x), m.query(x).unflatten(-1, (-1, 8)), m.up.view(n // 8, 16, 4)
        scores = torch.einsum("bthd,hdr,bsr->bhts", q, up[:, :8], low) / 8
        mixed = torch.einsum("bhts,bsr->bthr", scores.softmax(-1), low)
        return torch.einsum("bthr,hdr->bthd", mixed, up[:, 8:]).flatten(2)

    return _between(n, forward, down=nn.Linear(n, 4), query=nn.Linear(n, n), up=(2 * n, 4))


def _stacked_layers(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> Any:
        for weight, shift in zip(m.weights, m.shifts, strict=True):
            x = torch.tanh(F.linear(x, weight, shift))
        return x

    return _between(n, forward, weights=(3, n, n), shifts=(3, n))


def _merged_kernels(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> Any:
        kernel = m.wide + F.pad(m.narrow, (1, 1, 1, 1))
        return m.head(F.conv2d(m.stem(x), kernel).mean((2, 3)))

    return Apply(
        forward,
        stem=nn.Conv2d(3, n, 3),
        wide=(n, n, 3, 3),
        narrow=(n, n, 1, 1),
        head=nn.Linear(n, 3),
    )


def _factors(n: int) -> nn.Module:
    return _between(
        n,
        lambda m, x: x @ ((m.left * m.scale) @ torch.diag(m.gain) @ m.right),
        left=(n, n),
        scale=(n,),
        gain=(n,),
        right=(n, n),
    )


def _masked(n: int) -> nn.Module:
    return _between(
        n,
        lambda m, x: x @ torch.where(m.weight > 0, m.weight, torch.zeros_like(m.weight)),
        weight=(n, n),
    )


def _gathered(n: int) -> nn.Module:
    rows = [[0, 1, 2, 3, 4, 5, 0], [1, 2, 3, 4, 5, 0, 1]]

    def forward(m: Any, x: torch.Tensor) -> Any:
        index = torch.tensor(rows)[..., None].expand(-1, -1, n)
        return x + torch.gather(m.table.expand(2, -1, -1), 1, index)

    return _between(n, forward, table=(6, n))


def _token_mixing(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> Any:
        return m.mix @ (m.mix.T @ x)

    return _between(n, forward, mix=(7, 7))


OWN = {
    "casts": Specimen(_cast, FEATURES, LINEARS | {"first": H, "shift": V, "second": H}),
    "written tokens": Specimen(_written_tokens, SERIES, LINEARS | {"mask": V, "first": V}),
    "long convolution": Specimen(_long_convolution, SERIES, LINEARS | {"kernel": V, "skip": V}),
    "complex states": Specimen(
        _complex_states, SERIES, LINEARS | {"decay": V, "angle": V, "real": H, "imaginary": H}
    ),
    "recurrent by hand": Specimen(
        _recurrent_by_hand, SERIES, LINEARS | {"seen": H, "kept": H, "start": V}
    ),
    "raw heads": Specimen(_raw_heads, SERIES, LINEARS | {"queries": H, "out": H}),
    "heads in a loop": Specimen(_heads_in_a_loop, SERIES, LINEARS | {"heads": H}),
    "direct latents": Specimen(_direct_latents, SERIES, LINEARS | {"latents": IN}),
    "absorbed latent attention": Specimen(
        _absorbed_latent_attention,
        SERIES,
        {"down.weight": OUT, "down.bias": S, "query.weight": H, "query.bias": V, "up": IN}
        | LINEARS,
    ),
    "stacked layers": Specimen(_stacked_layers, FEATURES, LINEARS | {"weights": H, "shifts": V}),
    "merged kernels": Specimen(_merged_kernels, PIXELS, LINEARS | {"wide": H, "narrow": H}),
    "factors": Specimen(
        _factors, FEATURES, LINEARS | {"left": H, "scale": V, "gain": V, "right": H}
    ),
    "masked": Specimen(_masked, FEATURES, LINEARS | {"weight": H}),
    "gathered": Specimen(_gathered, SERIES, LINEARS | {"table": IN}),
    "token mixing": Specimen(_token_mixing, SERIES, LINEARS | {"mix": S}),
}


def _latent_decoder(n: int) -> dict[str, Any]:
    return decoder(
        n,
        num_key_value_heads=n // 8,
        q_lora_rank=12,
        kv_lora_rank=8,
        qk_rope_head_dim=4,
        qk_nope_head_dim=8,
        v_head_dim=8,
        n_routed_experts=4,
        n_shared_experts=1,
        num_experts_per_tok=2,
        n_group=1,
        topk_group=1,
        moe_intermediate_size=2 * n,
        first_k_dense_replace=0,
    )


def _speech(n: int) -> dict[str, Any]:
    return {
        "hidden_size": n,
        "num_hidden_layers": 1,
        "num_attention_heads": n // 8,
        "intermediate_size": 4 * n,
        "conv_dim": [n, n],
        "conv_stride": [2, 2],
        "conv_kernel": [3, 3],
        "num_feat_extract_layers": 2,
        "num_conv_pos_embeddings": 8,
        "num_conv_pos_embedding_groups": 4,
        "vocab_size": 20,
        "mask_time_prob": 0.0,
    }


HUB = {
    "deepseek": Specimen(
        hub(tf.DeepseekV2ForCausalLM, tf.DeepseekV2Config, _latent_decoder),
        IDS,
        {"*q_a_proj.weight": OUT, "*q_b_proj.weight": IN, "*_a_layernorm.weight": S}
        | {"*kv_a_proj_with_mqa.weight": OUT, "*kv_b_proj.weight": IN}
        | MOE
        | LM,
    ),
    "wav2vec2": Specimen(
        hub(tf.Wav2Vec2ForCTC, tf.Wav2Vec2Config, _speech),
        {"input_values": torch.ones(2, 400)},
        {"*conv_layers.0.conv.weight": IN, "*original0": S}
        | {"lm_head.weight": OUT, "lm_head.bias": S, "*norm*": V, "*bias": V, "*": H},
    ),
    "albert": Specimen(
        hub(
            tf.AlbertModel,
            tf.AlbertConfig,
            lambda n: {
                "vocab_size": 96,
                "embedding_size": 16,
                "hidden_size": n,
                "num_attention_heads": n // 8,
                "num_hidden_layers": 2,
                "intermediate_size": 4 * n,
            },
        ),
        IDS,
        {"embeddings.*": S, "*embedding_hidden_mapping_in.weight": IN, "*bias": V}
        | {"*ayer_norm*": V, "*Norm*": V, "*": H},
    ),
    "m2m100": Specimen(
        hub(tf.M2M100ForConditionalGeneration, tf.M2M100Config, bart),
        IDS | {"decoder_input_ids": IDS["input_ids"]},
        {"*shared.weight": IN, "*norm*": V, "*bias": V, "*.weight": H},
    ),
}

IDIOMS = OWN | HUB
