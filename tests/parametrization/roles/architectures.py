"""Architectures of several fields, written with torch's layers or by hand."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from .specimens import FEATURES, IN, LINEARS, OUT, PIXELS, SERIES, TOKENS, Apply, H, S, Specimen, V


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


ARCHITECTURES = {
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
        {"depthwise.*": V, "norm.*": V, "scale": V} | LINEARS | {"*.weight": H},
    ),
    "conv1d in groups": Specimen(
        _conv1d,
        SERIES,
        {"0.weight": IN, "1.*": V, "3.weight": H, "5.weight": OUT, "5.bias": S, "*": V},
    ),
    "lstm": Specimen(
        _recurrent(nn.LSTM),
        SERIES,
        {"cell.weight_ih*": IN, "cell.weight_hh*": H, "cell.bias*": V} | LINEARS,
    ),
    "gru": Specimen(
        _recurrent(nn.GRU),
        SERIES,
        {"cell.weight_ih*": IN, "cell.weight_hh*": H, "cell.bias*": V} | LINEARS,
    ),
    "nn.Transformer": Specimen(
        _torch_transformer, SERIES, {"*norm*": V} | LINEARS | {"*bias": V, "core.*": H}
    ),
    "cross attention": Specimen(
        _cross_attention,
        SERIES,
        {"*.k_proj_weight": IN, "*.v_proj_weight": IN, "*.in_proj_bias": V} | LINEARS | {"*": H},
    ),
    "mixer": Specimen(
        _mixer, SERIES, {"tokens.*": S, "norm.*": V} | LINEARS | {"channels.weight": H}
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
    "bilinear": Specimen(_bilinear, FEATURES, LINEARS | {"pair.weight": H}),
    "vision": Specimen(
        _vision,
        PIXELS,
        {"patch.weight": IN, "token": V, "position": IN, "temperature": S, "*norm*": V}
        | LINEARS
        | {"*bias": V, "block.*": H},
    ),
    "learned queries": Specimen(
        _queries, SERIES, {"latents": IN, "*.in_proj_bias": V} | LINEARS | {"attention.*": H}
    ),
    "per-head slopes": Specimen(_alibi, SERIES, LINEARS | {"slope": V}),
}
