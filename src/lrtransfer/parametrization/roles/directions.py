"""Gains of weights that are divided by their norm: how long the weight has to be.

Of `w = g v / norm(v)` the entries are g times those of the direction v / norm(v), whose size s
follows from the number of entries that the norm counts, not from v. So where w shall have the
standard deviation σ that the rule of v asks for, g is σ / s: constant for one gain per output of a
hidden matrix (s and σ are both in^-1/2), shrinking as in^-1/2 for a readout (σ is in^-1), and
growing as n^1/2 for a hidden kernel that is normed over both of its growing sides (s is n^-1).
"""

import math
from dataclasses import dataclass

from .sides import SideFinder


@dataclass(frozen=True)
class DirectionRole:
    """The weight divided by its norm that a gain multiplies.

    Attributes:
        name: Name of the parameter that it is computed from.
        size: Size of its entries at the width asked for.
        base_size: The same at the base width.
    """

    name: str
    size: float
    base_size: float


def find_direction(name: str, finder: SideFinder, width: int) -> DirectionRole | None:
    """Return the direction that a parameter multiplies; None if it multiplies none, or several.

    Its size at `width` follows that at the base width and at twice that as a power.
    """
    found = [graph.directions[name] for graph in finder.graphs if name in graph.directions]
    if len(found) != 2:
        return None
    base, double = found
    if base.parameters != double.parameters or len(base.parameters) != 1:
        return None
    exponent = round(math.log2(double.size / base.size), 9)  # exact where it is a simple fraction
    size = base.size * (width / finder.base_width) ** exponent
    return DirectionRole(next(iter(base.parameters)), size, base.size)
