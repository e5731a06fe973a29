"""Products of two matrices: which side of a weight they contract, and which they produce.

What a product of a left and a right operand means (the package's docstring has the words):

===============================  ===================================================================
weight and activation            a use of the weight
weight and constant              the same, provisional
weight and weight                a composition
picked rows and weight           the rows are a table; the weight is used as with an activation
vector and weight                the same: a learned token that the weight maps
activation and activation        logits, if a softmax follows
===============================  ===================================================================

Of `x @ w`, `w` contracts dimension 0 and produces dimension 1; of a batch of products, dimension 0
of both operands is the batch. Whatever precedes (a transpose, heads that are split off) is in the
labels already, so the dimensions here are those of the operand, never of the parameter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from .aten_call import AtenCall
from .defaults import use_as_table
from .graph import Composition, Graph
from .memory import PRODUCED, Dimension, Label, Trait, factors_of, labels_of
from .records import Factor, Logits, Node
from .uses import UseKind

MATRIX_ARGUMENTS: Mapping[str, tuple[str, str]] = {
    "mm": ("self", "mat2"),
    "bmm": ("self", "mat2"),
    "addmm": ("mat1", "mat2"),
    "_addmm_activation": ("mat1", "mat2"),
    "baddbmm": ("batch1", "batch2"),
    "addbmm": ("batch1", "batch2"),
    "mv": ("self", "vec"),
    "addmv": ("mat", "vec"),
    "dot": ("self", "tensor"),
    "vdot": ("self", "other"),
    "_grouped_mm": ("self", "mat2"),
    "_sparse_mm": ("sparse", "dense"),
}


@dataclass(frozen=True)
class _Operand:
    """One operand of a product: what is known of its dimensions, by their place in the product.

    Attributes:
        tensor: The operand: a vector, a matrix or a batch of matrices.
        node: What is known of its memory; None for a constant.
        contracted: The dimension that the product sums over.
        produced: The one that its result has.
        batch: The one along which it is repeated.
        size: Number of entries that one sum takes.
        is_left: Whether it is the left one.
    """

    tensor: torch.Tensor
    node: Node | None
    contracted: Dimension
    produced: Dimension
    batch: Dimension
    size: int
    is_left: bool

    @property
    def weight(self) -> Node | None:
        """What is known of it if it is a weight."""
        return self.node if self.node is not None and self.node.is_weight else None

    @property
    def is_table(self) -> bool:
        """Whether it holds rows of a weight that indices picked."""
        return self.node is not None and bool(self.node.lookups)

    def feeds(self, other: "_Operand") -> bool:
        """Return whether it is a vector (a learned token) that another weight maps, as an input."""
        is_vector = self.weight is not None and not self.produced.labels
        return is_vector and other.weight is not None and bool(other.produced.labels)

    @property
    def dimensions(self) -> tuple[Dimension, Dimension, Dimension]:
        return self.contracted, self.produced, self.batch


def matmul(graph: Graph, call: AtenCall) -> None:
    """Record a product of two matrices or of two batches of them, with a bias or without."""
    names = MATRIX_ARGUMENTS[call.name]
    left = _operand(graph, call.arguments[names[0]], is_left=True)
    right = _operand(graph, call.arguments[names[1]], is_left=False)
    graph.consume(left.tensor)
    graph.consume(right.tensor)
    is_table = left.is_table or right.is_table or left.feeds(right) or right.feeds(left)
    if left.weight and right.weight and not is_table:
        _compose(graph, call.outs[0], left, right)
    else:
        _contract(graph, call, left, right)


def _operand(graph: Graph, tensor: torch.Tensor, *, is_left: bool) -> _Operand:
    dimensions = graph.dimensions(tensor)
    contracted = tensor.ndim - (1 if is_left or tensor.ndim == 1 else 2)
    others = [d for d in range(tensor.ndim) if d != contracted]
    return _Operand(
        tensor,
        graph.node(tensor),
        contracted=dimensions[contracted],
        produced=dimensions[others[-1]] if others else Dimension(),
        batch=dimensions[0] if tensor.ndim == 3 else Dimension(),
        size=tensor.shape[contracted],
        is_left=is_left,
    )


def _contract(graph: Graph, call: AtenCall, left: _Operand, right: _Operand) -> None:
    """Record a product of which at least one operand is no plain weight."""
    out = call.outs[0]
    uses: frozenset[int] = frozenset()
    makers: frozenset[str] = frozenset()
    batch: list[tuple[int, Dimension]] = []  # of the result, with sizes
    for operand, other in ((left, right), (right, left)):
        if operand.weight and other.weight and (operand.is_table or operand.feeds(other)):
            use_as_table(graph, operand.weight, graph.dimensions(operand.tensor))
        elif operand.weight:  # of the other one no use is recorded here
            uses = _use_matrix(graph, operand, operand.weight, other)
            makers = _makers(operand)
            batch = _batch_of_result(graph, operand, other, uses) if out.ndim == 3 else []
    alpha = call.arguments.get("alpha", 1)
    if alpha != 1 and makers:
        graph.factors.append(Factor(float(alpha), makers, module=graph.module))
    dimensions = _matrix_of_result(call, left, right)
    if len(batch) > 1:
        out = out.unflatten(0, [size for size, _ in batch])
    if batch:
        dimensions[:1] = [dimension for _, dimension in batch]
    makers |= _use_bias(graph, call, left, right, dimensions[-call.outs[0].ndim :])
    activations = [m.node for m in (left, right) if m.node is not None and not m.node.is_weight]
    is_logits = len(activations) == 2
    graph.put_activation(
        out,
        activations,
        dimensions,
        makers=makers,
        scale=_logit_scale(call, activations) if is_logits else 1.0,
        logits=Logits(left.size, *(n.makers for n in activations)) if is_logits else None,
        provisional_uses=uses if not activations else frozenset(),
    )


def _use_matrix(graph: Graph, operand: _Operand, weight: Node, other: _Operand) -> frozenset[int]:
    """Record that one operand is a weight, which the product contracts; return the uses."""
    if operand.is_left and weight.is_composed:
        # Learned queries times their projection, or a matrix in two factors: it looks the same.
        for name in weight.parameters:
            graph.mark_unknown(
                name, f"is multiplied with another weight in module {graph.module!r}"
            )
    if other.contracted.pieces:
        for name in weight.parameters:
            graph.pieces[name].append(other.contracted.pieces)
    return graph.use(
        weight,
        UseKind.MATMUL,
        contracted=[operand.contracted],
        produced=[operand.produced],
        batch=[operand.batch],
        stretch=operand.size,
    )


def _makers(operand: _Operand) -> frozenset[str]:
    """Return the parameters of a weight that are a matrix in it, or all if none is."""
    labels = labels_of([operand.contracted, operand.produced])
    matrices = frozenset(label.parameter for label in labels if not label.is_gain)
    return matrices or (operand.node.parameters if operand.node is not None else frozenset())


def _use_bias(
    graph: Graph,
    call: AtenCall,
    left: _Operand,
    right: _Operand,
    dimensions: Sequence[Dimension],
) -> frozenset[str]:
    """Record the bias of a fused product; return its name."""
    bias = call.arguments.get("self", call.arguments.get("bias"))
    if not isinstance(bias, torch.Tensor) or bias is left.tensor or bias is right.tensor:
        return frozenset()
    node = graph.node(bias)
    graph.consume(bias)
    if node is None or not node.is_weight:
        return frozenset()
    along = dimensions[len(dimensions) - bias.ndim :]
    return use_as_table(graph, node, graph.dimensions(bias), along=along)


def _matrix_of_result(call: AtenCall, left: _Operand, right: _Operand) -> list[Dimension]:
    """Return the dimensions of an activation: rows are in the order of what weights produce."""
    ndim = call.outs[0].ndim
    dimensions = [Dimension(traits=left.batch.traits | right.batch.traits)] * ndim
    if ndim:
        dimensions[-1] = _side_of_result(right)
    if ndim > 1:
        dimensions[-2] = _side_of_result(left)
    if call.name == "_grouped_mm" and right.weight:
        dimensions[0] = Dimension(traits=left.produced.traits | {Trait.REPEATED})
    return dimensions


def _side_of_result(operand: _Operand) -> Dimension:
    if operand.weight:
        return Dimension(origins=operand.produced.origins, traits=PRODUCED)
    return Dimension(traits=operand.produced.traits)


def _batch_of_result(
    graph: Graph, operand: _Operand, other: _Operand, uses: frozenset[int]
) -> list[tuple[int, Dimension]]:
    """Return sizes and dimensions of the batch: a sum over them may follow (heads added up)."""
    axes = operand.node.axes if operand.node is not None else ()
    traits = other.batch.traits
    batch = []
    for size, dimension in factors_of(operand.tensor, 0, axes):
        repeated = graph.repeat(dimension, uses, is_gated=Trait.GATED in traits)
        is_repeated = {Trait.REPEATED} if dimension.labels else set()
        batch.append((size, replace(repeated, traits=traits | is_repeated)))
    return batch


def _logit_scale(call: AtenCall, activations: Sequence[Node]) -> float:
    scale = float(call.arguments.get("alpha", 1))
    for node in activations:
        scale *= node.scale
    return scale


def _compose(graph: Graph, out: torch.Tensor, left: _Operand, right: _Operand) -> None:
    """Record the product of two weights: which side each contracts follows from its use."""
    for operand in (left, right):
        labels = labels_of(operand.dimensions)
        matrices = frozenset(label.parameter for label in labels if not label.is_gain)
        outer, inner = (
            frozenset(i for i in side.labels if not i.is_gain or i.parameter in matrices)
            for side in (operand.produced, operand.contracted)
        )
        graph.compositions.append(Composition(outer, inner))
        gains: frozenset[Label] = frozenset(i for i in labels if i.parameter not in matrices)
        if gains and operand.node is not None:
            graph.use(operand.node, UseKind.SCALED, produced=[Dimension(gains)])
    dimensions = [Dimension()] * out.ndim
    if out.ndim:
        dimensions[-1] = replace(right.produced, pieces=())
    if out.ndim > 1:
        dimensions[-2] = replace(left.produced, pieces=())
    if out.ndim == 3:
        dimensions[0] = Dimension(left.batch.labels | right.batch.labels)
    nodes = [operand.node for operand in (left, right) if operand.node is not None]
    graph.put_weight(out, dimensions, nodes, is_composed=True)
