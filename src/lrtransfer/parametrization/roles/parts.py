"""Fused tensors: parts of a side of which some grow with width and some do not."""

from collections.abc import Sequence

from ...errors import ParametrizationError
from ..rules import Role
from .layers import Layout
from .sides import SideFinder
from .tracing.memory import Part, part_of

_Runs = tuple[tuple[int, int], ...]


def find_parts(
    name: str, role: Role, layout: Layout, finder: SideFinder, width: int
) -> tuple[tuple[int, int, Role], ...]:
    """Return the parts of a fused tensor's produced side if only some of them grow.

    Parts that do not grow may be taken in several pieces (every second entry, heads of two kinds in
    turn): what counts is which entries they have together.

    Returns:
        Start, stop and role of each part at `width`, which cover the whole side; empty if all grow
        or none does.

    Raises:
        ParametrizationError: If parts that do not grow cannot have a role of their own.
    """
    for dim in layout.produced if finder.graphs else ():
        if not finder.probes.grows(name, dim):
            continue
        base, grown = (graph.parts.get((name, dim), []) for graph in finder.graphs)
        if len(base) != len(grown):
            continue
        pairs = list(dict.fromkeys(zip(base, grown, strict=True)))
        fixed = [(a, b) for a, b in pairs if a.size == b.size]
        if not fixed:
            continue
        runs = [_unite([pair[k] for pair in fixed]) for k in (0, 1)]
        if role is Role.INPUT or not _are_alike(*runs):
            raise ParametrizationError(
                f"parametrize: got fused tensor {name!r} with parts of size "
                f"{sorted({a.size for a, _ in fixed})} that do not grow among parts that do, "
                "wanted one role. Split it into one tensor per part, or declare the role: "
                f"roles={{{name!r}: {role.value!r}}}."
            )
        at_width = [
            _extrapolate_run(run, double, finder.base_width, width)
            for run, double in zip(*runs, strict=True)
        ]
        fixed_role = {Role.HIDDEN: Role.OUTPUT}.get(role, Role.SCALAR)
        return _tile(at_width, finder.probes.shapes[width][name][dim], role, fixed_role)
    return ()


def _unite(parts: Sequence[Part]) -> _Runs:
    return part_of(i for part in parts for i in part.indices).runs


def _are_alike(base: _Runs, double: _Runs) -> bool:
    """Return whether two widths have the same runs, elsewhere."""
    return [b - a for a, b in base] == [b - a for a, b in double]


def _extrapolate_run(
    base: tuple[int, int], double: tuple[int, int], base_width: int, width: int
) -> tuple[int, int]:
    shift = (double[0] - base[0]) * (width - base_width) // base_width
    return base[0] + shift, base[1] + shift


def _tile(
    fixed: Sequence[tuple[int, int]], total: int, role: Role, fixed_role: Role
) -> tuple[tuple[int, int, Role], ...]:
    parts: list[tuple[int, int, Role]] = []
    position = 0
    for start, stop in fixed:
        if start > position:
            parts.append((position, start, role))
        parts.append((start, stop, fixed_role))
        position = stop
    if position < total:
        parts.append((position, total, role))
    return tuple(parts)


def require_whole_input(name: str, finder: SideFinder) -> None:
    """Refuse a matrix whose input is a concatenation of pieces of which only some grow.

    Raises:
        ParametrizationError: If it is.
    """
    tables = [graph.pieces.get(name, []) for graph in finder.graphs]
    for base, grown in zip(*tables, strict=False) if tables else ():
        if len({a == b for a, b in zip(base, grown, strict=False)}) > 1:
            raise ParametrizationError(
                f"parametrize: got tensor {name!r} that contracts a concatenation of sizes {base} "
                f"and, at twice the width, {grown}, of which some grow, wanted one role. Split the "
                f"layer in two, or declare the role of the whole: roles={{{name!r}: 'hidden'}}."
            )
