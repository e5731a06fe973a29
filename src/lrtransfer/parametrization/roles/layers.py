"""The sides of the parameters of torch's standard layers, by class."""

import re
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Layout:
    """Name the dimensions of a tensor that its layer contracts, and those that it produces.

    Dimensions in neither are repetitions (experts stacked in one tensor).
    """

    contracted: tuple[int, ...]
    produced: tuple[int, ...]


_OUT_IN = Layout(contracted=(1,), produced=(0,))
_IN_OUT = Layout(contracted=(0,), produced=(1,))
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_ELEMENTWISE = (
    nn.LayerNorm,
    nn.RMSNorm,
    nn.GroupNorm,
    nn.modules.batchnorm._BatchNorm,
    nn.modules.instancenorm._InstanceNorm,
    nn.PReLU,
)
_ATTENTION_MATRICES = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")
_ATTENTION_VECTORS = ("in_proj_bias", "bias_k", "bias_v")
_RECURRENT = re.compile(r"(weight|bias)_(ih|hh|hr)_l\d+(_reverse)?")


def layout_of(module: nn.Module, leaf: str, parameter: nn.Parameter) -> Layout | None:
    """Return the sides of a parameter that one of torch's layers defines; None for any other."""
    vector = Layout(contracted=(), produced=tuple(range(parameter.ndim)))
    own: dict[str, Layout] = {}
    match module:
        case nn.Embedding() | nn.EmbeddingBag():
            own = {"weight": _IN_OUT}
        case nn.Linear():
            own = {"weight": _OUT_IN, "bias": vector}
        case _ if isinstance(module, _CONVOLUTIONS):
            kernel = Layout(contracted=tuple(range(1, parameter.ndim)), produced=(0,))
            own = {"weight": kernel, "bias": vector}
        case _ if isinstance(module, _TRANSPOSED) and module.groups == 1:
            kernel = Layout(contracted=(0, *range(2, parameter.ndim)), produced=(1,))
            own = {"weight": kernel, "bias": vector}
        case nn.MultiheadAttention():
            own = dict.fromkeys(_ATTENTION_MATRICES, _OUT_IN)
            own |= dict.fromkeys(_ATTENTION_VECTORS, vector)
        case nn.RNNBase() if _RECURRENT.fullmatch(leaf):
            own = {leaf: _OUT_IN if leaf.startswith("weight") else vector}
        case _ if isinstance(module, _ELEMENTWISE):
            own = {"weight": vector, "bias": vector}
    return own.get(leaf)
