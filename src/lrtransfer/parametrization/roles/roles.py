"""The role of every tensor: which of its dimensions grow with width, and which are contracted.

===================  ==================  ======
contracted side      produced side       role
===================  ==================  ======
fixed                grows               input
grows                grows               hidden
grows                fixed               output
none, or depthwise   grows               vector
fixed or none        fixed               scalar
===================  ==================  ======

The sides are read from the traced forward, or if there is no example, from the class of the layer
(`sides`). Which dimensions grow is read from the model built at several widths (`growth`). Names,
the number of dimensions and sizes that happen to be equal decide nothing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, Literal

from ...errors import ParametrizationError
from ..powers import Fans
from ..rules import Role
from .cautions import (
    caution_of_factors,
    caution_of_guesses,
    caution_of_starts,
    caution_of_unseen,
)
from .directions import DirectionRole, find_direction
from .growth import Build as Build
from .growth import Shape as Shape
from .growth import make, probe
from .heads import require_fixed_head_width, require_fixed_modules
from .layers import Layout as Layout
from .layers import Sides
from .parts import find_parts, require_whole_input
from .sides import SideFinder
from .tracing.graph import Graph
from .tracing.records import Attention
from .tracing.trace import inputs_of, trace
from .tracing.uses import UseKind


@dataclass(frozen=True)
class TensorRole:
    """Role of one tensor, with its two sides at the width and at the base width.

    Attributes:
        name: Name of the parameter in the model.
        role: What the tensor does.
        shape: Its shape at the width asked for.
        base_shape: Its shape at the base width.
        layout: Its sides.
        lookup: Whether rows are looked up: the input is one-hot, so fan_in counts as 1.
        tied_readouts: Names of the modules that contract the produced side of an input table.
        lookups: Names of the modules that look its rows up.
        is_query: Whether it produces the queries of an attention and nothing else.
        is_residual_output: Whether its output is added to a residual stream.
        is_norm_gain: Whether it multiplies an activation that was divided by its norm, as the gain
            of a normalisation does.
        direction: The weight divided by its norm that it multiplies; None if there is none.
        parts: For a fused tensor whose produced side has parts of different roles: start, stop
            and role of each; else empty.
    """

    name: str
    role: Role
    shape: Shape
    base_shape: Shape
    layout: Layout
    lookup: bool = False
    tied_readouts: tuple[str, ...] = ()
    lookups: tuple[str, ...] = ()
    is_query: bool = False
    is_residual_output: bool = False
    is_norm_gain: bool = False
    direction: DirectionRole | None = None
    parts: tuple[tuple[int, int, Role], ...] = ()

    @property
    def contracts(self) -> bool:
        """Whether its layer contracts any side of it; not so for biases and gains."""
        return bool(self.layout.contracted)

    @property
    def fans(self) -> Fans:
        """How many entries one output sums over, and how many outputs there are."""
        return self._fans(self.shape)

    @property
    def base_fans(self) -> Fans:
        """The same at the base width."""
        return self._fans(self.base_shape)

    def _fans(self, shape: Shape) -> Fans:
        def count(dims: tuple[int, ...]) -> int:
            return math.prod(shape[dim] for dim in dims)

        # What looks rows up is one-hot: one entry is summed.
        fan_in = 1 if self.lookup else count(self.layout.contracted)
        return Fans(fan_in, count(self.layout.produced))


@dataclass(frozen=True)
class RoleTable:
    """Roles of a model's tensors, and what else a recipe should know of the model.

    Attributes:
        tensors: One role for every parameter.
        cautions: Numbers in the forward that change with width, in words.
        attention: The attentions at the base width and at twice that.
    """

    tensors: tuple[TensorRole, ...]
    cautions: tuple[str, ...]
    attention: tuple[tuple[Attention, Attention], ...]


def assign_roles(
    build: Build,
    *,
    width: int,
    base_width: int,
    example: Any = None,
    layouts: Mapping[str, Layout] | None = None,
    roles: Mapping[str, str] | None = None,
    attention: Literal["refuse", "accept"] = "refuse",
) -> tuple[TensorRole, ...]:
    """Return the role of every parameter of `build(width)`; arguments as of `make_role_table`.

    Example:
        >>> def build(n: int) -> nn.Module:
        ...     return nn.Sequential(nn.Linear(3, n), nn.Linear(n, n), nn.Linear(n, 1))
        >>> [r.role.value for r in assign_roles(build, width=64, base_width=16)]
        ['input', 'vector', 'hidden', 'vector', 'output', 'scalar']
    """
    return make_role_table(
        build,
        width=width,
        base_width=base_width,
        example=example,
        layouts=layouts,
        roles=roles,
        attention=attention,
    ).tensors


def make_role_table(
    build: Build,
    *,
    width: int,
    base_width: int,
    example: Any = None,
    layouts: Mapping[str, Layout] | None = None,
    roles: Mapping[str, str] | None = None,
    attention: Literal["refuse", "accept"] = "refuse",
) -> RoleTable:
    """Return the role of every parameter of `build(width)`, and cautions.

    The model is built on the meta device, so that its size costs nothing. A dimension grows if it
    differs among the widths built. With an example, the forward is traced at the base width and at
    twice that.

    Arguments:
        build: Maps a width to a model.
        width: Width n of the model to be trained.
        base_width: Width n_0 at which every factor is 1.
        example: What the model is called with: a tensor, `(inputs, targets)`, a dict of keyword
            arguments, or a function from a width to one of these.
        layouts: Declares the sides of tensors, by name or pattern.
        roles: Declares the roles of tensors, by name or pattern.
        attention: `accept` takes responsibility for heads that grow with width.

    Raises:
        ParametrizationError: If the model cannot be built or traced, nothing grows, or the role of
            a tensor is ambiguous and not declared.
    """
    probes = probe(build, width=width, base_width=base_width)
    names = list(probes.shapes[base_width])
    declared_layouts = _match_patterns("layouts", layouts or {}, names)
    declared_roles = _match_patterns("roles", roles or {}, names)
    graphs: tuple[Graph, ...] = ()
    if example is not None:
        graphs = tuple(
            trace(partial(make, build, w), inputs_of(example, w), width=w)
            for w in (base_width, 2 * base_width)
        )
    pairs = tuple(zip(*(graph.attention for graph in graphs), strict=False))
    if attention == "refuse":
        require_fixed_head_width(pairs, base_width)
        if not graphs:
            require_fixed_modules(build, probes, base_width)
    finder = SideFinder(probes, graphs, base_width)
    sides = _find_sides(names, finder, declared_layouts, declared_roles)
    tensors = tuple(
        _find_role(
            name, sides[name], finder, width, declared_layouts.get(name), declared_roles.get(name)
        )
        for name in names
    )
    if all(tensor.role is Role.SCALAR for tensor in tensors):
        raise ParametrizationError(
            f"parametrize: got build({base_width}) and build({2 * base_width}) with equal shapes "
            f"for all {len(tensors)} parameters, wanted at least one dimension that grows with "
            "width. Check that build passes its `width` argument on to the layers."
        )
    cautions = caution_of_unseen(probes.base)
    if graphs:
        cautions = caution_of_factors(graphs, base_width) + caution_of_starts(graphs, base_width)
    guesses = {name: found for name, found in sides.items() if name not in declared_roles}
    cautions += caution_of_guesses(guesses, probes.shapes[base_width])
    return RoleTable(tensors, cautions, pairs)


def _match_patterns(key: str, table: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return the declaration of every parameter that a name or pattern matches."""
    declarations: dict[str, Any] = {}
    for pattern, value in table.items():
        matches = [name for name in names if fnmatchcase(name, pattern)]
        if not matches:
            raise ParametrizationError(
                f"{key}: got {[pattern]}, wanted names of parameters or patterns that match some, "
                f"such as {names[0]!r}."
            )
        declarations |= dict.fromkeys(matches, value)
    return declarations


def _find_sides(
    names: Sequence[str],
    finder: SideFinder,
    layouts: Mapping[str, Layout],
    roles: Mapping[str, str],
) -> dict[str, Sides]:
    """Return the sides of every parameter, as declared or found."""
    for name, role in roles.items():
        if role not in list(Role):
            raise ParametrizationError(
                f"roles: got {role!r} for {name!r}, wanted one of {', '.join(Role)}."
            )
    finder.require_known([
        name for name in names if name not in layouts and (name not in roles or name in finder.uses)
    ])
    return {
        name: _find_own_sides(name, finder, layouts.get(name), roles.get(name)) for name in names
    }


def _find_own_sides(
    name: str, finder: SideFinder, layout: Layout | None, role: str | None
) -> Sides:
    if layout is not None:
        kind = UseKind.MATMUL if layout.contracted else UseKind.SCALED
        return Sides(layout, kind, finder.readouts(name, layout))
    if role is not None and name not in finder.uses:
        return Sides(_layout_for(name, Role(role), finder), UseKind.MATMUL)
    sides = finder.sides(name)
    is_bias = role in {Role.VECTOR, Role.SCALAR} and sides.kind is UseKind.ADDED
    return replace(sides, layout=_layout_for(name, Role.VECTOR, finder)) if is_bias else sides


def _find_role(
    name: str,
    sides: Sides,
    finder: SideFinder,
    width: int,
    layout: Layout | None,
    role: str | None,
) -> TensorRole:
    shape, base_shape = (finder.probes.shapes[w][name] for w in (width, finder.base_width))
    assigned = Role(role) if role is not None else _read_role(name, sides, finder)
    is_fixed = layout is not None or role is not None
    return TensorRole(
        name=name,
        role=assigned,
        shape=shape,
        base_shape=base_shape,
        layout=sides.layout,
        lookup=sides.kind is UseKind.LOOKUP
        or (sides.kind is UseKind.ADDED and assigned is Role.INPUT),
        tied_readouts=sides.tied_readouts if assigned is Role.INPUT else (),
        lookups=finder.lookups(name),
        is_query=_hold_in_all(finder.graphs, lambda g: any(name in a.queries for a in g.attention)),
        is_residual_output=_hold_in_all(finder.graphs, lambda g: name in g.residual),
        is_norm_gain=sides.is_norm_gain,
        direction=None if sides.layout.contracted else find_direction(name, finder, width),
        parts=() if is_fixed else find_parts(name, assigned, sides.layout, finder, width),
    )


def _layout_for(name: str, role: Role, finder: SideFinder) -> Layout:
    """Return sides for a tensor of which only the role is declared, by what grows."""
    dims = range(len(finder.shape(name)))
    grown = tuple(d for d in dims if finder.probes.grows(name, d))
    fixed = tuple(d for d in dims if d not in grown)
    match role:
        case Role.INPUT:
            return Layout(fixed, grown)
        case Role.OUTPUT:
            return Layout(grown, fixed)
        case Role.HIDDEN:
            raise ParametrizationError(
                f"roles: got 'hidden' for {name!r}, whose sides are not known, wanted to know "
                f"which it contracts. Declare layouts={{{name!r}: Layout(contracted=(0,), "
                "produced=(1,))} instead."
            )
    return Layout((), tuple(dims))


def _hold_in_all(graphs: Sequence[Graph], test: Any) -> bool:
    return bool(graphs) and all(test(graph) for graph in graphs)


def _read_role(name: str, sides: Sides, finder: SideFinder) -> Role:
    grown = finder.grown(name)
    grows_in = bool(grown & set(sides.layout.contracted))
    grows_out = bool(grown - set(sides.layout.contracted))
    if grows_in:
        require_whole_input(name, finder)
        is_repeated = grown.isdisjoint(sides.layout.produced)
        return Role.OUTPUT if is_repeated else Role.HIDDEN
    if not grows_out:
        return Role.SCALAR
    is_vector = sides.kind is UseKind.DEPTHWISE or not sides.layout.contracted
    return Role.VECTOR if is_vector else Role.INPUT
