"""The sides of the parameters of torch's standard layers, by class."""

import re
from dataclasses import dataclass

from torch import nn

from .tracing.uses import UseKind


@dataclass(frozen=True)
class Layout:
    """The dimensions of a tensor that its layer sums over, and those that its result has.

    Dimensions in neither are repetitions (experts stacked in one tensor).

    Attributes:
        contracted: Dimensions that the layer sums over.
        produced: Dimensions that appear in its result.
    """

    contracted: tuple[int, ...]
    produced: tuple[int, ...]


@dataclass(frozen=True)
class Sides:
    """The sides of one tensor, before it is asked which of them grow.

    Attributes:
        layout: The dimensions contracted and produced.
        kind: How its layer uses it.
        tied_readouts: Names of the modules that contract the produced side of a table.
        is_norm_gain: Whether it scales an activation that was divided by its norm.
        is_guess: Whether what is added was taken for a table though it may be a bias.
    """

    layout: Layout
    kind: UseKind
    tied_readouts: tuple[str, ...] = ()
    is_norm_gain: bool = False
    is_guess: bool = False


_OUT_IN = Layout(contracted=(1,), produced=(0,))
_IN_OUT = Layout(contracted=(0,), produced=(1,))
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_NORMS = (
    nn.LayerNorm,
    nn.RMSNorm,
    nn.GroupNorm,
    nn.modules.batchnorm._BatchNorm,
    nn.modules.instancenorm._InstanceNorm,
)
_ELEMENTWISE = (*_NORMS, nn.PReLU)
_ATTENTION_MATRICES = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")
_ATTENTION_VECTORS = ("in_proj_bias", "bias_k", "bias_v")
_RECURRENT = re.compile(r"(weight|bias)_(ih|hh|hr)_l\d+(_reverse)?")


def sides_by_class(module: nn.Module, leaf: str) -> Sides | None:
    """Return the sides of a parameter that one of torch's layers defines; None for any other."""
    parameter = getattr(module, leaf)
    layout = _layout(module, leaf, parameter)
    if layout is None:
        return None
    if isinstance(module, nn.Embedding | nn.EmbeddingBag):
        return Sides(layout, UseKind.LOOKUP)
    if not layout.contracted:
        is_norm_gain = isinstance(module, _NORMS) and leaf == "weight"
        return Sides(layout, UseKind.SCALED, is_norm_gain=is_norm_gain)
    is_depthwise = getattr(module, "groups", 1) > 1 and parameter.shape[1] == 1
    return Sides(layout, UseKind.DEPTHWISE if is_depthwise else UseKind.MATMUL)


def _layout(module: nn.Module, leaf: str, parameter: nn.Parameter) -> Layout | None:
    vector = Layout(contracted=(), produced=tuple(range(parameter.ndim)))
    layouts: dict[str, Layout] = {}
    match module:
        case nn.Embedding() | nn.EmbeddingBag():
            layouts = {"weight": _IN_OUT}
        case nn.Linear():
            layouts = {"weight": _OUT_IN, "bias": vector}
        case _ if isinstance(module, _CONVOLUTIONS):
            kernel = Layout(contracted=tuple(range(1, parameter.ndim)), produced=(0,))
            layouts = {"weight": kernel, "bias": vector}
        case _ if isinstance(module, _TRANSPOSED) and module.groups == 1:
            kernel = Layout(contracted=(0, *range(2, parameter.ndim)), produced=(1,))
            layouts = {"weight": kernel, "bias": vector}
        case nn.MultiheadAttention():
            layouts = dict.fromkeys(_ATTENTION_MATRICES, _OUT_IN)
            layouts |= dict.fromkeys(_ATTENTION_VECTORS, vector)
        case nn.RNNBase() if _RECURRENT.fullmatch(leaf):
            layouts = {leaf: _OUT_IN if leaf.startswith("weight") else vector}
        case _ if isinstance(module, _ELEMENTWISE):
            layouts = {"weight": vector, "bias": vector}
    return layouts.get(leaf)
