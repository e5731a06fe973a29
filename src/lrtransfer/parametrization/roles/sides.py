"""The sides of a parameter: traced, by the class of its layer, or by a sibling of that layer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from ...errors import ParametrizationError
from .growth import Probes, Shape
from .layers import Layout, layout_of
from .tracing.graph import Graph
from .tracing.records import Kind, Use


@dataclass(frozen=True)
class Sides:
    """The sides of one tensor before growth is known.

    Attributes:
        layout: The dimensions contracted and produced.
        kind: How its layer uses it.
        tied_readouts: Names of the modules that contract the produced side of a table.
    """

    layout: Layout
    kind: Kind
    tied_readouts: tuple[str, ...] = ()


class Finder:
    """Finds the sides of a parameter: traced, by the class of its layer, or by a sibling."""

    def __init__(self, probes: Probes, graphs: Sequence[Graph], base_width: int) -> None:
        """Complete the uses of every parameter, at all widths traced."""
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

    def sides(self, name: str) -> Sides:
        """Return the sides of a parameter.

        Raises:
            ParametrizationError: If they are not known, or its uses contract different sides.
        """
        unknown = next((g.unknown[name] for g in self.graphs if name in g.unknown), None)
        if unknown is None and name in self.uses:
            return _merged(name, self.uses[name], self.shape(name), self)
        known = self._by_class(name)
        if known is not None:
            return known
        if unknown is None and (sibling := self._sibling(name)):
            return self.sides(sibling)
        raise self._unsettled(name, unknown)

    def _by_class(self, name: str) -> Sides | None:
        found = self._classes(name)
        if found is None:
            return None
        tables = [sides for _, sides in found if sides.kind is Kind.LOOKUP]
        main = (tables or [sides for _, sides in found])[0]
        if others := [module for module, sides in found if sides.layout != main.layout]:
            if not tables:
                raise _clash(name, [Use(Kind.MATMUL, module=module) for module, _ in found])
            return Sides(main.layout, main.kind, tuple(others))
        return main

    def _classes(self, name: str) -> list[tuple[str, Sides]] | None:
        """Return the sides by the class of every module that owns it; None if one is unknown."""
        found = []
        for owner, module, leaf in self.owners[name]:
            layout = layout_of(module, leaf, getattr(module, leaf))
            if layout is None:
                return None
            found.append((owner, Sides(layout, _kind(module, getattr(module, leaf), layout))))
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


def _merged(name: str, uses: Sequence[Use], shape: Shape, finder: Finder) -> Sides:
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
    return Sides(layout, kind, tuple(dict.fromkeys(use.module for use in readouts)))


def _clash(name: str, uses: Sequence[Use]) -> ParametrizationError:
    seen = sorted({f"{use.module or 'the model'} {use.kind.value}" for use in uses})
    return ParametrizationError(
        f"parametrize: got tensor {name!r} used in ways that contract different sides of it "
        f"({', '.join(seen)}), wanted one role. Untie the uses, or declare the sides of the "
        f"tensor: layouts={{{name!r}: Layout(contracted=(0,), produced=(1,))}}."
    )
