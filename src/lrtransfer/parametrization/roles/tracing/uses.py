"""How operations use a parameter: read from the labels of a weight, or settled by a later sum."""

from dataclasses import dataclass, field, replace
from enum import Enum

from .memory import Label


class UseKind(Enum):
    """How an operation uses a parameter."""

    MATMUL = "contracts"
    DEPTHWISE = "convolves each channel by itself"
    LOOKUP = "looks up rows"
    ADDED = "adds"
    SCALED = "scales elementwise"


@dataclass(frozen=True)
class Use:
    """One use of a parameter, by its sides.

    Attributes:
        kind: What the operation does.
        contracted: Dimensions summed over.
        produced: Dimensions that appear in the result.
        batch: Dimensions along which the operation is repeated.
        module: Name of the module whose forward did it.
        stretches: Dimensions of which one sum takes a stretch only, with its length, and along the
            rest of which the operation is repeated: a matrix of several heads.
        is_composed: Whether the parameter was multiplied with other weights before.
        features: Of what is added, the dimensions along which a weight produced what it is added
            to; None where it is not added to anything.
    """

    kind: UseKind
    contracted: frozenset[int] = frozenset()
    produced: frozenset[int] = frozenset()
    batch: frozenset[int] = frozenset()
    module: str = ""
    stretches: frozenset[tuple[int, int]] = frozenset()
    is_composed: bool = False
    features: frozenset[int] | None = None

    @property
    def dims(self) -> frozenset[int]:
        """All dimensions that it walks."""
        return self.contracted | self.produced | self.batch


@dataclass(frozen=True)
class LabelledSides:
    """The three sides of an operation on a weight, by the labels found on each."""

    contracted: frozenset[Label] = frozenset()
    produced: frozenset[Label] = frozenset()
    batch: frozenset[Label] = frozenset()

    def of(self, parameter: str) -> "LabelledSides":
        """Return what is said of one parameter: its gain labels count only if it has no others."""
        sides = [
            frozenset(label for label in side if label.parameter == parameter)
            for side in (self.contracted, self.produced, self.batch)
        ]
        if any(not label.is_gain for side in sides for label in side):
            sides = [frozenset(label for label in side if not label.is_gain) for side in sides]
        return LabelledSides(*sides)

    @property
    def is_gain(self) -> bool:
        """Whether there are labels, and all are of gains."""
        labels = self.contracted | self.produced | self.batch
        return bool(labels) and all(label.is_gain for label in labels)


def use_by_sides(
    kind: UseKind,
    sides: LabelledSides,
    *,
    stretch: int,
    module: str,
    is_composed: bool,
    features: frozenset[int] | None,
) -> Use:
    """Return the use of a parameter by an operation on a weight computed from it.

    Arguments:
        kind: What the operation does with the weight.
        sides: The sides of the operation, for this parameter.
        stretch: Number of entries that one sum takes, to tell heads apart; 0 where there are none.
        module: Name of the module that runs.
        is_composed: Whether the weight is a product of weights.
        features: As in a use.
    """
    contracted, produced, batch = (
        frozenset(label.dim for label in side)
        for side in (sides.contracted, sides.produced, sides.batch)
    )
    if sides.is_gain:
        return Use(UseKind.SCALED, produced=contracted | produced | batch, module=module)
    split = contracted & (produced | batch) if stretch else frozenset()
    stretches = frozenset((dim, stretch) for dim in split)
    return Use(kind, contracted, produced, batch, module, stretches, is_composed, features)


@dataclass
class Product:
    """A parameter multiplied with an activation elementwise, open until its consumers are seen.

    Attributes:
        parameter: Name of the parameter.
        dims: Its dimensions that appear in the result.
        module: Name of the module that ran.
        is_composed: Whether the parameter was multiplied with other weights before.
        expands: Whether the activation was repeated along some of the dimensions.
        repeats: Numbers of the uses that repeat along `dims`, if this is no product but the batch
            of a matrix product: a sum may follow there as well.
        is_gated: Whether a gate weighs what is repeated.
        share: What a consumer that takes the mean multiplies the sum by.
        sums: For every kind of consumer, the dimensions that it sums over.
    """

    parameter: str
    dims: frozenset[int]
    module: str
    is_composed: bool = False
    expands: bool = True
    repeats: frozenset[int] = frozenset()
    is_gated: bool = False
    share: float = 1.0
    sums: set[frozenset[int]] = field(default_factory=set)

    @property
    def contracted(self) -> frozenset[int]:
        """The dimensions that every consumer sums over; none if they disagree."""
        return next(iter(self.sums)) if len(self.sums) == 1 else frozenset()

    def as_use(self) -> Use:
        """Return a contraction if every consumer sums over the same dimensions, else a gain."""
        return Use(
            UseKind.MATMUL if self.contracted else UseKind.SCALED,
            contracted=self.contracted,
            produced=self.dims - self.contracted,
            module=self.module,
            is_composed=self.is_composed,
        )


def sum_repetitions(use: Use, dims: frozenset[int]) -> Use:
    """Return a use whose repetitions along some dimensions are summed up after it."""
    if not dims:
        return use
    return replace(
        use,
        contracted=use.contracted | dims,
        batch=use.batch - dims,
        stretches=frozenset((dim, size) for dim, size in use.stretches if dim not in dims),
    )
