"""The learning rates of a study: points of a lattice of powers of two."""

import math
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from ..settings import Option, Positive, Settings

FINENESS = 4  # rates that an adaptive design may choose from, per rate of the grid
LOWEST, HIGHEST = 1e-20, 1e20  # rates of any trainer lie within; they are numbers of float32
_SLACK = 1e-9  # so that a rate written as a rounded decimal is the lattice's own


def _require_rate(rate: float) -> float:
    if not LOWEST <= rate <= HIGHEST:
        raise ValueError(f"got {rate:g}, wanted a learning rate from {LOWEST:g} to {HIGHEST:g}")
    return rate


Rate = Annotated[Positive, AfterValidator(_require_rate)]


class GridConfig(Settings):
    """Learning rates tried first: low to high, `per_octave` rates per factor of two.

    Rates lie on the lattice 2^(k / per_octave), so that grids extended later share their points;
    the grid is the smallest on it that covers low and high.
    """

    low: Annotated[
        Rate,
        Option("Lowest learning rate of the first grid, such as 2^-8.", "LR", name="lr_low"),
    ] = 2.0**-9
    high: Annotated[
        Rate, Option("Highest learning rate of the first grid.", "LR", name="lr_high")
    ] = 2.0**-3
    per_octave: Annotated[int, Field(ge=1, le=16), Option("Learning rates per factor of two.")] = 1

    def indices(self) -> range:
        """Return the lattice indices k of the first grid."""
        low, high = (math.log2(rate) * self.per_octave for rate in (self.low, self.high))
        return range(math.floor(low + _SLACK), math.ceil(high - _SLACK) + 1)

    def refined(self) -> "GridConfig":
        """Return the same grid on a lattice FINENESS times as dense."""
        return self.model_copy(update={"per_octave": FINENESS * self.per_octave})

    def rate(self, index: int) -> float:
        """Return the learning rate 2^(k / per_octave) of a lattice index."""
        return float(2.0 ** (index / self.per_octave))

    @model_validator(mode="after")
    def _require_points(self) -> Self:
        if len(self.indices()) < 3:
            raise ValueError(
                f"got low={self.low:g} and high={self.high:g}, which hold "
                f"{len(self.indices())} rates, wanted at least 3"
            )
        return self
