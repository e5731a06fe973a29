"""Which dimensions grow with width x which side the layer contracts -> role.

The side that a layer contracts follows from its class (a `Linear` contracts its second dimension,
an `Embedding` its first); which dimensions grow is read from the model built at several widths.
Names, the number of dimensions and sizes that happen to be equal decide nothing.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from ..errors import ParametrizationError
from .rules import Role

Build = Callable[[int], nn.Module]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """Name the dimensions of a tensor that its layer contracts, and those that it produces."""

    contracted: tuple[int, ...]
    produced: tuple[int, ...]


@dataclass(frozen=True)
class TensorRole:
    """State the role of one tensor and how far its two sides have grown over the base width.

    Attributes:
        name: Name of the parameter in the model.
        role: What the tensor does.
        shape: Its shape at the width asked for.
        contracts: Whether its layer contracts any side of it; not so for biases and gains.
        ratio_in: fan_in over fan_in at the base width (1 where nothing is contracted).
        ratio_out: fan_out over fan_out at the base width.
    """

    name: str
    role: Role
    shape: Shape
    base_shape: Shape
    layout: Layout
    lookup: bool = False
    tied_readouts: tuple[str, ...] = ()
    is_query: bool = False
    is_residual_output: bool = False
    in_branch: bool = False

    @property
    def contracts(self) -> bool:
        """Whether its layer contracts any side of it; not so for biases and gains."""
        return bool(self.layout.contracted)

    @property
    def fan_in(self) -> int:
        return math.prod(self.shape[d] for d in self.layout.contracted)

    @property
    def fan_out(self) -> int:
        return math.prod(self.shape[d] for d in self.layout.produced)

    @property
    def base_fan_in(self) -> int:
        return math.prod(self.base_shape[d] for d in self.layout.contracted)

    @property
    def base_fan_out(self) -> int:
        return math.prod(self.base_shape[d] for d in self.layout.produced)

    @property
    def ratio_in(self) -> float:
        return self.fan_in / self.base_fan_in

    @property
    def ratio_out(self) -> float:
        return self.fan_out / self.base_fan_out


@dataclass(frozen=True)
class RoleTable:
    """Hold the roles of a model and what a reader must know about them."""

    tensors: tuple[TensorRole, ...]
    cautions: tuple[str, ...] = ()


def role_table(
    build, *, width, base_width, example=None, layouts=None, roles=None, attention="refuse"
) -> RoleTable:
    return RoleTable(assign_roles(build, width=width, base_width=base_width, layouts=layouts))


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


def assign_roles(
    build: Build, *, width: int, base_width: int, layouts: Mapping[str, Layout] | None = None
) -> tuple[TensorRole, ...]:
    """Return the role of every parameter of `build(width)`.

    The model is built on the meta device, so that its size costs nothing: at the base width,
    twice and three times that, and at `width`. A dimension grows if it differs among these.

    Arguments:
        build: Maps a width to a model.
        width: Width n of the model to be trained.
        base_width: Width n_0 at which every factor is 1.
        layouts: Declares the sides of tensors that do not belong to a layer of torch's.

    Raises:
        ParametrizationError: If nothing grows, a tensor's layer is unknown and its layout not
            declared, a tensor is shared between layers that contract different sides of it, or
            the head width of an attention layer grows.

    Example:
        >>> def build(n: int) -> nn.Module:
        ...     return nn.Sequential(nn.Linear(3, n), nn.Linear(n, n), nn.Linear(n, 1))
        >>> [r.role.value for r in assign_roles(build, width=64, base_width=16)]
        ['input', 'vector', 'hidden', 'vector', 'output', 'scalar']
    """
    probes = {w: _on_meta(build, w) for w in (base_width, 2 * base_width, 3 * base_width, width)}
    shapes = {w: _shapes(model) for w, model in probes.items()}
    _require_equal_names(shapes)
    _require_fixed_head_width(probes)
    sides = _sides(probes[base_width], layouts or {})
    roles = tuple(
        _tensor_role(
            name,
            [shapes[w][name] for w in probes],
            layout,
            shape=shapes[width][name],
            base_shape=shapes[base_width][name],
        )
        for name, layout in sides.items()
    )
    if all(role.role is Role.SCALAR for role in roles):
        raise ParametrizationError(
            f"parametrize: got build({base_width}) and build({2 * base_width}) with equal shapes "
            f"for all {len(roles)} parameters, wanted at least one dimension that grows with "
            "width. Check that build passes its `width` argument on to the layers."
        )
    return roles


def _on_meta(build: Build, width: int) -> nn.Module:
    with torch.device("meta"):
        return build(width)


def _shapes(model: nn.Module) -> dict[str, Shape]:
    return {name: tuple(p.shape) for name, p in model.named_parameters()}


def _require_equal_names(shapes: Mapping[int, Mapping[str, Shape]]) -> None:
    (first, names), *others = ((width, set(table)) for width, table in shapes.items())
    for width, other in others:
        if names != other:
            raise ParametrizationError(
                f"parametrize: got parameters {sorted(names ^ other)} in only one of "
                f"build({first}) and build({width}), wanted the same parameters at every width. "
                "Keep the depth and the options of the model fixed while its width varies."
            )


def _require_fixed_head_width(probes: Mapping[int, nn.Module]) -> None:
    found: dict[str, tuple[int, int]] = {}
    for width, model in probes.items():
        for name, module in model.named_modules():
            if not isinstance(module, nn.MultiheadAttention):
                continue
            first_width, head_width = found.setdefault(name, (width, module.head_dim))
            if module.head_dim != head_width:
                raise ParametrizationError(
                    f"parametrize: got MultiheadAttention {name!r} with head_dim {head_width} at "
                    f"width {first_width} and {module.head_dim} at width {width}, wanted one "
                    "head_dim at every width: it scales logits by 1/sqrt(head_dim), and muP needs "
                    "more where head_dim grows. Keep head_dim fixed by growing num_heads with "
                    "width."
                )


def _sides(model: nn.Module, declared: Mapping[str, Layout]) -> dict[str, Layout]:
    """Return the layout of every parameter, each shared tensor once, under its first name."""
    names = dict(model.named_parameters())
    if unknown := sorted(set(declared) - set(names)):
        raise ParametrizationError(
            f"layouts: got {unknown}, wanted names of parameters, such as {next(iter(names))!r}."
        )
    first_name = {id(parameter): name for name, parameter in names.items()}
    layouts: dict[str, Layout] = {}
    uses: dict[str, Layout] = {}  # as the layers use them, whatever was declared
    for module_name, module in model.named_modules():
        for leaf, parameter in module.named_parameters(recurse=False):
            name = first_name[id(parameter)]
            own = _layout(module, leaf, parameter)
            layout = declared.get(name) or own
            if layout is None:
                raise _unknown_layer(name, module)
            use = own or layout
            if uses.setdefault(name, use) != use:
                raise ParametrizationError(
                    f"parametrize: got tensor {name!r} shared with {module_name!r}, which "
                    "contracts its other side (tied embeddings), wanted tensors with one role: "
                    "tied embeddings need an output multiplier, not supported yet. Untie it."
                )
            layouts[name] = layout
    return {name: layouts[name] for name in names}


def _layout(module: nn.Module, leaf: str, parameter: nn.Parameter) -> Layout | None:
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


def _unknown_layer(name: str, module: nn.Module) -> ParametrizationError:
    return ParametrizationError(
        f"parametrize: got tensor {name!r} of {type(module).__name__}, whose contracted side is "
        "not known, wanted parameters of torch's standard layers. "
        "Declare its sides, for a matrix used as x @ w: "
        f"layouts={{{name!r}: Layout(contracted=(0,), produced=(1,))}}."
    )


def _tensor_role(
    name: str, probes: list[Shape], layout: Layout, *, shape: Shape, base_shape: Shape
) -> TensorRole:
    def grows(dims: tuple[int, ...]) -> bool:
        return any(len({probe[dim] for probe in probes}) > 1 for dim in dims)

    return TensorRole(
        name=name,
        role=_role(layout, grows_in=grows(layout.contracted), grows_out=grows(layout.produced)),
        shape=shape,
        base_shape=base_shape,
        layout=layout,
    )


def _role(layout: Layout, *, grows_in: bool, grows_out: bool) -> Role:
    if grows_in:
        return Role.HIDDEN if grows_out else Role.OUTPUT
    if not grows_out:
        return Role.SCALAR
    return Role.INPUT if layout.contracted else Role.VECTOR
