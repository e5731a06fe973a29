"""Ways of writing a product with a weight: layers, raw tensors, fused, normalised, in experts."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations

from .specimens import FEATURES, IN, LINEARS, OUT, SERIES, TOKENS, Apply, H, S, Specimen, V


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


_STACK = {"0.bias": V, "2.bias": V, "4.bias": S, "0.*": IN, "2.*": H, "4.*": OUT}
_GAINED = {"*_g": V, "*original0": V}
_QKV = LINEARS | {"fused": H, "*.weight": H}

PRODUCTS = {
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
        {"k.weight": OUT, "v.weight": OUT, "k.bias": S, "v.bias": S} | LINEARS | {"*.weight": H},
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
    "weight standardization": Specimen(_standardized, SERIES, LINEARS | {"kernel": H, "gain": V}),
    "lora": Specimen(_lora, FEATURES, LINEARS | {"w": H, "up": IN, "down": OUT, "w2.weight": H}),
    "experts": Specimen(
        _experts,
        FEATURES,
        {"router.weight": OUT, "router.bias": S} | LINEARS | {"up": H, "down": H},
    ),
    "separate experts": Specimen(_separate_experts, FEATURES, LINEARS | {"experts.*": H}),
    "state space": Specimen(
        _state_space,
        SERIES,
        {"select.weight": OUT, "select.bias": S, "a_log": V, "skip": V}
        | LINEARS
        | {"step.weight": H},
    ),
}
