"""The sides of a parameter: traced, by the class of its layer, or by a sibling of that layer.

Its contracted side is what its layer sums over, its produced side what the result has (see the
words of `tracing`). Three sources are asked, the best first:

1. the forward traced with an example, at two widths: all uses of a parameter have to agree on its
   sides (`agreement`);
2. the class of the layer that owns it, if that is one of torch's (`layers`);
3. the same attribute of another layer of that class that the forward did reach.

So for `nn.Linear(4, 6)` with weight w of shape (6, 4), a trace and the class both say that
dimension 1 is contracted and dimension 0 produced; for a raw parameter `w` of shape (4, 6) in
`x @ w` only the trace can say that it is the other way round.
"""

from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from ...errors import ParametrizationError
from .agreement import agree, complete_uses, refuse_clash, separate_repetitions
from .growth import Probes, Shape
from .layers import Layout, Sides, sides_by_class
from .tracing.graph import Graph
from .tracing.uses import Use, UseKind


class SideFinder:
    """Source of the sides of every parameter of a model.

    Attributes:
        probes: The model at several widths.
        graphs: Its forwards at the base width and twice that; none without an example.
        base_width: The base width.
        uses: Uses of the parameters that the forwards reach, at both widths.
        owners: For every parameter, the modules that own it, with their names and its own there.
    """

    def __init__(self, probes: Probes, graphs: Sequence[Graph], base_width: int) -> None:
        """Complete the uses of every parameter, at all widths traced."""
        self.probes = probes
        self.graphs = graphs
        self.base_width = base_width
        tables = [complete_uses(graph) for graph in graphs]
        self.uses: dict[str, list[Use]] = {
            name: separate_repetitions([table.get(name, []) for table in tables])
            for name in {name for table in tables for name in table}
        }
        self.owners = _find_owners(probes.base)

    def shape(self, name: str) -> Shape:
        """Return the shape with the entries that are 1 at the base and at twice the base width."""
        return self.probes.shapes[2 * self.base_width][name]

    def grown(self, name: str) -> frozenset[int]:
        """Return the dimensions that grow with width."""
        dims = range(len(self.shape(name)))
        return frozenset(dim for dim in dims if self.probes.grows(name, dim))

    def sides(self, name: str) -> Sides:
        """Return the sides of a parameter.

        Raises:
            ParametrizationError: If they are not known, or its uses contract different sides.
        """
        sides = self._find(name)
        if sides is None:
            raise self._missing_sides([name])
        return sides

    def require_known(self, names: Sequence[str]) -> None:
        """Check that the sides of all these parameters are known.

        Raises:
            ParametrizationError: If some are not; it names all of them.
        """
        if missing := [name for name in names if self._find(name) is None]:
            raise self._missing_sides(missing)

    def _find(self, name: str) -> Sides | None:
        unknown = self._unknown(name)
        if unknown is None and name in self.uses:
            sides = agree(name, self.uses[name], self.shape(name), self.grown(name))
            is_gain = all(name in graph.norm_gains for graph in self.graphs)
            return replace(sides, is_norm_gain=is_gain and sides.kind is UseKind.SCALED)
        if sides_of_class := self._sides_by_class(name):
            return sides_of_class
        if unknown is None and (sibling := self._sibling(name)):
            return self._find(sibling)
        return None

    def _unknown(self, name: str) -> str | None:
        """Return what was done with a parameter that cannot be read."""
        return next((g.unknown[name] for g in self.graphs if name in g.unknown), None)

    def readouts(self, name: str, layout: Layout) -> tuple[str, ...]:
        """Return the modules that contract a side which a declared layout produces."""
        produced = set(layout.produced)
        if self.graphs:
            modules = [use.module for use in self.uses.get(name, []) if use.contracted & produced]
        else:
            owners = self._sides_by_owner(name) or []
            modules = [owner for owner, s in owners if set(s.layout.contracted) & produced]
        return tuple(dict.fromkeys(modules))

    def lookups(self, name: str) -> tuple[str, ...]:
        """Return the modules that look up rows of a parameter."""
        if name in self.uses:
            looked_up = [use for use in self.uses[name] if use.kind is UseKind.LOOKUP]
            return tuple(dict.fromkeys(use.module for use in looked_up))
        owners = self._sides_by_owner(name) or []
        return tuple(owner for owner, sides in owners if sides.kind is UseKind.LOOKUP)

    def _sides_by_class(self, name: str) -> Sides | None:
        """Return the sides that the classes of all owners agree on; None if one is unknown."""
        owners = self._sides_by_owner(name)
        if owners is None:
            return None
        tables = [sides for _, sides in owners if sides.kind is UseKind.LOOKUP]
        deciding = (tables or [sides for _, sides in owners])[0]
        others = [owner for owner, sides in owners if sides.layout != deciding.layout]
        if others and not tables:
            refuse_clash(name, [Use(UseKind.MATMUL, module=owner) for owner, _ in owners])
        return replace(deciding, tied_readouts=tuple(others))

    def _sides_by_owner(self, name: str) -> list[tuple[str, Sides]] | None:
        """Return the sides by the class of every module that owns it; None if one is unknown."""
        pairs = []
        for owner, module, leaf in self.owners[name]:
            sides = sides_by_class(module, leaf)
            if sides is None:
                return None
            pairs.append((owner, sides))
        return pairs

    def _sibling(self, name: str) -> str | None:
        """Return the same attribute of another module of the same class that the trace reached."""
        places = {(type(module), leaf) for _, module, leaf in self.owners[name]}
        for other, owners in self.owners.items():
            if other in self.uses and places & {(type(m), leaf) for _, m, leaf in owners}:
                return other
        return None

    def _missing_sides(self, names: Sequence[str]) -> ParametrizationError:
        by_reason: dict[str, list[str]] = {}
        for name in names:
            module = type(self.owners[name][0][1]).__name__
            reason = f"which {self._unknown(name) or 'the forward of the example does not reach'}"
            if not self.graphs:
                reason = "whose contracted side is not known without a forward"
            by_reason.setdefault(reason, []).append(f"{name!r} of {module}")
        got = "; tensor ".join(
            f"{first}, {why}" + (f" (and so for {', '.join(others)})" if others else "")
            for why, (first, *others) in by_reason.items()
        )
        do = "D" if self.graphs else "Pass example=, or d"
        its = "its" if len(names) == 1 else "their"
        return ParametrizationError(
            f"parametrize: got tensor {got}, wanted an operation "
            f"whose contracted side is known. {do}eclare {its} sides, for a matrix used as x @ w: "
            f"layouts={{{names[0]!r}: Layout(contracted=(0,), produced=(1,))}}, or, for a tensor "
            f"that contracts nothing, its role: roles={{{names[0]!r}: 'vector'}}."
        )


def _find_owners(model: nn.Module) -> dict[str, list[tuple[str, nn.Module, str]]]:
    first = {id(parameter): name for name, parameter in model.named_parameters()}
    owners: dict[str, list[tuple[str, nn.Module, str]]] = {name: [] for name in first.values()}
    for owner, module in model.named_modules():
        for leaf, parameter in module.named_parameters(recurse=False):
            owners[first[id(parameter)]].append((owner, module, leaf))
    return owners
