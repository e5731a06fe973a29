"""Elementwise operations: a weight scales or shifts an activation, or another weight."""

from collections.abc import Sequence

import torch

from .alignment import as_gain, broadcast, merge_dimensions
from .aten_call import AtenCall
from .defaults import operands_of, use_as_table
from .graph import Graph
from .memory import Dimension
from .records import Node, Scalar
from .uses import UseKind

_MULTIPLIES = {"mul", "div", "neg", "true_divide"}
_LINEAR = _MULTIPLIES | {"clone", "_to_copy"}
_ADDS = {"add", "sub", "rsub", "copy", "where", "lerp", "masked_fill", "clone", "_to_copy"}
_Operands = list[tuple[torch.Tensor, Node]]


def combine(graph: Graph, call: AtenCall) -> None:
    """Record an elementwise operation of weights, activations or both."""
    out = call.outs[0]
    operands = operands_of(graph, call.tensors)
    for tensor, _ in operands:
        _note_operand(graph, call, tensor)
    weights = [(t, n) for t, n in operands if n.is_weight]
    activations = [(t, n) for t, n in operands if not n.is_weight]
    if weights and all(n.provisional_uses and t.numel() == 1 for t, n in activations):
        graph.withdraw(number for _, n in activations for number in n.provisional_uses)
        activations = []
    if activations or any(n.lookups for _, n in weights):
        _mix(graph, call, weights, activations)
    else:
        rows = _mark_gains([t for t, _ in weights], [broadcast(graph, t, out) for t, _ in weights])
        graph.put_weight(out, merge_dimensions(rows, out.ndim), [n for _, n in weights])


def _note_operand(graph: Graph, call: AtenCall, tensor: torch.Tensor) -> None:
    """Record what an elementwise operation says of one operand: a product may become a sum."""
    if call.name not in _LINEAR:
        graph.consume(tensor)
        return
    graph.note_parts(tensor)
    if len(call.tensors) > 1:
        graph.settle_gains(tensor)


def _mark_gains(
    tensors: Sequence[torch.Tensor], rows: Sequence[list[Dimension]]
) -> list[list[Dimension]]:
    """Return rows in which a weight that is repeated along what another one walks is a gain."""
    walked = [_walked_dims(t, len(row)) for t, row in zip(tensors, rows, strict=True)]
    return [
        as_gain(row) if any(dims < others for others in walked) else row
        for row, dims in zip(rows, walked, strict=True)
    ]


def _walked_dims(tensor: torch.Tensor, ndim: int) -> frozenset[int]:
    """Return the dimensions of a result along which an operand is not repeated."""
    first = ndim - tensor.ndim
    return frozenset(
        first + d for d in range(tensor.ndim) if tensor.shape[d] > 1 and tensor.stride(d)
    )


def _mix(graph: Graph, call: AtenCall, weights: _Operands, activations: _Operands) -> None:
    """Record an elementwise operation of activations, perhaps with weights."""
    out = call.outs[0]
    rows = [broadcast(graph, t, out) for t, _ in activations]
    # A gate that is repeated over what it multiplies (a router's) does not make the result.
    whole = [n for t, n in activations if t.shape == out.shape] or [n for _, n in activations]
    makers = frozenset(name for n in whole for name in n.makers)
    for tensor, node in weights:
        dimensions = graph.dimensions(tensor)
        if call.name in _MULTIPLIES and not node.lookups:
            expands = all(t.shape != out.shape for t, _ in activations)
            product = graph.multiply(node, dimensions, expands=expands)
            rows.append([Dimension()] * (out.ndim - tensor.ndim) + product)
        else:
            is_sum = call.name in _ADDS or _is_self_of(call, tensor)
            kind = UseKind.ADDED if is_sum else UseKind.SCALED
            makers |= use_as_table(graph, node, dimensions, kind)
    if call.name not in _LINEAR:
        rows = [[dimension.drop_labels() for dimension in row] for row in rows]
    if call.name in {"add", "sub"} and len(activations) == 2:
        _note_residual(graph, *(n for _, n in activations))
    graph.put_activation(
        out,
        [n for _, n in activations],
        merge_dimensions(rows, out.ndim),
        makers=makers,
        scale=_scale(graph, call, activations),
        logits=next((n.logits for _, n in activations if n.logits), None),
    )


def _is_self_of(call: AtenCall, tensor: torch.Tensor) -> bool:
    return call.name in {"addcmul", "addcdiv"} and call.arguments.get("self") is tensor


def _note_residual(graph: Graph, left: Node, right: Node) -> None:
    for stream, branch in ((left, right), (right, left)):
        if stream.bit != branch.bit and branch.ancestors >> stream.bit & 1:
            graph.residual |= branch.makers - stream.makers


def _scale(graph: Graph, call: AtenCall, activations: _Operands) -> float:
    scales = [n.scale for _, n in activations]
    if call.name not in {"mul", "div", "true_divide"}:
        return max(scales, default=1.0)
    total = 1.0
    for scale in scales:
        total *= scale
    factor = _factor(graph, call)
    if factor is None:
        return total
    makers = frozenset(name for _, n in activations for name in n.makers)
    graph.scalars.append(Scalar(factor, makers))
    return total * factor


def _factor(graph: Graph, call: AtenCall) -> float | None:
    """Return the number that an operation multiplies with; None if there is none."""
    left, right = call.arguments.get("self"), call.arguments.get("other")
    for value, inverse in ((right, call.name != "mul"), (left, False)):
        if isinstance(value, torch.Tensor) and value.ndim == 0 and graph.node(value) is None:
            value = graph.number(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return (1 / value if value else float("inf")) if inverse else float(value)
    return None
