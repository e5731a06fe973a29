"""A small decoder transformer with the architecture of Lingle's study.

B sequences, T positions, n width, H heads of width D = n / H, V vocabulary. Pre-norm RMSNorm
without gains, no biases, untied readout. The attention scale is 1/D in every parametrization.

References:
    Lingle (2024). An Empirical Study of μP Learning Rate Transfer. https://arxiv.org/abs/2404.05728
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from ..errors import UserError
from .configs import Activation, TransformerConfig


def _squared_relu(x: torch.Tensor) -> torch.Tensor:
    return F.relu(x).square()


_ACTIVATIONS: dict[Activation, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "squared_relu": _squared_relu,
}


class Transformer(nn.Module):
    """Decoder transformer: logits of the next token at every position.

    Initial embeddings are standard normal, all matrices normal with variance 1/fan_in.
    """

    def __init__(self, width: int, config: TransformerConfig) -> None:
        """Make a transformer of this width, a multiple of the head width.

        Raises:
            UserError: If the head width does not divide the width.
        """
        super().__init__()
        if width % config.head_width:
            raise UserError(
                f"transformer: got width {width} with head_width {config.head_width}, wanted a "
                "multiple of the head width."
            )
        self.config = config
        self.embed = nn.Embedding(config.vocabulary, width)
        self.position = (
            nn.Embedding(config.context, width) if config.positions == "learned" else None
        )
        self.blocks = nn.ModuleList(_Block(width, config) for _ in range(config.depth))
        self.readout = nn.Linear(width, config.vocabulary, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=module.in_features**-0.5)

    def forward(self, tokens_BT: torch.Tensor) -> torch.Tensor:
        """Map tokens (B, T) to logits (B, T, V)."""
        x_BTn = self.embed(tokens_BT)
        if self.position is not None:
            x_BTn = x_BTn + self.position.weight[: tokens_BT.shape[1]]
        rotation = _rotation(tokens_BT.shape[1], self.config, device=tokens_BT.device)
        for block in self.blocks:
            x_BTn = block(x_BTn, rotation)
        logits: torch.Tensor = self.readout(_norm(x_BTn, self.config))
        return logits


class _Block(nn.Module):
    def __init__(self, width: int, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.project = nn.Linear(width, width, bias=False)
        self.expand = nn.Linear(width, config.mlp_factor * width, bias=False)
        self.contract = nn.Linear(config.mlp_factor * width, width, bias=False)

    def forward(self, x_BTn: torch.Tensor, rotation: torch.Tensor | None) -> torch.Tensor:
        x_BTn = x_BTn + self._attend(_norm(x_BTn, self.config), rotation)
        activation = _ACTIVATIONS[self.config.activation]
        out: torch.Tensor = self.contract(activation(self.expand(_norm(x_BTn, self.config))))
        return x_BTn + out

    def _attend(self, x_BTn: torch.Tensor, rotation: torch.Tensor | None) -> torch.Tensor:
        q_BHTD, k_BHTD, v_BHTD = (
            layer(x_BTn).unflatten(-1, (-1, self.config.head_width)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        if rotation is not None:
            q_BHTD, k_BHTD = _rotate(q_BHTD, rotation), _rotate(k_BHTD, rotation)
        mixed_BHTD = F.scaled_dot_product_attention(
            q_BHTD, k_BHTD, v_BHTD, is_causal=True, scale=1 / self.config.head_width
        )
        out: torch.Tensor = self.project(mixed_BHTD.transpose(1, 2).flatten(2))
        return out


def _norm(x: torch.Tensor, config: TransformerConfig) -> torch.Tensor:
    return F.rms_norm(x, x.shape[-1:], eps=config.norm_eps)


def _rotation(
    length: int, config: TransformerConfig, *, device: torch.device
) -> torch.Tensor | None:
    """Return cosines and sines of the rotary angles, shape (2, T, D/2); None if learned."""
    if config.positions == "learned":
        return None
    half = config.head_width // 2
    frequency = 10_000.0 ** (-torch.arange(half, device=device) / half)
    angle = torch.arange(length, device=device)[:, None] * frequency
    return torch.stack((angle.cos(), angle.sin()))


def _rotate(x_BHTD: torch.Tensor, rotation: torch.Tensor) -> torch.Tensor:
    cosine, sine = rotation
    first, second = x_BHTD.chunk(2, dim=-1)
    return torch.cat((first * cosine - second * sine, first * sine + second * cosine), dim=-1)
