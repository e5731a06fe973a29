"""What is known about blocks of memory, about attentions and about factors.

Every block of memory that depends on a parameter or on the model's inputs has a `Node`: a weight or
an activation. The package's docstring explains both, and makers, lookups and provisional uses.
"""

import math
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from .memory import MemoryAxis


@dataclass(frozen=True)
class Attention:
    """One softmax of products of queries and keys, or a fused attention.

    Attributes:
        head_width: Number of entries that a product sums over.
        scale: Factor on the products; nan where it is a tensor of unknown value.
        queries: Parameters that produce the queries and nothing else of it.
    """

    head_width: int
    scale: float
    queries: frozenset[str]


class FactorKind(Enum):
    """What a factor multiplies."""

    OUTPUT = "the output of"
    WEIGHT = "the weight"
    NORMALIZED = "the normalized output of"


class Factor(NamedTuple):
    """A factor in the forward that is no parameter.

    Attributes:
        value: The number; of constants that differ, the root of their mean square; of an activation
            divided by its norm, the size of its entries. nan where it is not known.
        makers: The parameters that produced what it multiplies.
        kind: What that is.
        module: Name of the module whose forward did it.
        is_uniform: Whether it is one number.
    """

    value: float
    makers: frozenset[str]
    kind: FactorKind = FactorKind.OUTPUT
    module: str = ""
    is_uniform: bool = True


class Direction(NamedTuple):
    """A weight divided by its norm, which a gain multiplies.

    Attributes:
        parameters: Those that it is computed from.
        size: Size of its entries.
    """

    parameters: frozenset[str]
    size: float


@dataclass(frozen=True)
class Statistic:
    """What one sum or mean tells of a tensor.

    Attributes:
        of: Numbers of the nodes of that tensor and of those it was computed from, entry by entry.
        size: Its value if all entries of that tensor are 1.
        is_even: Whether the sign of the entries does not matter: a norm, or a function of it.
        gains: Of a weight, the parameters that multiplied it since.
    """

    of: frozenset[int]
    size: float
    is_even: bool
    gains: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Derivation:
    """How a tensor follows from others, as far as a norm needs it.

    Attributes:
        roots: Numbers of the nodes of which it is a function, entry by entry.
        is_even: Whether it is an even power of one.
        statistic: Set if it is a function of one sum or mean.
        size: Size of its entries if it was divided by its norm; nan if it was not.
        factor: Index of the factor of the graph that says so.
    """

    roots: frozenset[int] = frozenset()
    is_even: bool = False
    statistic: Statistic | None = None
    size: float = math.nan
    factor: int | None = None

    @property
    def is_normalized(self) -> bool:
        """Whether it was divided by its norm, and at most multiplied by numbers since."""
        return not math.isnan(self.size)


UNDERIVED = Derivation()


@dataclass(frozen=True)
class Logits:
    """Products of two activations that may become an attention."""

    head_width: int
    left: frozenset[str]
    right: frozenset[str]


@dataclass(frozen=True)
class Node:
    """What is known about a block of memory: a weight or an activation.

    Attributes:
        axes: Its axes; empty if unknown.
        is_weight: Whether it is computed from parameters (and constants) alone.
        parameters: Of a weight, the parameters that it is computed from.
        is_composed: Of a weight, whether it is a product of weights.
        lookups: Of a weight, the dimensions along which rows were picked.
        ancestors: Of an activation, bits of those it depends on, by their numbers, its own
            included.
        makers: Parameters that contracted or shifted last on the way to it.
        scale: Product of the numbers that multiplied it since.
        logits: Set while it is a product of two activations up to mask and scale.
        provisional_uses: Numbers of the uses to withdraw if it scales a weight.
        number: Its own number.
        derivation: How it follows from others.
    """

    axes: tuple[MemoryAxis, ...]
    is_weight: bool
    parameters: frozenset[str] = frozenset()
    is_composed: bool = False
    lookups: frozenset[tuple[str, int]] = frozenset()
    ancestors: int = 0
    makers: frozenset[str] = frozenset()
    scale: float = 1.0
    logits: Logits | None = None
    provisional_uses: frozenset[int] = frozenset()
    number: int = 0
    derivation: Derivation = UNDERIVED
