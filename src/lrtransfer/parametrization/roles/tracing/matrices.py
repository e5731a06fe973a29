"""Products of two matrices: which side of a weight they contract, and which they produce."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from .call import Call
from .defaults import use_as_table
from .graph import Graph
from .memory import Label, Side, factors_of
from .records import Kind, Logits, Node

MATRIX_ARGUMENTS = {
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
class _Matrix:
    """One operand of a product: its contracted dimension and the one it produces."""

    tensor: torch.Tensor
    node: Node | None
    contracted: Side
    produced: Side
    batch: Side
    size: int
    is_left: bool

    @property
    def is_weight(self) -> bool:
        return self.node is not None and self.node.is_weight


def _matrix(graph: Graph, tensor: torch.Tensor, *, is_left: bool) -> _Matrix:
    sides = graph.sides(tensor)
    contracted = tensor.ndim - (1 if is_left or tensor.ndim == 1 else 2)
    others = [d for d in range(tensor.ndim) if d != contracted]
    return _Matrix(
        tensor,
        graph.node(tensor),
        contracted=sides[contracted],
        produced=sides[others[-1]] if others else Side(),
        batch=sides[0] if tensor.ndim == 3 else Side(),
        size=tensor.shape[contracted],
        is_left=is_left,
    )


def matmul(graph: Graph, call: Call) -> None:
    """Record a product of matrices, fused with a bias or not."""
    names = MATRIX_ARGUMENTS[call.name]
    left, right = (
        _matrix(graph, call.arguments[name], is_left=i == 0) for i, name in enumerate(names)
    )
    for operand in (left, right):
        graph.consume(operand.tensor)
    if left.is_weight and right.is_weight and not _looked(left, right):
        _compose(graph, call, left, right)
        return
    out = call.outs[0]
    used: frozenset[int] = frozenset()
    makers: frozenset[str] = frozenset()
    batch: list[tuple[int, Side]] = []
    for operand, other in ((left, right), (right, left)):
        if operand.is_weight and not (other.is_weight and _is_looked(operand)):
            numbers = _use_matrix(graph, operand, other)
            used |= numbers
            makers |= _names(operand)
            batch = _repeats(graph, operand, numbers) if out.ndim == 3 else []
        elif operand.is_weight and operand.node is not None:
            use_as_table(graph, operand.node, graph.sides(operand.tensor))
    sides = [Side() for _ in out.shape]
    if right.is_weight and out.ndim:
        sides[-1] = Side(origins=right.produced.origins)
    if left.is_weight and out.ndim > 1:
        sides[-2] = Side(origins=left.produced.origins)
    makers |= _shift(graph, call.arguments.get("self", call.arguments.get("bias")), left, right)
    if len(batch) > 1:
        out = out.unflatten(0, [size for size, _ in batch])
    sides = [*(side for _, side in batch), *sides[1 if batch else 0 :]]
    activations = [m.node for m in (left, right) if m.node is not None and not m.is_weight]
    provisional = used if not activations else frozenset()
    is_logits = len(activations) == 2
    graph.put_activation(
        out,
        activations,
        sides,
        makers=makers,
        scale=_logit_scale(call, activations) if is_logits else 1.0,
        logits=Logits(left.size, *(n.makers for n in activations)) if is_logits else None,
        provisional=provisional,
    )


def _looked(left: _Matrix, right: _Matrix) -> bool:
    return _is_looked(left) or _is_looked(right)


def _is_looked(operand: _Matrix) -> bool:
    return operand.node is not None and bool(operand.node.looked)


def _names(operand: _Matrix) -> frozenset[str]:
    labels = operand.contracted.labels | operand.produced.labels
    named = frozenset(label.parameter for label in labels if not label.gain)
    return named or (operand.node.names if operand.node is not None else frozenset())


def _use_matrix(graph: Graph, operand: _Matrix, other: _Matrix) -> frozenset[int]:
    if operand.node is None:
        raise AssertionError("only weights are used")
    if operand.is_left and operand.node.is_composed:
        # Learned queries times their projection, or a matrix in two factors: it looks the same.
        for name in operand.node.names:
            graph.mark_unknown(
                name, f"is multiplied with another weight in module {graph.module!r}"
            )
    if other.contracted.pieces:
        for name in operand.node.names:
            graph.pieces[name].append(other.contracted.pieces)
    return graph.use(
        operand.node,
        Kind.MATMUL,
        summed=operand.size,
        contracted=[operand.contracted],
        produced=[operand.produced],
        batch=[operand.batch],
    )


def _repeats(graph: Graph, operand: _Matrix, numbers: frozenset[int]) -> list[tuple[int, Side]]:
    """Return the sizes and sides of what a batch of products is repeated along."""
    axes = operand.node.axes if operand.node is not None else ()
    return [
        (size, graph.repeat(side, numbers)) for size, side in factors_of(operand.tensor, 0, axes)
    ]


def _shift(graph: Graph, bias: Any, left: _Matrix, right: _Matrix) -> frozenset[str]:
    """Record the bias of a fused product; return its name."""
    if not isinstance(bias, torch.Tensor) or bias is left.tensor or bias is right.tensor:
        return frozenset()
    node = graph.node(bias)
    graph.consume(bias)
    if node is None or not node.is_weight:
        return frozenset()
    return use_as_table(graph, node, graph.sides(bias))


def _logit_scale(call: Call, activations: Sequence[Node]) -> float:
    scale = float(call.arguments.get("alpha", 1))
    for node in activations:
        scale *= node.scale
    return scale


def _labels_of(operand: _Matrix) -> frozenset[Label]:
    return operand.contracted.labels | operand.produced.labels | operand.batch.labels


def _compose(graph: Graph, call: Call, left: _Matrix, right: _Matrix) -> None:
    """Record the product of two weights: which side each contracts follows from its use."""
    out = call.outs[0]
    for operand in (left, right):
        plain = frozenset(i.parameter for i in _labels_of(operand) if not i.gain)
        own = [
            frozenset(i for i in side.labels if not i.gain or i.parameter in plain)
            for side in (operand.produced, operand.contracted)
        ]
        graph.links.append((own[0], own[1]))
        gains = Side(frozenset(i for i in _labels_of(operand) if i.parameter not in plain))
        if gains.labels and operand.node is not None:
            graph.use(operand.node, Kind.SCALED, produced=[gains])
    sides = [Side() for _ in out.shape]
    if out.ndim:
        sides[-1] = replace(right.produced, pieces=())
    if out.ndim > 1:
        sides[-2] = replace(left.produced, pieces=())
    if out.ndim == 3:
        sides[0] = Side(left.batch.labels | right.batch.labels)
    nodes = [m.node for m in (left, right) if m.node is not None]
    graph.put_weight(out, sides, nodes, is_composed=True)
