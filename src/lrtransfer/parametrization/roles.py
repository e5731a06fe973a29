"""Which dimensions grow with width x which side the consuming operation contracts -> role.

The sides are read from the traced forward, or where there is no example input from the class of the
layer; which dimensions grow is read from the model built at several widths. Names, the number of
dimensions and sizes that happen to be equal decide nothing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, Literal

import torch
from torch import nn

from ..errors import ParametrizationError
from .growth import Build as Build
from .growth import Probes, make, probe
from .growth import Shape as Shape
from .layers import Layout as Layout
from .layers import layout_of
from .rules import Role
from .tracing.graph import Attention, Graph, Kind, Use
from .tracing.memory import Part
from .tracing.trace import inputs_of, trace


@dataclass(frozen=True)
class TensorRole:
    """State the role of one tensor and its two sides at the width and at the base width.

    Attributes:
        name: Name of the parameter in the model.
        role: What the tensor does.
        shape: Its shape at the width asked for.
        base_shape: Its shape at the base width.
        layout: Its sides.
        lookup: Whether rows are looked up: the input is one-hot, so fan_in counts as 1.
        tied_readouts: Names of the modules that contract the produced side of an input table.
        is_query: Whether it produces the queries of an attention and nothing else.
        is_residual_output: Whether its output is added to a residual stream.
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
    is_query: bool = False
    is_residual_output: bool = False
    parts: tuple[tuple[int, int, Role], ...] = ()

    @property
    def contracts(self) -> bool:
        """Whether its layer contracts any side of it; not so for biases and gains."""
        return bool(self.layout.contracted)

    @property
    def fan_in(self) -> int:
        """Number of entries that one output sums over; 1 where nothing is contracted."""
        return math.prod(self.shape[d] for d in self.layout.contracted)

    @property
    def fan_out(self) -> int:
        """Number of outputs."""
        return math.prod(self.shape[d] for d in self.layout.produced)

    @property
    def base_fan_in(self) -> int:
        """The fan_in at the base width."""
        return math.prod(self.base_shape[d] for d in self.layout.contracted)

    @property
    def base_fan_out(self) -> int:
        """The fan_out at the base width."""
        return math.prod(self.base_shape[d] for d in self.layout.produced)

    @property
    def ratio_in(self) -> float:
        """The fan_in over that at the base width."""
        return self.fan_in / self.base_fan_in

    @property
    def ratio_out(self) -> float:
        """The fan_out over that at the base width."""
        return self.fan_out / self.base_fan_out


@dataclass(frozen=True)
class RoleTable:
    """Hold the roles of a model's tensors and what else a recipe should know.

    Attributes:
        tensors: One role for every parameter.
        cautions: Numbers in the forward that change with width, in words.
        attention: The attentions at the base width and at twice that.
    """

    tensors: tuple[TensorRole, ...]
    cautions: tuple[str, ...]
    attention: tuple[tuple[Attention, Attention], ...]


@dataclass(frozen=True)
class _Sides:
    """The sides of one tensor before growth is known."""

    layout: Layout
    kind: Kind
    tied_readouts: tuple[str, ...] = ()


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
    """Return the role of every parameter of `build(width)`; see `role_table`.

    Example:
        >>> def build(n: int) -> nn.Module:
        ...     return nn.Sequential(nn.Linear(3, n), nn.Linear(n, n), nn.Linear(n, 1))
        >>> [r.role.value for r in assign_roles(build, width=64, base_width=16)]
        ['input', 'vector', 'hidden', 'vector', 'output', 'scalar']
    """
    return role_table(
        build,
        width=width,
        base_width=base_width,
        example=example,
        layouts=layouts,
        roles=roles,
        attention=attention,
    ).tensors


def role_table(
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
    declared = _declared("layouts", layouts or {}, names)
    given = _declared("roles", roles or {}, names)
    graphs: tuple[Graph, ...] = ()
    if example is not None:
        graphs = tuple(
            trace(partial(make, build, w), inputs_of(example, w), width=w)
            for w in (base_width, 2 * base_width)
        )
    pairs = tuple(zip(*(graph.attention for graph in graphs), strict=False))
    if attention == "refuse":
        _require_fixed_head_width(pairs, base_width)
        if not graphs:
            _require_fixed_modules(build, probes, base_width)
    finder = _Finder(probes, graphs, base_width)
    tensors = tuple(
        _tensor_role(name, finder, width, declared.get(name), given.get(name)) for name in names
    )
    if all(tensor.role is Role.SCALAR for tensor in tensors):
        raise ParametrizationError(
            f"parametrize: got build({base_width}) and build({2 * base_width}) with equal shapes "
            f"for all {len(tensors)} parameters, wanted at least one dimension that grows with "
            "width. Check that build passes its `width` argument on to the layers."
        )
    return RoleTable(tensors, _cautions(graphs, base_width), pairs)


def _declared(key: str, table: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return the declaration of every parameter that a name or pattern matches."""
    found: dict[str, Any] = {}
    for pattern, value in table.items():
        matched = [name for name in names if fnmatchcase(name, pattern)]
        if not matched:
            raise ParametrizationError(
                f"{key}: got {[pattern]}, wanted names of parameters or patterns that match some, "
                f"such as {names[0]!r}."
            )
        found |= dict.fromkeys(matched, value)
    return found


def _require_fixed_head_width(
    pairs: Sequence[tuple[Attention, Attention]], base_width: int
) -> None:
    for base, grown in pairs:
        if base.head_width == grown.head_width:
            continue
        wanted = base.scale * base.head_width / grown.head_width
        if not math.isclose(grown.scale, wanted, rel_tol=1e-4):
            who = ", ".join(sorted(base.queries)) or "queries fused with keys"
            raise ParametrizationError(
                f"parametrize: got an attention ({who}) with head width {base.head_width} and "
                f"scale {base.scale:g} at width {base_width}, {grown.head_width} and "
                f"{grown.scale:g} at width {2 * base_width}, wanted one head width, or a scale "
                "proportional to 1/head width, which muP needs where it grows. Keep the head width "
                "fixed by growing the number of heads (num_heads) with width, or scale by 1/d."
            )


def _require_fixed_modules(build: Build, probes: Probes, base_width: int) -> None:
    """Refuse torch's attention layers whose heads grow, where no forward shows them."""
    grown = dict(make(build, 2 * base_width, probes.device).named_modules())
    for name, module in probes.base.named_modules():
        if isinstance(module, nn.MultiheadAttention) and module.head_dim != grown[name].head_dim:
            raise ParametrizationError(
                f"parametrize: got MultiheadAttention {name!r} with head_dim {module.head_dim} at "
                f"width {base_width} and {grown[name].head_dim} at width {2 * base_width}, wanted "
                "one head_dim at every width: it scales logits by 1/sqrt(head_dim), and muP needs "
                "more where head_dim grows. Keep head_dim fixed by growing num_heads with width."
            )


def _cautions(graphs: Sequence[Graph], base_width: int) -> tuple[str, ...]:
    if not graphs or len(graphs[0].scalars) != len(graphs[1].scalars):
        return ()
    lines = (
        f"the output of {_listed(base.makers)} is multiplied by {base.value:g} at width "
        f"{base_width} and by {grown.value:g} at width {2 * base_width}"
        for base, grown in zip(*(graph.scalars for graph in graphs), strict=True)
        if math.isfinite(base.value) and math.isfinite(grown.value) and base.value != grown.value
    )
    return tuple(dict.fromkeys(lines))


def _listed(names: frozenset[str]) -> str:
    first, rest = sorted(names)[:2], len(names) - 2
    return (", ".join(first) or "an activation") + (f" and {rest} more" if rest > 0 else "")


class _Finder:
    """Finds the sides of a parameter: traced, by the class of its layer, or by a sibling."""

    def __init__(self, probes: Probes, graphs: Sequence[Graph], base_width: int) -> None:
        self.probes = probes
        self.graphs = graphs
        self.base_width = base_width
        self.uses: dict[str, list[Use]] = {}
        tables = [_resolved(graph) for graph in graphs]
        for name in {name for table in tables for name in table}:
            self.uses[name] = _with_repeats([table.get(name, []) for table in tables])
        self.owners = _owners(probes.base)

    def shape(self, name: str) -> Shape:
        """Return the shape with the entries that are 1 at the base and at twice the base width."""
        return self.probes.shapes[2 * self.base_width][name]

    def sides(self, name: str) -> _Sides:
        unknown = next((g.unknown[name] for g in self.graphs if name in g.unknown), None)
        if unknown is None and name in self.uses:
            return _merged(name, self.uses[name], self.shape(name), self)
        known = self._by_class(name)
        if known is not None:
            return known
        if unknown is None and (sibling := self._sibling(name)):
            return self.sides(sibling)
        raise self._unsettled(name, unknown)

    def _by_class(self, name: str) -> _Sides | None:
        found = self._classes(name)
        if found is None:
            return None
        tables = [sides for _, sides in found if sides.kind is Kind.LOOKUP]
        main = (tables or [sides for _, sides in found])[0]
        if others := [module for module, sides in found if sides.layout != main.layout]:
            if not tables:
                raise _clash(name, [Use(Kind.MATMUL, module=module) for module, _ in found])
            return _Sides(main.layout, main.kind, tuple(others))
        return main

    def _classes(self, name: str) -> list[tuple[str, _Sides]] | None:
        """Return the sides by the class of every module that owns it; None if one is unknown."""
        found = []
        for owner, module, leaf in self.owners[name]:
            layout = layout_of(module, leaf, getattr(module, leaf))
            if layout is None:
                return None
            found.append((owner, _Sides(layout, _kind(module, getattr(module, leaf), layout))))
        return found

    def readouts(self, name: str, layout: Layout) -> tuple[str, ...]:
        """Return the modules that contract a side which a declared layout produces."""
        produced = set(layout.produced)
        traced = [u.module for u in self.uses.get(name, []) if u.contracted & produced]
        known = [m for m, s in self._classes(name) or [] if set(s.layout.contracted) & produced]
        return tuple(dict.fromkeys(traced if self.graphs else known))

    def _sibling(self, name: str) -> str | None:
        """Return the same attribute of another module of the same class that the trace reached."""
        own = {(type(module), leaf) for _, module, leaf in self.owners[name]}
        return next(
            (
                other
                for other, owners in self.owners.items()
                if other in self.uses and own & {(type(module), leaf) for _, module, leaf in owners}
            ),
            None,
        )

    def _unsettled(self, name: str, unknown: str | None) -> ParametrizationError:
        module = type(self.owners[name][0][1]).__name__
        if not self.graphs:
            got, do = "whose contracted side is not known without a forward", "Pass example=, or d"
        else:
            got, do = f"which {unknown or 'the forward of the example does not reach'}", "D"
        return ParametrizationError(
            f"parametrize: got tensor {name!r} of {module}, {got}, wanted an operation whose "
            f"contracted side is known. {do}eclare its sides, for a matrix used as x @ w: "
            f"layouts={{{name!r}: Layout(contracted=(0,), produced=(1,))}}, or, for a tensor that "
            f"contracts nothing, its role: roles={{{name!r}: 'vector'}}."
        )


def _owners(model: nn.Module) -> dict[str, list[tuple[str, nn.Module, str]]]:
    first = {id(parameter): name for name, parameter in model.named_parameters()}
    owners: dict[str, list[tuple[str, nn.Module, str]]] = {name: [] for name in first.values()}
    for owner, module in model.named_modules():
        for leaf, parameter in module.named_parameters(recurse=False):
            owners[first[id(parameter)]].append((owner, module, leaf))
    return owners


def _kind(module: nn.Module, parameter: torch.Tensor, layout: Layout) -> Kind:
    if isinstance(module, nn.Embedding | nn.EmbeddingBag):
        return Kind.LOOKUP
    if not layout.contracted:
        return Kind.SCALED
    is_depthwise = getattr(module, "groups", 1) > 1 and parameter.shape[1] == 1
    return Kind.DEPTHWISE if is_depthwise else Kind.MATMUL


def _resolved(graph: Graph) -> dict[str, list[Use]]:
    """Return the uses, those of products of weights completed by what their outer side does."""
    table = dict(graph.uses())
    for outer, inner in graph.links:
        for name in {label.parameter for label in outer | inner}:
            own = frozenset(label.dim for label in outer if label.parameter == name)
            summed = frozenset(label.dim for label in inner if label.parameter == name)
            table[name] = [_completed(use, own, summed) for use in table.get(name, [])]
    return table


def _with_repeats(tables: Sequence[Sequence[Use]]) -> list[Use]:
    """Return the uses at all widths; a dimension summed in stretches that do not grow repeats."""
    uses = [use for table in tables for use in table]
    stretches = [[use.partial for use in table] for table in tables]
    if any(stretch != stretches[0] for stretch in stretches):
        return uses
    return [_repeated(use, frozenset(dim for dim, _ in use.partial)) for use in uses]


def _repeated(use: Use, dims: frozenset[int]) -> Use:
    return replace(
        use,
        contracted=use.contracted - dims,
        produced=use.produced - dims,
        batch=use.batch | dims,
    )


def _completed(use: Use, outer: frozenset[int], inner: frozenset[int]) -> Use:
    if use.kind is not Kind.MATMUL or inner & use.dims:
        return use
    if outer & use.contracted:
        return replace(use, produced=use.produced | inner)
    return replace(use, contracted=use.contracted | inner)


def _merged(name: str, uses: Sequence[Use], shape: Shape, finder: _Finder) -> _Sides:
    """Return the one layout that all uses agree on."""
    uses = [use for use in uses if use.dims] or uses
    lookups = [use for use in uses if use.kind is Kind.LOOKUP]
    products = [use for use in uses if use.kind in {Kind.MATMUL, Kind.DEPTHWISE}]
    main = lookups or products or uses
    contracted = frozenset(dim for use in main for dim in use.contracted)
    produced = frozenset(dim for use in main for dim in use.produced)
    grown = frozenset(d for d in range(len(shape)) if finder.probes.grows(name, d))
    readouts = [use for use in products if lookups and use.contracted & produced]
    others = [use for use in uses if use not in main and use not in readouts]
    clash = contracted & produced & grown or any(
        use.contracted & produced or (use.kind is not Kind.ADDED and products and not lookups)
        for use in others
        if not (use.composed and use.dims.isdisjoint(contracted))
    )
    if clash:
        raise _clash(name, uses)
    produced -= contracted
    if grown.isdisjoint(produced):  # repetitions whose number grows are outputs, too
        produced |= grown - contracted
    repeated = frozenset(dim for use in main for dim in use.batch) - contracted - produced
    left = [d for d in range(len(shape)) if d not in contracted | produced | repeated]
    ones = {d for d in left if shape[d] == 1}
    kind = main[0].kind
    if produced and kind in {Kind.MATMUL, Kind.LOOKUP, Kind.DEPTHWISE}:
        contracted |= ones
    else:
        produced |= ones
    if kind is Kind.ADDED and not grown.isdisjoint(produced):
        rows = frozenset(d for d in produced - grown if shape[d] > 1)
        contracted, produced = contracted | rows, produced - rows
    layout = Layout(tuple(sorted(contracted)), tuple(sorted(produced)))
    return _Sides(layout, kind, tuple(dict.fromkeys(use.module for use in readouts)))


def _clash(name: str, uses: Sequence[Use]) -> ParametrizationError:
    seen = sorted({f"{use.module or 'the model'} {use.kind.value}" for use in uses})
    return ParametrizationError(
        f"parametrize: got tensor {name!r} used in ways that contract different sides of it "
        f"({', '.join(seen)}), wanted one role. Untie the uses, or declare the sides of the "
        f"tensor: layouts={{{name!r}: Layout(contracted=(0,), produced=(1,))}}."
    )


def _tensor_role(
    name: str, finder: _Finder, width: int, layout: Layout | None, role: str | None
) -> TensorRole:
    shape, base_shape = (finder.probes.shapes[w][name] for w in (width, finder.base_width))
    if role is not None and role not in list(Role):
        raise ParametrizationError(
            f"roles: got {role!r} for {name!r}, wanted one of {', '.join(Role)}."
        )
    if layout is not None:
        kind = Kind.MATMUL if layout.contracted else Kind.SCALED
        sides = _Sides(layout, kind, finder.readouts(name, layout))
    elif role is not None and name not in finder.uses:
        sides = _Sides(_layout_for(name, Role(role), finder), Kind.MATMUL)
    else:
        sides = finder.sides(name)
    own = Role(role) if role is not None else _role(name, sides, finder)
    is_fixed = layout is not None or role is not None
    return TensorRole(
        name=name,
        role=own,
        shape=shape,
        base_shape=base_shape,
        layout=sides.layout,
        lookup=sides.kind is Kind.LOOKUP or (sides.kind is Kind.ADDED and own is Role.INPUT),
        tied_readouts=sides.tied_readouts if own is Role.INPUT else (),
        is_query=_all(finder.graphs, lambda g: any(name in a.queries for a in g.attention)),
        is_residual_output=_all(finder.graphs, lambda g: name in g.residual),
        parts=() if is_fixed else _parts(name, own, sides.layout, finder, width),
    )


def _layout_for(name: str, role: Role, finder: _Finder) -> Layout:
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


def _all(graphs: Sequence[Graph], test: Any) -> bool:
    return bool(graphs) and all(test(graph) for graph in graphs)


def _role(name: str, sides: _Sides, finder: _Finder) -> Role:
    grown = {d for d in range(len(finder.shape(name))) if finder.probes.grows(name, d)}
    grows_in = bool(grown & set(sides.layout.contracted))
    grows_out = bool(grown - set(sides.layout.contracted))
    if grows_in:
        _require_whole_input(name, finder)
        is_repeated = grown.isdisjoint(sides.layout.produced)
        return Role.OUTPUT if is_repeated else Role.HIDDEN
    if not grows_out:
        return Role.SCALAR
    is_vector = sides.kind is Kind.DEPTHWISE or not sides.layout.contracted
    return Role.VECTOR if is_vector else Role.INPUT


def _require_whole_input(name: str, finder: _Finder) -> None:
    """Refuse a matrix whose input is a concatenation of parts of which only some grow."""
    tables = [graph.pieces.get(name, []) for graph in finder.graphs]
    for base, grown in zip(*tables, strict=False) if tables else ():
        if len({a == b for a, b in zip(base, grown, strict=False)}) > 1:
            raise ParametrizationError(
                f"parametrize: got tensor {name!r} that contracts a concatenation of sizes {base} "
                f"and, at twice the width, {grown}, of which some grow, wanted one role. Split the "
                f"layer in two, or declare the role of the whole: roles={{{name!r}: 'hidden'}}."
            )


def _parts(
    name: str, role: Role, layout: Layout, finder: _Finder, width: int
) -> tuple[tuple[int, int, Role], ...]:
    """Return the parts of a fused tensor's produced side of which only some grow."""
    for dim in layout.produced if finder.graphs else ():
        if not finder.probes.grows(name, dim):
            continue
        base, grown = (graph.parts.get((name, dim), []) for graph in finder.graphs)
        if len(base) != len(grown):
            continue
        pairs = list(dict.fromkeys(zip(base, grown, strict=True)))
        fixed = _outermost([(a, b) for a, b in pairs if a.size == b.size])
        if not fixed:
            continue
        if role is Role.INPUT or not all(a.contiguous for a, _ in fixed):
            raise ParametrizationError(
                f"parametrize: got fused tensor {name!r} with parts of size "
                f"{sorted({a.size for a, _ in fixed})} that do not grow among parts that do, "
                "wanted one role. Split it into one tensor per part, or declare the role: "
                f"roles={{{name!r}: {role.value!r}}}."
            )
        fixed_role = {Role.HIDDEN: Role.OUTPUT}.get(role, Role.SCALAR)
        starts = {_at(a.start, b.start, finder.base_width, width): a.size for a, b in fixed}
        return _tiled(starts, finder.probes.shapes[width][name][dim], role, fixed_role)
    return ()


def _outermost(pairs: Sequence[tuple[Part, Part]]) -> list[tuple[Part, Part]]:
    """Return the parts without those that lie inside another."""
    whole = [a for a, _ in pairs if a.contiguous]
    return [
        (a, b)
        for a, b in pairs
        if not any(w.start <= a.start < w.start + w.size and w.size > a.size for w in whole)
    ]


def _at(base: int, double: int, base_width: int, width: int) -> int:
    return base + (double - base) * (width - base_width) // base_width


def _tiled(
    fixed: Mapping[int, int], total: int, role: Role, fixed_role: Role
) -> tuple[tuple[int, int, Role], ...]:
    parts: list[tuple[int, int, Role]] = []
    position = 0
    for start, size in sorted(fixed.items()):
        if start < position:
            continue
        if start > position:
            parts.append((position, start, role))
        parts.append((start, start + size, fixed_role))
        position = start + size
    if position < total:
        parts.append((position, total, role))
    return tuple(parts)
