"""What a reader of a recipe must know of the forward: factors that change with width, guesses."""

import math
from collections.abc import Mapping, Sequence
from functools import partial

from torch import nn

from .growth import Shape
from .layers import Sides
from .tracing.graph import Graph
from .tracing.records import Factor, FactorKind

_SAME = 1e-6  # relative difference of numbers that count as one
_SAME_SIZE = 0.1  # of constants that differ among each other, whose number may grow


def caution_of_factors(graphs: Sequence[Graph], base_width: int) -> tuple[str, ...]:
    """Return a line for every factor in the forward that changes with width, or may do so."""
    base, grown = (_by_place(graph) for graph in graphs)
    describe = partial(_describe, base_width=base_width)
    lines = (
        describe(a, b)
        for place in base
        for a, b in _pair(base[place], grown.get(place, []))
        if not _is_same(a, b)
    )
    return tuple(dict.fromkeys(lines))


def _by_place(graph: Graph) -> dict[tuple[FactorKind, str, frozenset[str]], list[Factor]]:
    table: dict[tuple[FactorKind, str, frozenset[str]], list[Factor]] = {}
    for factor in graph.all_factors():
        table.setdefault((factor.kind, factor.module, factor.makers), []).append(factor)
    return table


def _pair(base: Sequence[Factor], grown: Sequence[Factor]) -> list[tuple[Factor, Factor]]:
    """Return the factors of one place at two widths, those that the data chose left out."""
    if len(base) == len(grown):
        return list(zip(base, grown, strict=True))
    both = [sorted(set(factors), key=lambda f: f.value) for factors in (base, grown)]
    return list(zip(*both, strict=True)) if len(both[0]) == len(both[1]) else []


def _is_same(base: Factor, grown: Factor) -> bool:
    """Return whether a factor is the same at two widths, or none that matters."""
    is_uniform = base.is_uniform and grown.is_uniform
    if not is_uniform and not base.makers:
        return True  # masks and positions: functions of the inputs alone
    if math.isnan(base.value) or math.isnan(grown.value):
        return not base.makers
    if math.isinf(base.value) or math.isinf(grown.value):
        return True
    tolerance = _SAME if is_uniform else _SAME_SIZE
    return math.isclose(base.value, grown.value, rel_tol=tolerance)


def _describe(base: Factor, grown: Factor, *, base_width: int) -> str:
    """Return the line for one factor."""
    what = f"{base.kind.value} {_name_some(base.makers)}"
    if not base.makers:
        what = "an activation"
    widths = (base_width, 2 * base_width)
    if math.isnan(base.value) or math.isnan(grown.value):
        return (
            f"{what} is multiplied by an unknown factor (constants whose values could not be found "
            f"in module {base.module!r}): it must not change with width"
        )
    values = (f"{base.value:g}", f"{grown.value:g}")
    if base.kind is FactorKind.NORMALIZED:
        what = f"the output of {_name_some(base.makers)}" if base.makers else what
        return (
            f"{what} is divided by its norm, which leaves entries of size {values[0]} at width "
            f"{widths[0]} and {values[1]} at width {widths[1]}"
        )
    by = "by" if base.is_uniform and grown.is_uniform else "by constants of size"
    return (
        f"{what} is multiplied {by} {values[0]} at width {widths[0]} and {by} {values[1]} at width "
        f"{widths[1]}"
    )


def caution_of_starts(graphs: Sequence[Graph], base_width: int) -> tuple[str, ...]:
    """Return a line for every tensor that starts with one number, another at each width."""
    base, grown = (graph.starts for graph in graphs)
    return tuple(
        f"{name} starts at {start:g} at width {base_width} and at {grown[name]:g} at width "
        f"{2 * base_width}: what it scales changes with width"
        for name, start in base.items()
        if name in grown and not math.isclose(start, grown[name], rel_tol=_SAME)
    )


def caution_of_guesses(sides: Mapping[str, Sides], shapes: Mapping[str, Shape]) -> tuple[str, ...]:
    """Return a line for every tensor that was taken for a table though it may be a bias."""
    return tuple(
        f"{name} of shape {shapes[name]} is added to an activation that could not be followed: it "
        "is read as a table with a row for each position, which decays; if it is a bias, declare "
        f"roles={{{name!r}: 'vector'}}"
        for name, found in sides.items()
        if found.is_guess
    )


def caution_of_unseen(model: nn.Module) -> tuple[str, ...]:
    """Return a caution if there is a forward that is not torch's: nobody looked at it."""
    classes = {type(module) for module in model.modules()}
    names = sorted({c.__name__ for c in classes if not c.__module__.startswith("torch.")})
    if not names:
        return ()
    return (
        f"roles are those of the layers' classes; what the forward of {', '.join(names[:3])} "
        "does with them was not seen (a table used again as readout, say). Pass example=",
    )


def _name_some(names: frozenset[str]) -> str:
    first, rest = sorted(names)[:2], len(names) - 2
    return ", ".join(first) + (f" and {rest} more" if rest > 0 else "")
