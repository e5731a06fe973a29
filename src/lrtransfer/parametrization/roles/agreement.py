"""One pair of sides for a parameter, from all its uses at all widths that were traced.

The words are those of `tracing`. A table that is looked up and used again as the readout has two
uses, which contract different sides. The lookup decides, and the readout is named:

>>> lookup = Use(UseKind.LOOKUP, contracted=frozenset({0}), produced=frozenset({1}))
>>> readout = Use(UseKind.MATMUL, frozenset({1}), frozenset({0}), module="head")
>>> sides = agree("table", [lookup, readout], shape=(11, 64), grown=frozenset({1}))
>>> sides.layout, sides.kind.name, sides.tied_readouts
(Layout(contracted=(0,), produced=(1,)), 'LOOKUP', ('head',))
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NoReturn

from ...errors import ParametrizationError
from .growth import Shape
from .layers import Layout, Sides
from .tracing.graph import Composition, Graph
from .tracing.uses import Use, UseKind

_Dims = frozenset[int]


def complete_uses(graph: Graph) -> dict[str, list[Use]]:
    """Return the uses of every parameter; the products of weights complete those of their factors.

    Of `x @ (b @ a)` the trace shows that `a` produces and that `b` is contracted, as far as they
    appear in `b @ a`. Their common dimension is on the other side of each.
    """
    table = dict(graph.uses())
    for composition in graph.compositions:
        for name in {label.parameter for label in composition.outer | composition.inner}:
            table[name] = [_complete(use, composition, name) for use in table.get(name, [])]
    return table


def _complete(use: Use, composition: Composition, name: str) -> Use:
    outer, inner = (
        frozenset(label.dim for label in labels if label.parameter == name)
        for labels in (composition.outer, composition.inner)
    )
    if use.kind is not UseKind.MATMUL or inner & use.dims:
        return use
    if outer & use.contracted:
        return replace(use, produced=use.produced | inner)
    return replace(use, contracted=use.contracted | inner)


def separate_repetitions(tables: Sequence[Sequence[Use]]) -> list[Use]:
    """Return the uses of one parameter at all widths, with repetitions told from contractions.

    A dimension may be summed in stretches: a matrix product for each of several heads. If the
    stretches are as long at every width, it is their number that grows, and the dimension is a
    repetition; else it is contracted.

    Arguments:
        tables: The uses at each width.
    """
    uses = [use for table in tables for use in table]
    stretches = [[use.stretches for use in table] for table in tables]
    if any(lengths != stretches[0] for lengths in stretches):
        return uses
    return [_repeat(use, frozenset(dim for dim, _ in use.stretches)) for use in uses]


def _repeat(use: Use, dims: _Dims) -> Use:
    return replace(
        use,
        contracted=use.contracted - dims,
        produced=use.produced - dims,
        batch=use.batch | dims,
    )


def agree(name: str, uses: Sequence[Use], shape: Shape, grown: _Dims) -> Sides:
    """Return the sides that all uses of a parameter agree on.

    Lookups decide; where there are none, contractions; else all uses.

    Arguments:
        name: Name of the parameter.
        uses: Its uses at all widths.
        shape: Its shape, with the entries that are 1 at every width.
        grown: Its dimensions that grow with width.

    Raises:
        ParametrizationError: If two uses contract different sides, and none is a lookup.
    """
    uses = [use for use in uses if use.dims] or uses
    lookups = [use for use in uses if use.kind is UseKind.LOOKUP]
    products = [use for use in uses if use.kind in {UseKind.MATMUL, UseKind.DEPTHWISE}]
    deciding = lookups or products or uses
    contracted = _unite(use.contracted for use in deciding)
    produced = _unite(use.produced for use in deciding)
    readouts = [use for use in products if lookups and use.contracted & produced]
    others = [use for use in uses if use not in deciding and use not in readouts]
    is_matrix = bool(products) and not lookups
    if contracted & produced & grown or any(
        _contradicts(use, contracted, produced, is_matrix=is_matrix) for use in others
    ):
        refuse_clash(name, uses)
    produced -= contracted
    if grown.isdisjoint(produced):  # repetitions whose number grows are outputs, too
        produced |= grown - contracted
    batch = _unite(use.batch for use in deciding)
    kind = deciding[0].kind
    ones = frozenset(dim for dim, size in enumerate(shape) if size == 1)
    ones -= contracted | produced | batch
    if produced and kind in {UseKind.MATMUL, UseKind.LOOKUP, UseKind.DEPTHWISE}:
        contracted |= ones
    else:
        produced |= ones
    is_guess = False
    if kind is UseKind.ADDED and not grown.isdisjoint(produced):  # a table of positions, say
        known = [use.features for use in deciding if use.features is not None]
        features = _unite(known)
        rows = frozenset(dim for dim in produced - grown - features if shape[dim] > 1)
        is_guess = bool(rows and known) and not grown & produced <= features
        contracted, produced = contracted | rows, produced - rows
    layout = Layout(tuple(sorted(contracted)), tuple(sorted(produced)))
    tied = tuple(dict.fromkeys(use.module for use in readouts))
    return Sides(layout, kind, tied, is_guess=is_guess)


def _unite(sets: Iterable[_Dims]) -> _Dims:
    return frozenset[int]().union(*sets)


def _contradicts(use: Use, contracted: _Dims, produced: _Dims, *, is_matrix: bool) -> bool:
    """Return whether a use that does not decide goes against those that do."""
    if use.is_composed and use.dims.isdisjoint(contracted):
        return False
    return bool(use.contracted & produced) or (is_matrix and use.kind is not UseKind.ADDED)


def refuse_clash(name: str, uses: Iterable[Use]) -> NoReturn:
    """Refuse a parameter whose uses contract different sides of it.

    Raises:
        ParametrizationError: Always.
    """
    ways = sorted({f"{use.module or 'the model'} {use.kind.value}" for use in uses})
    raise ParametrizationError(
        f"parametrize: got tensor {name!r} used in ways that contract different sides of it "
        f"({', '.join(ways)}), wanted one role. Untie the uses, or declare the sides of the "
        f"tensor: layouts={{{name!r}: Layout(contracted=(0,), produced=(1,))}}."
    )
