"""A multilayer perceptron without biases."""

import torch
from torch import nn

from .configs import MLPConfig


class MLP(nn.Module):
    r"""The function :math:`V \phi(W_L \cdots \phi(W_1 \phi(W_0 x)))`, φ = ReLU or the identity.

    Initial weights are normal with variance 1/fan_in.
    """

    def __init__(self, width: int, config: MLPConfig) -> None:
        """Make an MLP of this width."""
        super().__init__()
        self.embed = nn.Linear(config.inputs, width, bias=False)
        self.hidden = nn.ModuleList(
            nn.Linear(width, width, bias=False) for _ in range(config.depth)
        )
        self.readout = nn.Linear(width, config.outputs, bias=False)
        self.activation: nn.Module = nn.Identity() if config.linear else nn.ReLU()
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=parameter.shape[1] ** -0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map inputs (N, d) to outputs (N, k)."""
        h = self.activation(self.embed(x))
        for layer in self.hidden:
            h = self.activation(layer(h))
        out: torch.Tensor = self.readout(h)
        return out
