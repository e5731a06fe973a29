"""What is known of every block of memory during a forward pass, and what it used parameters for.

Labels, origins, parts, pieces, products, compositions and uses: see the package's docstring.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import nn

from .constants import Constants
from .memory import (
    Dimension,
    Label,
    Part,
    axes_of,
    dimensions_of,
    labels_of,
    origins_of,
    parts_of,
)
from .records import UNDERIVED, Attention, Derivation, Direction, Factor, Logits, Node
from .uses import LabelledSides, Product, Use, UseKind, sum_repetitions, use_by_sides


class Composition(NamedTuple):
    """One operand of a product of two weights, by its labels.

    Attributes:
        outer: Those that the product keeps: whether it contracts them depends on its use.
        inner: Those that the operands have in common: they are on the other side of `outer`.
    """

    outer: frozenset[Label]
    inner: frozenset[Label]


class Graph:
    """Knowledge of a model's tensors and the uses of its parameters, as operations are observed.

    Attributes:
        module: Name of the module that runs.
        attention: Attentions, in order.
        factors: Factors in the forward that are no parameters, in order.
        norm_gains: Parameters that multiplied a normalised activation, perhaps as a gain.
        directions: For parameters that multiplied a weight divided by its norm, that weight.
        starts: For parameters that start with one number in all entries, that number.
        constants: Values of the tensors that depend on neither parameters nor inputs.
        residual: Parameters whose output is added to a stream that it was computed from.
        unknown: For parameters with a use that cannot be read, what was done with them.
        parts: Parts of the dimensions of parameters, in the order of their use.
        pieces: For parameters that contract a concatenation, the sizes of its pieces.
        compositions: Operands of the products of weights.
    """

    def __init__(self, model: nn.Module, constants: Constants | None = None) -> None:
        """Start from the parameters of a model, and the constants known from building it."""
        self.module = ""
        self.attention: list[Attention] = []
        self.factors: list[Factor] = []
        self.norm_gains: set[str] = set()
        self.directions: dict[str, Direction] = {}
        self.constants = constants if constants is not None else Constants()
        self.starts = {
            name: start
            for name, parameter in model.named_parameters()
            if not math.isnan(start := self.constants.number(parameter))
        }
        self.residual: set[str] = set()
        self.unknown: dict[str, str] = {}
        self.parts: dict[tuple[str, int], list[Part]] = defaultdict(list)
        self.pieces: dict[str, list[tuple[int, ...]]] = defaultdict(list)
        self.compositions: list[Composition] = []
        self._nodes: dict[int, Node] = {}
        self._alive: list[object] = []  # an address must not be used twice
        self._uses: list[tuple[str, Use] | None] = []  # None: withdrawn
        self._products: list[Product] = []  # a label's number 1 is the first
        self._nodes_made = 0
        self._parameters: dict[int, str] = {}  # by the number of their node
        for name, parameter in model.named_parameters():
            self._add_parameter(name, parameter)

    def _add_parameter(self, name: str, parameter: nn.Parameter) -> None:
        storage = parameter.untyped_storage()
        fills = storage.nbytes() == parameter.numel() * parameter.element_size()
        if not fills or key_of(parameter) in self._nodes:
            parameter.data = parameter.data.clone(memory_format=torch.contiguous_format)
        labels = [frozenset({Label(name, dim)}) for dim in range(parameter.ndim)]
        axes = axes_of(parameter, [Dimension(label, origins_of(label)) for label in labels])
        number = self._next()
        self._parameters[number] = name
        self.put(parameter, Node(axes, True, frozenset({name}), number=number))

    # What is known of tensors.

    def node(self, tensor: torch.Tensor) -> Node | None:
        """Return what is known about a tensor's memory; None for constants."""
        return self._nodes.get(key_of(tensor))

    def dimensions(self, tensor: torch.Tensor) -> tuple[Dimension, ...]:
        """Return what is known about each dimension of a tensor."""
        node = self.node(tensor)
        return dimensions_of(tensor, node.axes) if node else (Dimension(),) * tensor.ndim

    def put(self, tensor: torch.Tensor, node: Node) -> None:
        """Set what is known about a tensor's memory."""
        self._nodes[key_of(tensor)] = node
        self._alive.append(tensor)

    def put_weight(
        self,
        tensor: torch.Tensor,
        dimensions: Sequence[Dimension],
        sources: Iterable[Node],
        lookups: frozenset[tuple[str, int]] = frozenset(),
        *,
        is_composed: bool = False,
        derivation: Derivation = UNDERIVED,
    ) -> None:
        """Record a weight computed from others."""
        sources = list(sources)
        parameters = frozenset(name for node in sources for name in node.parameters)
        if not _fills(tensor):
            for name in parameters:
                self.mark_unknown(name, "writes into a part of a tensor")
        node = Node(
            axes_of(tensor, dimensions),
            is_weight=True,
            parameters=parameters,
            is_composed=is_composed or any(node.is_composed for node in sources),
            lookups=lookups.union(*(node.lookups for node in sources)),
            number=self._next(),
            derivation=derivation,
        )
        self.put(tensor, node)

    def put_activation(
        self,
        tensor: torch.Tensor,
        sources: Iterable[Node],
        dimensions: Sequence[Dimension] | None = None,
        *,
        makers: frozenset[str] | None = None,
        scale: float = 1.0,
        logits: Logits | None = None,
        provisional_uses: frozenset[int] = frozenset(),
        derivation: Derivation = UNDERIVED,
    ) -> None:
        """Record an activation; `makers` are those of its sources unless given."""
        sources = [node for node in sources if not node.is_weight]
        if not _fills(tensor) and (previous := self.node(tensor)):
            sources.append(previous)
        number = self._next()
        ancestors = 1 << number
        for node in sources:
            ancestors |= node.ancestors
        if makers is None:
            makers = frozenset(name for node in sources for name in node.makers)
        if all(node.provisional_uses for node in sources):
            provisional_uses = provisional_uses.union(*(n.provisional_uses for n in sources))
        node = Node(
            axes_of(tensor, dimensions) if dimensions is not None and _fills(tensor) else (),
            is_weight=False,
            ancestors=ancestors,
            makers=makers,
            scale=scale,
            logits=logits,
            provisional_uses=provisional_uses,
            number=number,
            derivation=derivation,
        )
        self.put(tensor, node)

    def start(self, node: Node) -> float | None:
        """Return the number that all entries of a parameter start with; None for anything else."""
        return self.starts.get(self._parameters.get(node.number, ""))

    def _next(self) -> int:
        self._nodes_made += 1
        return self._nodes_made

    # What parameters are used for.

    def use(
        self,
        weight: Node,
        kind: UseKind,
        *,
        contracted: Iterable[Dimension] = (),
        produced: Iterable[Dimension] = (),
        batch: Iterable[Dimension] = (),
        stretch: int = 0,
        features: Iterable[Dimension] | None = None,
    ) -> frozenset[int]:
        """Record that an operation uses a weight.

        Arguments:
            weight: What is known of it; every parameter that it is computed from gets a use.
            kind: What the operation does.
            contracted: Dimensions of the weight that the operation sums over.
            produced: Those that its result has.
            batch: Those along which it is repeated.
            stretch: Number of entries that one sum takes; 0 where it always takes all.
            features: Of what is added, the dimensions along which a weight produced what it is
                added to; None where it is not added to anything.

        Returns:
            Numbers of the uses, by which they can be withdrawn.
        """
        sides = LabelledSides(labels_of(contracted), labels_of(produced), labels_of(batch))
        first = len(self._uses)
        for name in weight.parameters:
            use = use_by_sides(
                kind,
                sides.of(name),
                stretch=stretch,
                module=self.module,
                is_composed=weight.is_composed,
                features=None if features is None else _dims(labels_of(features), name),
            )
            self._uses.append((name, use))
        return frozenset(range(first, len(self._uses)))

    def withdraw(self, numbers: Iterable[int]) -> None:
        """Forget uses."""
        for number in numbers:
            self._uses[number] = None

    def mark_unknown(self, name: str, operation: str) -> None:
        """Record that an operation that is not known uses a parameter."""
        self.unknown.setdefault(name, operation)

    def consume(self, tensor: torch.Tensor, reduced: Iterable[int] = ()) -> None:
        """Record that an operation reads a tensor and sums over its dimensions `reduced`.

        What it reads may be a part of a parameter's dimension, and settles open products.
        """
        self.note_parts(tensor)
        node = self.node(tensor)
        if node is not None and not node.is_weight:
            self._settle(dimensions_of(tensor, node.axes), frozenset(reduced))

    def note_parts(
        self,
        tensor: torch.Tensor,
        picked: Mapping[int, Sequence[int]] = MappingProxyType({}),
    ) -> None:
        """Record which parts of parameters' dimensions a tensor is, or indices pick of it."""
        node = self.node(tensor)
        if node is None:
            return
        for origin, part in parts_of(tensor, node.axes, picked):
            self.parts[origin.parameter, origin.dim].append(part)

    def multiply(
        self, weight: Node, dimensions: Sequence[Dimension], *, expands: bool
    ) -> list[Dimension]:
        """Open a product of a weight and an activation, for each parameter of the weight.

        Arguments:
            weight: What is known of the weight.
            dimensions: Its dimensions.
            expands: Whether the activation is repeated along some of them.

        Returns:
            Dimensions of the result: their labels carry the number of the product.
        """
        labels = labels_of(dimensions)
        numbers = {
            name: self._open(
                Product(name, _dims(labels, name), self.module, weight.is_composed, expands)
            )
            for name in weight.parameters
        }
        return [Dimension(_number(dimension.labels, numbers)) for dimension in dimensions]

    def repeat(self, dimension: Dimension, uses: frozenset[int], *, is_gated: bool) -> Dimension:
        """Return the dimension along which uses repeat, until it is known whether a sum follows.

        A sum of what a gate weighs (a router's, of experts) is not one over a side.
        """
        names = {label.parameter for label in dimension.labels if not label.is_gain}
        labels = frozenset(label for label in dimension.labels if label.parameter in names)
        numbers = {
            name: self._open(
                Product(name, _dims(labels, name), self.module, repeats=uses, is_gated=is_gated)
            )
            for name in names
        }
        return Dimension(_number(labels, numbers))

    def gate(self, dimensions: Iterable[Dimension]) -> None:
        """Record that a gate weighs what was repeated along some dimensions."""
        for label in labels_of(dimensions):
            if label.product:
                self._products[label.product - 1].is_gated = True

    def settle_gains(self, tensor: torch.Tensor) -> None:
        """Settle the products that only scale an activation, since it is multiplied once more.

        Those for which the activation was repeated stay open: a sum may still follow.
        """
        for label in labels_of(self.dimensions(tensor)):
            if label.product and not self._products[label.product - 1].expands:
                self._products[label.product - 1].sums.add(frozenset())

    def _open(self, product: Product) -> int:
        self._products.append(product)
        return len(self._products)

    def _settle(self, dimensions: Sequence[Dimension], reduced: frozenset[int]) -> None:
        """Write down what a consumer sums over, for every product that it settles.

        A sum settles the products that have labels on the dimensions it reduces, and leaves all
        others open. An operation without a sum settles all, as gains.
        """
        read = [dimensions[dim] for dim in reduced] if reduced else dimensions
        labels = labels_of(read)
        for number in {label.product for label in labels if label.product}:
            summed = {label.dim for label in labels if label.product == number} if reduced else ()
            self._products[number - 1].sums.add(frozenset(summed))

    def take_mean(self, products: Iterable[int], count: int) -> None:
        """Record that the mean over `count` entries is taken of products."""
        for number in products:
            self._products[number - 1].share = 1 / count

    def all_factors(self) -> list[Factor]:
        """Return the factors, with those of means that turned out to be contractions."""
        return self.factors + [
            Factor(p.share, frozenset({p.parameter}), module=p.module)
            for p in self._products
            if p.share != 1 and p.contracted
        ]

    def uses(self) -> dict[str, list[Use]]:
        """Return the uses of every parameter, products with activations included."""
        table: dict[str, list[Use]] = defaultdict(list)
        summed: dict[tuple[int, str], frozenset[int]] = defaultdict(frozenset)
        for product in self._products:
            for number in () if product.is_gated else product.repeats:
                summed[number, product.parameter] |= product.contracted
        for number, entry in enumerate(self._uses):
            if entry is not None:
                name, use = entry
                table[name].append(sum_repetitions(use, summed[number, name]))
        for product in self._products:
            if not product.repeats:
                table[product.parameter].append(product.as_use())
        return table


def key_of(tensor: torch.Tensor) -> int:
    """Return what identifies the memory of a tensor; sparse tensors are their own."""
    if tensor.layout is not torch.strided:
        return id(tensor)
    return int(tensor.untyped_storage()._cdata)


def _dims(labels: frozenset[Label], parameter: str) -> frozenset[int]:
    return frozenset(label.dim for label in labels if label.parameter == parameter)


def _number(labels: frozenset[Label], numbers: dict[str, int]) -> frozenset[Label]:
    """Return the labels with the numbers of the products opened for their parameters."""
    return frozenset(label._replace(product=numbers[label.parameter]) for label in labels)


def _fills(tensor: torch.Tensor) -> bool:
    if tensor.layout is not torch.strided:
        return False
    return tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()
