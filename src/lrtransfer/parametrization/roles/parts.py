"""Fused tensors: parts of a side of which some grow with width and some do not."""

from collections.abc import Mapping, Sequence

from ...errors import ParametrizationError
from ..rules import Role
from .layers import Layout
from .sides import SideFinder
from .tracing.memory import Part


def find_parts(
    name: str, role: Role, layout: Layout, finder: SideFinder, width: int
) -> tuple[tuple[int, int, Role], ...]:
    """Return the parts of a fused tensor's produced side if only some of them grow.

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
        starts = {
            _extrapolate_start(a.start, b.start, finder.base_width, width): a.size for a, b in fixed
        }
        return _tile(starts, finder.probes.shapes[width][name][dim], role, fixed_role)
    return ()


def _outermost(pairs: Sequence[tuple[Part, Part]]) -> list[tuple[Part, Part]]:
    """Return the parts without those that lie inside another."""
    stretches = [a for a, _ in pairs if a.contiguous]
    return [
        (a, b)
        for a, b in pairs
        if not any(w.start <= a.start < w.start + w.size and w.size > a.size for w in stretches)
    ]


def _extrapolate_start(base: int, double: int, base_width: int, width: int) -> int:
    return base + (double - base) * (width - base_width) // base_width


def _tile(
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
