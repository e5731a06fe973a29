"""What is known about blocks of memory, about attentions and about scalar multipliers.

Every block of memory that depends on a parameter or on the model's inputs has a `Node`: a weight or
an activation. The package's docstring explains both, and makers, lookups and provisional uses.
"""

from dataclasses import dataclass
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


class Scalar(NamedTuple):
    """A number that multiplies an activation, and the parameters that produced it."""

    value: float
    makers: frozenset[str]


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
        bit: Of an activation, the position of its own bit in `ancestors`.
        ancestors: Bits of the activations it depends on, its own included.
        makers: Parameters that contracted or shifted last on the way to it.
        scale: Product of the numbers that multiplied it since.
        logits: Set while it is a product of two activations up to mask and scale.
        provisional_uses: Numbers of the uses to withdraw if it scales a weight.
    """

    axes: tuple[MemoryAxis, ...]
    is_weight: bool
    parameters: frozenset[str] = frozenset()
    is_composed: bool = False
    lookups: frozenset[tuple[str, int]] = frozenset()
    bit: int = 0
    ancestors: int = 0
    makers: frozenset[str] = frozenset()
    scale: float = 1.0
    logits: Logits | None = None
    provisional_uses: frozenset[int] = frozenset()
