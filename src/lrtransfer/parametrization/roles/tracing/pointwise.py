"""Elementwise operations: a weight scales or shifts an activation, or another weight."""

import math
from collections.abc import Sequence

import torch

from .alignment import as_gain, broadcast, merge_dimensions
from .aten_call import SCALES, AtenCall
from .defaults import operands_of, use_as_table
from .derivations import derive_elementwise
from .factors import find_factor, note_factor
from .graph import Graph
from .memory import Dimension, Trait
from .records import Derivation, FactorKind, Node
from .uses import UseKind

_MULTIPLIES = SCALES | {"neg"}
_LINEAR = _MULTIPLIES | {"clone", "_to_copy"}
_ADDS = {"add", "sub", "rsub", "copy", "where", "lerp", "masked_fill", "clone", "_to_copy"}
_Operands = list[tuple[torch.Tensor, Node]]


def combine(graph: Graph, call: AtenCall) -> None:
    """Record an elementwise operation of weights, activations or both."""
    out = call.outs[0]
    operands = operands_of(graph, call.tensors)
    derivation = _derive(graph, call, operands)
    for tensor, _ in operands:
        _note_operand(graph, call, tensor)
    weights = [(t, n) for t, n in operands if n.is_weight]
    activations = [(t, n) for t, n in operands if not n.is_weight]
    if weights and all(n.provisional_uses and t.numel() == 1 for t, n in activations):
        graph.withdraw(number for _, n in activations for number in n.provisional_uses)
        activations = []
    if activations or any(n.lookups for _, n in weights):
        _mix(graph, call, weights, activations, derivation)
    else:
        rows = _mark_gains([t for t, _ in weights], [broadcast(graph, t, out) for t, _ in weights])
        nodes = [n for _, n in weights]
        graph.put_weight(out, merge_dimensions(rows, out.ndim), nodes, derivation=derivation)


def _derive(graph: Graph, call: AtenCall, operands: _Operands) -> Derivation:
    """Return how the result follows from its operands, and note the factor that is in it."""
    factor = find_factor(graph, call)
    nodes = [node for _, node in operands]
    if factor is not None and not any(node.derivation.statistic for node in nodes):
        is_weight = all(node.is_weight for node in nodes)
        is_direction = is_weight and any(node.derivation.is_normalized for node in nodes)
        if not is_direction:
            kind = FactorKind.WEIGHT if is_weight else FactorKind.OUTPUT
            note_factor(graph, factor, nodes, kind)
    number = factor.value if factor is not None and factor.is_uniform else 1.0
    return derive_elementwise(graph, call, operands, number)


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


def _mix(
    graph: Graph,
    call: AtenCall,
    weights: _Operands,
    activations: _Operands,
    derivation: Derivation,
) -> None:
    """Record an elementwise operation of activations, perhaps with weights."""
    out = call.outs[0]
    rows = [broadcast(graph, t, out) for t, _ in activations]
    # A gate that is repeated over what it multiplies (a router's) does not make the result.
    whole = [n for t, n in activations if t.shape == out.shape] or [n for _, n in activations]
    makers = frozenset(name for n in whole for name in n.makers)
    met = merge_dimensions(rows, out.ndim)
    for tensor, node in weights:
        dimensions = graph.dimensions(tensor)
        if call.name in _MULTIPLIES and not node.lookups:
            expands = all(t.shape != out.shape for t, _ in activations)
            product = graph.multiply(node, dimensions, expands=expands)
            rows.append([Dimension()] * (out.ndim - tensor.ndim) + product)
        else:
            is_sum = call.name in _ADDS or _is_self_of(call, tensor)
            kind = UseKind.ADDED if is_sum else UseKind.SCALED
            along = met[out.ndim - tensor.ndim :]
            makers |= use_as_table(graph, node, dimensions, kind, along=along)
    if call.name in _MULTIPLIES:
        rows.append(_gate(graph, activations, out.ndim))
    if call.name not in _LINEAR:
        rows = [[dimension.drop_labels() for dimension in row] for row in rows]
    if call.name in {"add", "sub"} and len(activations) == 2:
        _note_residual(graph, *(n for _, n in activations))
    graph.put_activation(
        out,
        [n for _, n in activations],
        merge_dimensions(rows, out.ndim),
        makers=makers,
        scale=_scale(graph, call, weights, activations),
        logits=next((n.logits for _, n in activations if n.logits), None),
        derivation=derivation,
    )


def _gate(graph: Graph, activations: _Operands, ndim: int) -> list[Dimension]:
    """Mark the dimensions along which one activation varies that is repeated along others.

    So a router weighs the results of experts: what is repeated over them is no sum over a side.
    """
    walked = [_walked_dims(t, ndim) for t, _ in activations]
    gated = {d for dims in walked for d in dims if any(dims < others for others in walked)}
    for tensor, _ in activations:
        first = ndim - tensor.ndim
        dimensions = graph.dimensions(tensor)
        graph.gate([dimension for d, dimension in enumerate(dimensions) if first + d in gated])
    traits = frozenset({Trait.GATED})
    return [Dimension(traits=traits) if d in gated else Dimension() for d in range(ndim)]


def _is_self_of(call: AtenCall, tensor: torch.Tensor) -> bool:
    return call.name in {"addcmul", "addcdiv"} and call.arguments.get("self") is tensor


def _note_residual(graph: Graph, left: Node, right: Node) -> None:
    for stream, branch in ((left, right), (right, left)):
        if stream.number != branch.number and branch.ancestors >> stream.number & 1:
            graph.residual |= branch.makers - stream.makers


def _scale(graph: Graph, call: AtenCall, weights: _Operands, activations: _Operands) -> float:
    """Return the product of the numbers that multiplied the result since it was made."""
    scales = [n.scale for _, n in activations]
    if call.name not in SCALES:
        return max(scales, default=1.0)
    total = math.prod(scales)
    factor = find_factor(graph, call)
    if factor is not None and factor.is_uniform:
        total *= factor.value
    for tensor, node in weights:  # one number that is frozen, or trained
        start = graph.start(node) if tensor.numel() == 1 else None
        if start:
            is_divisor = call.name != "mul" and tensor is call.arguments.get("other")
            total *= 1 / start if is_divisor else start
    return total
