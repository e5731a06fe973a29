"""Models of many kinds, each with the role of every tensor written down by hand.

Patterns select tensors here, in the tests, alone; the first that matches counts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
import transformers as tf
from torch import nn
from torch.nn.utils import parametrizations

TOKENS = torch.arange(12).reshape(2, 6)
FEATURES = torch.ones(4, 5)
PIXELS = torch.ones(2, 3, 16, 16)
SERIES = torch.ones(2, 7, 5)
IN, H, OUT, V, S = "input", "hidden", "output", "vector", "scalar"


@dataclass(frozen=True)
class Specimen:
    """One model with what it is called with and the roles expected."""

    build: Callable[[int], nn.Module]
    example: Any
    roles: Mapping[str, str]


class Apply(nn.Module):
    """Parameters and modules, and a forward given as a function of them."""

    def __init__(self, forward: Callable[..., Any], **members: Any) -> None:
        super().__init__()
        self.function = forward
        for name, member in members.items():
            setattr(self, name, parameter(*member) if isinstance(member, tuple) else member)

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.function(self, *inputs)


def parameter(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(*shape))


def _mlp(n: int) -> nn.Module:
    return nn.Sequential(nn.Linear(5, n), nn.ReLU(), nn.Linear(n, n), nn.ReLU(), nn.Linear(n, 3))


def _one_by_one(n: int) -> nn.Module:
    return nn.Sequential(nn.Linear(1, n), nn.Tanh(), nn.Linear(n, n), nn.Tanh(), nn.Linear(n, 1))


def _tied(n: int) -> nn.Module:
    return Apply(
        lambda m, t: F.linear(m.mix(m.table(t)), m.table.weight),
        table=nn.Embedding(20, n),
        mix=nn.Linear(n, n),
    )


def _raw(n: int) -> nn.Module:
    return Apply(
        lambda m, x: torch.relu(F.linear(torch.relu(x @ m.a) @ m.b.T, m.c)) @ m.d,
        a=(5, n),
        b=(n, n),
        c=(2 * n, n),
        d=(2 * n, 3),
    )


def _einsum(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> Any:
        heads = torch.einsum("btn,nhd->bthd", x @ m.first, m.split)
        return torch.einsum("bthd,hdo->bto", heads.tanh(), m.join)

    return Apply(forward, first=(5, n), split=(n, n // 8, 8), join=(n // 8, 8, 3))


def _broadcast(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> Any:
        h = (x[..., None] * m.a).sum(-2) + m.shift
        h = (h.tanh()[..., None] * m.b).sum(dim=-2) * m.gain
        return (h * m.c).sum(-1)

    return Apply(forward, a=(5, n), b=(n, n), c=(n,), shift=(n,), gain=(n,))


def _qkv(n: int, project: Any, **members: Any) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> Any:
        h = m.stem(x)
        q, k, v = project(m, h).unflatten(-1, (3, -1, 8)).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return m.head(h + m.out(mixed))

    return Apply(
        forward, stem=nn.Linear(5, n), out=nn.Linear(n, n), head=nn.Linear(n, 3), **members
    )


def _grouped(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> Any:
        h = m.stem(x)
        q, k, v = (f(h).unflatten(-1, (-1, 8)).transpose(1, 2) for f in (m.q, m.k, m.v))
        mixed = F.scaled_dot_product_attention(q, k, v, enable_gqa=True)
        return m.head(h + m.out(mixed.transpose(1, 2).flatten(2)))

    return Apply(
        forward,
        stem=nn.Linear(5, n),
        q=nn.Linear(n, n),
        k=nn.Linear(n, 16),
        v=nn.Linear(n, 16),
        out=nn.Linear(n, n),
        head=nn.Linear(n, 3),
    )


def _normed(wrap: Callable[[nn.Module], nn.Module]) -> Callable[[int], nn.Module]:
    def build(n: int) -> nn.Module:
        first, hidden, last = nn.Linear(5, n), nn.Linear(n, n), nn.Linear(n, 3)
        return nn.Sequential(wrap(first), nn.ReLU(), wrap(hidden), nn.ReLU(), wrap(last))

    return build


def _standardized(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> Any:
        centred = m.kernel - m.kernel.mean((1, 2), keepdim=True)
        kernel = m.gain[:, None, None] * centred / m.kernel.std((1, 2), keepdim=True)
        return m.head(F.conv1d(m.stem(x).transpose(1, 2), kernel).mean(-1))

    return Apply(forward, stem=nn.Linear(5, n), kernel=(n, n, 3), gain=(n,), head=nn.Linear(n, 3))


def _lora(n: int) -> nn.Module:
    return Apply(
        lambda m, x: m.head(F.linear(m.stem(x), m.w + m.up @ m.down) + m.w2(m.stem(x))),
        stem=nn.Linear(5, n),
        w=(n, n),
        up=(n, 4),
        down=(4, n),
        w2=nn.Linear(n, n),
        head=nn.Linear(n, 3),
    )


def _experts(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> Any:
        h = m.stem(x)
        chosen = m.router(h).softmax(-1).argmax(-1)
        out = torch.zeros_like(h)
        for index in range(3):
            rows = (chosen == index).nonzero()[:, 0]
            out[rows] = F.linear(F.linear(h[rows], m.up[index]).relu(), m.down[index])
        return m.head(h + out)

    return Apply(
        forward,
        stem=nn.Linear(5, n),
        router=nn.Linear(n, 3),
        up=(3, 2 * n, n),
        down=(3, n, 2 * n),
        head=nn.Linear(n, 3),
    )


def _separate_experts(n: int) -> nn.Module:
    """Experts in modules, of which the example reaches one."""

    def expert(m: Any, x: torch.Tensor) -> Any:
        return (x @ m.up).relu() @ m.down

    experts = nn.ModuleList(Apply(expert, up=(n, 2 * n), down=(2 * n, n)) for _ in range(3))
    return Apply(
        lambda m, x: m.head(m.experts[0](m.stem(x))),
        stem=nn.Linear(5, n),
        experts=experts,
        head=nn.Linear(n, 3),
    )


def _state_space(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> Any:
        u = m.stem(x)
        step = F.softplus(m.step(u))
        drive, read = m.select(u).split([4, 4], dim=-1)
        state, outs = torch.zeros(x.shape[0], n, 4), []
        decay = torch.exp(step[..., None] * -torch.exp(m.a_log))
        for t in range(x.shape[1]):
            state = decay[:, t] * state + (step * u)[:, t, :, None] * drive[:, t, None]
            outs.append((state * read[:, t, None]).sum(-1))
        return m.head(torch.stack(outs, 1) + m.skip * u)

    return Apply(
        forward,
        stem=nn.Linear(5, n),
        step=nn.Linear(n, n),
        select=nn.Linear(n, 8),
        a_log=(n, 4),
        skip=(n,),
        head=nn.Linear(n, 3),
    )


class _Block(nn.Module):
    def __init__(self, n: int) -> None:
        super().__init__()
        self.one, self.norm1 = nn.Conv2d(n, n, 3, padding=1, bias=False), nn.BatchNorm2d(n)
        self.two, self.norm2 = nn.Conv2d(n, n, 3, padding=1, bias=False), nn.BatchNorm2d(n)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = x + self.norm2(self.two(self.norm1(self.one(x)).relu()))
        return out


def _resnet(n: int) -> nn.Module:
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(nn.Conv2d(3, n, 3), _Block(n), _Block(n), pool, nn.Linear(n, 10))


def _mobilenet(n: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, n, 3),
        nn.Conv2d(n, n, 3, groups=n),
        nn.BatchNorm2d(n),
        nn.ReLU6(),
        nn.Conv2d(n, 2 * n, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2 * n, 10),
    )


def _unet(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> Any:
        skip = m.down(x).relu()
        return m.out(torch.cat([skip, m.up(m.deep(skip).relu())], dim=1))

    return Apply(
        forward,
        down=nn.Conv2d(3, n, 3, padding=1),
        deep=nn.Conv2d(n, 2 * n, 2, stride=2),
        up=nn.ConvTranspose2d(2 * n, n, 2, stride=2),
        out=nn.Conv2d(2 * n, 3, 1),
    )


def _convnext(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> Any:
        h = m.stem(x)
        y = m.norm(m.depthwise(h).permute(0, 2, 3, 1))
        h = h + (m.scale * m.contract(F.gelu(m.expand(y)))).permute(0, 3, 1, 2)
        return m.head(h.mean((2, 3)))

    return Apply(
        forward,
        stem=nn.Conv2d(3, n, 4, stride=4),
        depthwise=nn.Conv2d(n, n, 3, padding=1, groups=n),
        norm=nn.LayerNorm(n),
        expand=nn.Linear(n, 4 * n),
        contract=nn.Linear(4 * n, n),
        scale=(n,),
        head=nn.Linear(n, 10),
    )


def _conv1d(n: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(7, n, 3),
        nn.GroupNorm(4, n),
        nn.ReLU(),
        nn.Conv1d(n, n, 3, groups=4),
        nn.Flatten(),
        nn.Linear(n, 3),
    )


def _recurrent(layer: Callable[..., nn.Module]) -> Callable[[int], nn.Module]:
    def build(n: int) -> nn.Module:
        return Apply(lambda m, x: m.head(m.cell(x)[0]), cell=layer(5, n), head=nn.Linear(n, 3))

    return build


def _torch_transformer(n: int) -> nn.Module:
    core = nn.Transformer(n, n // 8, 1, 1, 4 * n, batch_first=True)
    return Apply(
        lambda m, x: m.head(m.core(m.stem(x), m.stem(x))),
        stem=nn.Linear(5, n),
        core=core,
        head=nn.Linear(n, 3),
    )


def _cross_attention(n: int) -> nn.Module:
    return Apply(
        lambda m, x: m.head(m.attention(m.stem(x), x, x)[0]),
        stem=nn.Linear(5, n),
        attention=nn.MultiheadAttention(n, n // 8, kdim=5, vdim=5, batch_first=True),
        head=nn.Linear(n, 3),
    )


def _mixer(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> Any:
        h = m.stem(x)
        h = h + m.tokens(m.norm(h).transpose(1, 2)).transpose(1, 2)
        return m.head((h + m.channels(h)).mean(1))

    return Apply(
        forward,
        stem=nn.Linear(5, n),
        norm=nn.LayerNorm(n),
        tokens=nn.Linear(7, 7),
        channels=nn.Linear(n, n),
        head=nn.Linear(n, 3),
    )


def _glu(n: int) -> nn.Module:
    return nn.Sequential(nn.Linear(5, n), nn.Linear(n, 4 * n), nn.GLU(), nn.Linear(2 * n, 3))


def _graph(n: int) -> nn.Module:
    return Apply(
        lambda m, x, a: a @ (a @ x @ m.first).relu() @ m.second @ m.third,
        first=(5, n),
        second=(n, n),
        third=(n, 3),
    )


def _recommender(n: int) -> nn.Module:
    def forward(m: Any, dense: torch.Tensor, items: torch.Tensor) -> Any:
        return m.top(torch.cat([m.bottom(dense).relu(), m.bag(items), m.users[items[:, 0]]], -1))

    return Apply(
        forward,
        bottom=nn.Linear(5, n),
        bag=nn.EmbeddingBag(20, n),
        users=(20, n),
        top=nn.Linear(3 * n, 1),
    )


def _bilinear(n: int) -> nn.Module:
    return Apply(
        lambda m, x: m.head(m.pair(m.stem(x), x)),
        stem=nn.Linear(5, n),
        pair=nn.Bilinear(n, 5, n),
        head=nn.Linear(n, 3),
    )


def _vision(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> Any:
        patches = m.patch(x).flatten(2).transpose(1, 2)
        h = torch.cat([m.token.expand(x.shape[0], -1, -1), patches], 1) + m.position
        return m.head(m.block(h)[:, 0]) / m.temperature.exp()

    return Apply(
        forward,
        patch=nn.Conv2d(3, n, 8, stride=8),
        token=(1, 1, n),
        position=(1, 5, n),
        block=nn.TransformerEncoderLayer(n, n // 8, 2 * n, batch_first=True),
        head=nn.Linear(n, 10),
        temperature=(1,),
    )


def _queries(n: int) -> nn.Module:
    return Apply(
        lambda m, x: m.head(m.attention(m.latents.expand(x.shape[0], -1, -1), *[m.stem(x)] * 2)[0]),
        stem=nn.Linear(5, n),
        latents=(1, 4, n),
        attention=nn.MultiheadAttention(n, n // 8, batch_first=True),
        head=nn.Linear(n, 3),
    )


def _alibi(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> Any:
        h = m.stem(x).unflatten(-1, (-1, 8)).transpose(1, 2)
        scores = h @ h.mT / 8 + m.slope[:, None, None] * torch.ones(7, 7)
        return m.head((scores.softmax(-1) @ h).transpose(1, 2).flatten(2))

    return Apply(forward, stem=nn.Linear(5, n), slope=(n // 8,), head=nn.Linear(n, 3))


_LINEARS = {"stem.weight": IN, "head.weight": OUT, "head.bias": S, "*.bias": V}
_STACK = {"0.bias": V, "2.bias": V, "4.bias": S, "0.*": IN, "2.*": H, "4.*": OUT}
_GAINED = {"*_g": V, "*original0": V}
_QKV = _LINEARS | {"fused": H, "*.weight": H}

OWN = {
    "mlp": Specimen(_mlp, FEATURES, _STACK),
    "sizes of one": Specimen(_one_by_one, torch.ones(4, 1), _STACK),
    "tied": Specimen(_tied, TOKENS, {"table.weight": IN, "mix.weight": H, "mix.bias": V}),
    "raw": Specimen(_raw, FEATURES, {"a": IN, "b": H, "c": H, "d": OUT}),
    "einsum": Specimen(_einsum, SERIES, {"first": IN, "split": H, "join": OUT}),
    "broadcast": Specimen(_broadcast, FEATURES, {"a": IN, "b": H, "c": OUT, "shift": V, "gain": V}),
    "fused qkv": Specimen(
        lambda n: _qkv(n, lambda m, h: m.fused(h), fused=nn.Linear(n, 3 * n)), SERIES, _QKV
    ),
    "fused raw qkv": Specimen(
        lambda n: _qkv(n, lambda m, h: h @ m.fused, fused=(n, 3 * n)), SERIES, _QKV
    ),
    "grouped-query": Specimen(
        _grouped,
        SERIES,
        {"k.weight": OUT, "v.weight": OUT, "k.bias": S, "v.bias": S} | _LINEARS | {"*.weight": H},
    ),
    "weight norm": Specimen(
        _normed(parametrizations.weight_norm),
        FEATURES,
        {"4.*original0": S, "4.bias": S, "*.bias": V} | _GAINED | {"0.*": IN, "2.*": H, "4.*": OUT},
    ),
    "spectral norm": Specimen(
        _normed(parametrizations.spectral_norm),
        FEATURES,
        {"4.bias": S, "*.bias": V, "0.*": IN, "2.*": H, "4.*": OUT},
    ),
    "weight standardization": Specimen(_standardized, SERIES, _LINEARS | {"kernel": H, "gain": V}),
    "lora": Specimen(_lora, FEATURES, _LINEARS | {"w": H, "up": IN, "down": OUT, "w2.weight": H}),
    "experts": Specimen(
        _experts,
        FEATURES,
        {"router.weight": OUT, "router.bias": S} | _LINEARS | {"up": H, "down": H},
    ),
    "separate experts": Specimen(_separate_experts, FEATURES, _LINEARS | {"experts.*": H}),
    "state space": Specimen(
        _state_space,
        SERIES,
        {"select.weight": OUT, "select.bias": S, "a_log": V, "skip": V}
        | _LINEARS
        | {"step.weight": H},
    ),
    "resnet": Specimen(
        _resnet,
        PIXELS,
        {"0.weight": IN, "4.weight": OUT, "4.bias": S, "*norm*": V, "*.bias": V, "*": H},
    ),
    "mobilenet": Specimen(
        _mobilenet,
        PIXELS,
        {"0.weight": IN, "1.*": V, "2.*": V, "4.weight": H, "7.weight": OUT, "7.bias": S, "*": V},
    ),
    "unet": Specimen(
        _unet,
        PIXELS,
        {"down.weight": IN, "out.weight": OUT, "out.bias": S, "*.bias": V, "*.weight": H},
    ),
    "convnext": Specimen(
        _convnext,
        PIXELS,
        {"depthwise.*": V, "norm.*": V, "scale": V} | _LINEARS | {"*.weight": H},
    ),
    "conv1d in groups": Specimen(
        _conv1d,
        SERIES,
        {"0.weight": IN, "1.*": V, "3.weight": H, "5.weight": OUT, "5.bias": S, "*": V},
    ),
    "lstm": Specimen(
        _recurrent(nn.LSTM),
        SERIES,
        {"cell.weight_ih*": IN, "cell.weight_hh*": H, "cell.bias*": V} | _LINEARS,
    ),
    "gru": Specimen(
        _recurrent(nn.GRU),
        SERIES,
        {"cell.weight_ih*": IN, "cell.weight_hh*": H, "cell.bias*": V} | _LINEARS,
    ),
    "nn.Transformer": Specimen(
        _torch_transformer, SERIES, {"*norm*": V} | _LINEARS | {"*bias": V, "core.*": H}
    ),
    "cross attention": Specimen(
        _cross_attention,
        SERIES,
        {"*.k_proj_weight": IN, "*.v_proj_weight": IN, "*.in_proj_bias": V} | _LINEARS | {"*": H},
    ),
    "mixer": Specimen(
        _mixer, SERIES, {"tokens.*": S, "norm.*": V} | _LINEARS | {"channels.weight": H}
    ),
    "glu": Specimen(_glu, FEATURES, {"3.bias": S, "*.bias": V, "0.*": IN, "1.*": H, "3.*": OUT}),
    "graph": Specimen(
        _graph, ((FEATURES, torch.eye(4)), None), {"first": IN, "second": H, "third": OUT}
    ),
    "recommender": Specimen(
        _recommender,
        ((FEATURES, TOKENS.reshape(4, 3)), None),
        {"bottom.weight": IN, "bag.*": IN, "users": IN, "top.weight": OUT, "top.bias": S, "*": V},
    ),
    "bilinear": Specimen(_bilinear, FEATURES, _LINEARS | {"pair.weight": H}),
    "vision": Specimen(
        _vision,
        PIXELS,
        {"patch.weight": IN, "token": V, "position": IN, "temperature": S, "*norm*": V}
        | _LINEARS
        | {"*bias": V, "block.*": H},
    ),
    "learned queries": Specimen(
        _queries, SERIES, {"latents": IN, "*.in_proj_bias": V} | _LINEARS | {"attention.*": H}
    ),
    "per-head slopes": Specimen(_alibi, SERIES, _LINEARS | {"slope": V}),
}


def _hub(model: Any, config: Any, settings: Callable[[int], dict[str, Any]]) -> Any:
    return lambda n: model(config(**settings(n)))


def _decoder(n: int, **more: Any) -> dict[str, Any]:
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
    table = _decoder(n, **more)
    return {k: v for k, v in table.items() if k not in {"num_key_value_heads", "head_dim"}}


def _gpt(n: int) -> dict[str, Any]:
    return {"vocab_size": 96, "n_embd": n, "n_head": n // 8, "n_layer": 1, "n_positions": 32}


def _bart(n: int, **more: Any) -> dict[str, Any]:
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


_IDS = {"input_ids": TOKENS}
_LM = {"*embed_tokens.weight": IN, "lm_head.weight": OUT, "*norm*": V, "*.bias": V, "*.weight": H}
_CLS = {"classifier.weight": OUT, "classifier.bias": S}
_BERT = {"*bias": V, "*embeddings.weight": IN, "*Norm*": V, "*norm*": V, "*.weight": H}
_QK_NORMS = {"*.q_norm.weight": S, "*.k_norm.weight": S}
_GPT = {"*.wte.weight": IN, "*.wpe.weight": IN, "*.ln_*": V, "lm_head.bias": S, "*.bias": V}
_MOE = {"*.gate.weight": OUT, "*experts*": H, "*shared_expert_gate.weight": OUT}
_T5 = {"shared.weight": IN, "*relative_attention_bias.weight": IN, "*norm*": V, "*.weight": H}
_VIT = {"*cls_token": V, "*position_embeddings": IN, "*patch_embeddings*weight": IN}

HUB = {
    "gpt2": Specimen(
        _hub(tf.GPT2LMHeadModel, tf.GPT2Config, _gpt), _IDS | {"labels": TOKENS}, _GPT | {"*": H}
    ),
    "gptj": Specimen(
        _hub(tf.GPTJForCausalLM, tf.GPTJConfig, lambda n: _gpt(n) | {"rotary_dim": 4}),
        _IDS,
        _GPT | {"lm_head.weight": OUT, "*": H},
    ),
    "llama": Specimen(_hub(tf.LlamaForCausalLM, tf.LlamaConfig, _decoder), _IDS, _LM),
    "qwen2": Specimen(_hub(tf.Qwen2ForCausalLM, tf.Qwen2Config, _decoder), _IDS, _LM),
    "qwen3": Specimen(_hub(tf.Qwen3ForCausalLM, tf.Qwen3Config, _decoder), _IDS, _QK_NORMS | _LM),
    "mistral": Specimen(_hub(tf.MistralForCausalLM, tf.MistralConfig, _decoder), _IDS, _LM),
    "gemma2": Specimen(_hub(tf.Gemma2ForCausalLM, tf.Gemma2Config, _decoder), _IDS, _LM),
    "phi": Specimen(
        _hub(tf.PhiForCausalLM, tf.PhiConfig, _decoder), _IDS, {"lm_head.bias": S} | _LM
    ),
    "neox": Specimen(
        _hub(tf.GPTNeoXForCausalLM, tf.GPTNeoXConfig, _encoder),
        _IDS,
        {"*embed_in.weight": IN} | _LM,
    ),
    "mixtral": Specimen(
        _hub(tf.MixtralForCausalLM, tf.MixtralConfig, lambda n: _decoder(n, num_local_experts=4)),
        _IDS,
        _MOE | _LM,
    ),
    "mamba": Specimen(
        _hub(
            tf.MambaForCausalLM,
            tf.MambaConfig,
            lambda n: {"vocab_size": 96, "hidden_size": n, "state_size": 4, "num_hidden_layers": 1},
        ),
        _IDS,
        {"*embeddings.weight": IN, "*A_log": V, "*.D": V, "*norm*": V, "*conv1d*": V, "*bias": V}
        | {"*.weight": H},
    ),
    "mamba2": Specimen(
        _hub(
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
        _IDS,
        {"*embeddings.weight": IN, "*A_log": V, "*.D": V, "*norm*": V, "*conv1d*": V, "*bias": V}
        | {"lm_head.weight": OUT, "*.weight": H},
    ),
    "bert": Specimen(
        _hub(tf.BertForMaskedLM, tf.BertConfig, _encoder), _IDS, {"cls.predictions.bias": S} | _BERT
    ),
    "roberta": Specimen(
        _hub(tf.RobertaForSequenceClassification, tf.RobertaConfig, _encoder),
        _IDS,
        {"classifier.out_proj.weight": OUT, "classifier.out_proj.bias": S} | _BERT,
    ),
    "distilbert": Specimen(
        _hub(
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
        _IDS,
        {"vocab_projector.bias": S} | _BERT,
    ),
    "t5": Specimen(
        _hub(
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
        _IDS | {"labels": TOKENS},
        _T5,
    ),
    "bart": Specimen(
        _hub(tf.BartForConditionalGeneration, tf.BartConfig, _bart),
        _IDS | {"labels": TOKENS},
        {"*shared.weight": IN, "*positions.weight": IN, "*norm*": V, "*bias": V, "*.weight": H},
    ),
    "whisper": Specimen(
        _hub(
            tf.WhisperForConditionalGeneration,
            tf.WhisperConfig,
            lambda n: _bart(
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
        _hub(tf.ViTForImageClassification, tf.ViTConfig, _image),
        {"pixel_values": PIXELS},
        _CLS | _VIT | {"*norm*": V, "*.bias": V, "*.weight": H},
    ),
    "bloom": Specimen(
        _hub(
            tf.BloomForCausalLM,
            tf.BloomConfig,
            lambda n: {"vocab_size": 96, "hidden_size": n, "n_layer": 1, "n_head": n // 8},
        ),
        _IDS,
        {"*word_embeddings.weight": IN, "*ln_f.weight": V} | _LM,
    ),
}

ZOO = OWN | HUB
