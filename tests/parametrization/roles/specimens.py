"""What a specimen is: a model with the role of every tensor written down by hand.

Patterns select tensors here, in the tests, alone; the first that matches counts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

TOKENS = torch.arange(12).reshape(2, 6)
FEATURES = torch.ones(4, 5)
PIXELS = torch.ones(2, 3, 16, 16)
SERIES = torch.ones(2, 7, 5)
IN, H, OUT, V, S = "input", "hidden", "output", "vector", "scalar"
LINEARS = {"stem.weight": IN, "head.weight": OUT, "head.bias": S, "*.bias": V}


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
