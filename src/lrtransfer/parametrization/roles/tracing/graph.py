"""What a forward pass does with every parameter: the record that the operations write."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import nn

from .memory import Label, Origin, Part, Side, axes_of, parts_of, sides_of
from .records import Attention, Kind, Logits, Node, Scalar, Use


@dataclass
class _Product:
    """A parameter multiplied with an activation, until it is known whether a sum follows."""

    parameter: str
    dims: frozenset[int]
    expands: bool  # whether the activation was repeated along some of the dimensions
    module: str
    composed: bool
    repeats: frozenset[int] = frozenset()  # the uses that repeat along its dimensions
    outcomes: set[frozenset[int]] = field(default_factory=set)


class Graph:
    """Collects nodes and uses while the operations of a forward pass are observed."""

    def __init__(self, model: nn.Module) -> None:
        """Start from the parameters of a model."""
        self.module = ""
        self.attention: list[Attention] = []
        self.scalars: list[Scalar] = []
        self.residual: set[str] = set()
        self.unknown: dict[str, str] = {}
        self.parts: dict[tuple[str, int], list[Part]] = defaultdict(list)
        self.pieces: dict[str, list[tuple[int, ...]]] = defaultdict(list)
        self.links: list[tuple[frozenset[Label], frozenset[Label]]] = []
        self._nodes: dict[int, Node] = {}
        self._alive: list[object] = []  # an address must not be used twice
        self._uses: list[tuple[str, Use] | None] = []
        self._products: list[_Product] = []
        self._numbers: dict[int, float] = {}
        self._activations = 0
        for name, parameter in model.named_parameters():
            self._add_parameter(name, parameter)

    def _add_parameter(self, name: str, parameter: nn.Parameter) -> None:
        storage = parameter.untyped_storage()
        own = storage.nbytes() == parameter.numel() * parameter.element_size()
        if not own or key_of(parameter) in self._nodes:
            parameter.data = parameter.data.clone(memory_format=torch.contiguous_format)
        sides = [Side(frozenset({Label(name, d)})) for d in range(parameter.ndim)]
        sides = [replace(side, origins=origins_of(side)) for side in sides]
        self.put(
            parameter, Node(axes_of(parameter, sides), is_weight=True, names=frozenset({name}))
        )

    def node(self, tensor: torch.Tensor) -> Node | None:
        """Return what is known about a tensor's memory; None for constants."""
        return self._nodes.get(key_of(tensor))

    def sides(self, tensor: torch.Tensor) -> tuple[Side, ...]:
        """Return what is known about each dimension of a tensor."""
        node = self.node(tensor)
        return sides_of(tensor, node.axes) if node else (Side(),) * tensor.ndim

    def put(self, tensor: torch.Tensor, node: Node) -> None:
        """Set what is known about a tensor's memory."""
        self._nodes[key_of(tensor)] = node
        self._alive.append(tensor)

    def put_weight(
        self,
        tensor: torch.Tensor,
        sides: Sequence[Side],
        sources: Iterable[Node],
        looked: frozenset[tuple[str, int]] = frozenset(),
        *,
        is_composed: bool = False,
    ) -> None:
        """Record a weight computed from others."""
        sources = list(sources)
        is_composed |= any(node.is_composed for node in sources)
        names = frozenset(name for node in sources for name in node.names)
        looked |= frozenset(dim for node in sources for dim in node.looked)
        if not _fills(tensor):
            for name in names:
                self.mark_unknown(name, "writes into a part of a tensor")
        axes = axes_of(tensor, sides)
        self.put(
            tensor,
            Node(axes, is_weight=True, names=names, is_composed=is_composed, looked=looked),
        )

    def put_activation(
        self,
        tensor: torch.Tensor,
        sources: Iterable[Node],
        sides: Sequence[Side] | None = None,
        *,
        makers: frozenset[str] | None = None,
        scale: float = 1.0,
        logits: Logits | None = None,
        provisional: frozenset[int] = frozenset(),
    ) -> None:
        """Record an activation; `makers` are those of its sources unless given."""
        sources = [node for node in sources if not node.is_weight]
        if not _fills(tensor) and (previous := self.node(tensor)):
            sources.append(previous)
        self._activations += 1
        ancestors = 1 << self._activations
        for node in sources:
            ancestors |= node.ancestors
        if makers is None:
            makers = frozenset(name for node in sources for name in node.makers)
        if all(node.provisional for node in sources):
            provisional |= frozenset(i for node in sources for i in node.provisional)
        axes = axes_of(tensor, sides) if sides is not None and _fills(tensor) else ()
        self.put(
            tensor,
            Node(
                axes=axes,
                is_weight=False,
                ident=self._activations,
                ancestors=ancestors,
                makers=makers,
                scale=scale,
                logits=logits,
                provisional=provisional,
            ),
        )

    def put_number(self, tensor: torch.Tensor, value: float) -> None:
        """Remember the value of a constant, which a tensor without memory does not hold."""
        self._numbers[key_of(tensor)] = value
        self._alive.append(tensor)

    def number(self, tensor: torch.Tensor) -> float:
        """Return the value of a constant with one entry; nan if it is not known."""
        if key_of(tensor) in self._numbers:
            return self._numbers[key_of(tensor)]
        return float("nan") if tensor.is_meta else float(tensor.item())

    def use(
        self, node: Node, kind: Kind, *, summed: int = 0, **sides: Iterable[Side]
    ) -> frozenset[int]:
        """Record that an operation uses a weight; return the numbers of the uses.

        `contracted`, `produced` and `batch` give the sides of the operation that walk it, `summed`
        the entries that one sum takes.
        """
        labels = {key: _labels(value) for key, value in sides.items()}
        plain = {i.parameter for value in labels.values() for i in value if not i.gain}
        numbers = []
        for name in node.names:
            dims = {
                key: frozenset(
                    i.dim for i in value if i.parameter == name and not (i.gain and name in plain)
                )
                for key, value in labels.items()
            }
            use = Use(
                kind,
                contracted=dims.get("contracted", frozenset()),
                produced=dims.get("produced", frozenset()),
                batch=dims.get("batch", frozenset()),
                module=self.module,
                composed=node.is_composed,
            )
            if summed and (both := use.contracted & (use.batch | use.produced)):
                use = replace(use, partial=frozenset((dim, summed) for dim in both))
            if use.dims and name not in plain:
                use = Use(Kind.SCALED, produced=use.dims, module=self.module)
            numbers.append(len(self._uses))
            self._uses.append((name, use))
        return frozenset(numbers)

    def withdraw(self, numbers: Iterable[int]) -> None:
        """Forget uses."""
        for number in numbers:
            self._uses[number] = None

    def consume(self, tensor: torch.Tensor, reduced: Iterable[int] = ()) -> None:
        """Record which parts a tensor is of what, and what a sum over `reduced` contracts."""
        self.note_parts(tensor)
        node = self.node(tensor)
        if node is not None and not node.is_weight:
            self._settle(sides_of(tensor, node.axes), frozenset(reduced))

    def note_parts(self, tensor: torch.Tensor) -> None:
        """Record which parts of parameters' dimensions a tensor is."""
        node = self.node(tensor)
        if node is None:
            return
        for origin, part in parts_of(tensor, node.axes):
            self.parts[origin.parameter, origin.dim].append(part)

    def settle_gains(self, tensor: torch.Tensor) -> None:
        """Close the products that only scaled an activation: it is multiplied once more."""
        for side in self.sides(tensor):
            for label in side.labels:
                if label.product and not self._products[label.product - 1].expands:
                    self._products[label.product - 1].outcomes.add(frozenset())

    def multiply(self, node: Node, sides: Sequence[Side], *, expands: bool) -> list[Side]:
        """Return the sides of a weight multiplied with an activation, whose use is still open."""
        labels = _labels(sides)
        opened: dict[str, int] = {}
        for name in node.names:
            dims = frozenset(label.dim for label in labels if label.parameter == name)
            self._products.append(_Product(name, dims, expands, self.module, node.is_composed))
            opened[name] = len(self._products)
        return [
            Side(frozenset(i._replace(product=opened[i.parameter]) for i in side.labels))
            for side in sides
        ]

    def repeat(self, side: Side, numbers: frozenset[int]) -> Side:
        """Return the side along which uses repeat, until it is known whether a sum follows."""
        opened: dict[str, int] = {}
        for name in {label.parameter for label in side.labels if not label.gain}:
            dims = frozenset(label.dim for label in side.labels if label.parameter == name)
            self._products.append(
                _Product(name, dims, True, self.module, composed=False, repeats=numbers)
            )
            opened[name] = len(self._products)
        return Side(
            frozenset(
                label._replace(product=opened[label.parameter])
                for label in side.labels
                if label.parameter in opened
            )
        )

    def _settle(self, sides: Sequence[Side], reduced: frozenset[int]) -> None:
        open_ = {label.product for side in sides for label in side.labels if label.product}
        summed: dict[int, set[int]] = defaultdict(set)
        for dim in reduced:
            for label in sides[dim].labels:
                summed[label.product].add(label.dim)
        for number in open_:
            if number in summed or not reduced:
                self._products[number - 1].outcomes.add(frozenset(summed[number]))

    def mark_unknown(self, name: str, operation: str) -> None:
        """Record that an operation that is not known uses a parameter."""
        self.unknown.setdefault(name, operation)

    def uses(self) -> dict[str, list[Use]]:
        """Return the uses of every parameter, products with activations included."""
        table: dict[str, list[Use]] = defaultdict(list)
        summed = self._summed_repeats()
        for number, entry in enumerate(self._uses):
            if entry is not None:
                table[entry[0]].append(_summed(entry[1], summed[number, entry[0]]))
        for product in self._products:
            if not product.repeats:
                table[product.parameter].append(_settled(product))
        return table

    def _summed_repeats(self) -> dict[tuple[int, str], frozenset[int]]:
        table: dict[tuple[int, str], frozenset[int]] = defaultdict(frozenset)
        for product in self._products:
            if len(product.outcomes) == 1:
                for number in product.repeats:
                    table[number, product.parameter] |= next(iter(product.outcomes))
        return table


def _summed(use: Use, dims: frozenset[int]) -> Use:
    """Return a use whose repetitions along some dimensions are summed up after it."""
    if not dims:
        return use
    return replace(
        use,
        contracted=use.contracted | dims,
        batch=use.batch - dims,
        partial=frozenset((dim, size) for dim, size in use.partial if dim not in dims),
    )


def _settled(product: _Product) -> Use:
    """Return a contraction if every consumer of a product sums over the same of its dimensions."""
    if len(product.outcomes) == 1 and (summed := next(iter(product.outcomes))):
        return Use(
            Kind.MATMUL,
            contracted=summed,
            produced=product.dims - summed,
            module=product.module,
            composed=product.composed,
        )
    return Use(Kind.SCALED, produced=product.dims, module=product.module, composed=product.composed)


def key_of(tensor: torch.Tensor) -> int:
    """Return what identifies the memory of a tensor; sparse tensors are their own."""
    if tensor.layout is not torch.strided:
        return id(tensor)
    return int(tensor.untyped_storage()._cdata)


def origins_of(side: Side) -> frozenset[Origin]:
    """Return the origins of a side whose indices are those of the dimensions it walks."""
    return frozenset(Origin(label.parameter, label.dim, 0) for label in side.labels)


def _labels(sides: Iterable[Side]) -> frozenset[Label]:
    return frozenset(label for side in sides for label in side.labels)


def _fills(tensor: torch.Tensor) -> bool:
    if tensor.layout is not torch.strided:
        return False
    return tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()
