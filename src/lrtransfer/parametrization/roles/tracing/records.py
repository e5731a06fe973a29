"""What is known about blocks of memory, and what a forward pass does with parameters.

Every block of memory that depends on a parameter or on the model's inputs has a `Node`. A weight is
computed from parameters alone and still carries the labels of their dimensions; an activation
depends on the inputs, and a weight becomes part of one only by a `Use`.
"""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from .memory import Axis


class Kind(Enum):
    """How an operation uses a parameter."""

    MATMUL = "contracts"
    DEPTHWISE = "convolves each channel by itself"
    LOOKUP = "looks up rows"
    ADDED = "adds"
    SCALED = "scales elementwise"


@dataclass(frozen=True)
class Use:
    """One use of a parameter, by its dimensions.

    Attributes:
        kind: What the operation does.
        contracted: Dimensions summed over.
        produced: Dimensions that appear in the result.
        batch: Dimensions along which the operation is repeated.
        module: Name of the module whose forward did it.
        partial: Dimensions of which it sums over stretches and is repeated along the rest, as a
            matrix of several heads, with the length of the stretch.
        composed: Whether the parameter was multiplied with other weights before.
    """

    kind: Kind
    contracted: frozenset[int] = frozenset()
    produced: frozenset[int] = frozenset()
    batch: frozenset[int] = frozenset()
    module: str = ""
    partial: frozenset[tuple[int, int]] = frozenset()
    composed: bool = False

    @property
    def dims(self) -> frozenset[int]:
        """All dimensions that it walks."""
        return self.contracted | self.produced | self.batch


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
    """What is known about a block of memory.

    Attributes:
        axes: Its axes; empty if unknown.
        is_weight: Whether it is computed from parameters (and constants) alone.
        names: Parameters that a weight is computed from.
        is_composed: Whether it is a product of weights.
        looked: Dimensions of a weight along which rows were looked up.
        ident: Position of its bit in `ancestors`.
        ancestors: Bits of the activations it depends on, its own included.
        makers: Parameters that contracted or shifted last on the way to it.
        scale: Product of the numbers that multiplied it since.
        logits: Set while it is a product of two activations up to mask and scale.
        provisional: Uses by constants, withdrawn if the result scales a weight (spectral norm).
    """

    axes: tuple[Axis, ...]
    is_weight: bool
    names: frozenset[str] = frozenset()
    is_composed: bool = False
    looked: frozenset[tuple[str, int]] = frozenset()
    ident: int = 0
    ancestors: int = 0
    makers: frozenset[str] = frozenset()
    scale: float = 1.0
    logits: Logits | None = None
    provisional: frozenset[int] = frozenset()
