"""A program whose losses are known, for studies of programs."""

from pathlib import Path

_PARABOLA = """
import math, sys
width, lr, seed = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
print("loss", {lowest!r} + (math.log2(lr) + 6) ** 2 / 16 + 0.001 * seed)
"""


def write_parabola(folder: Path, *, lowest: float) -> Path:
    """Write a program whose loss is lowest at 2^-6 at every width."""
    path = folder / "parabola.py"
    path.write_text(_PARABOLA.format(lowest=lowest))
    return path
