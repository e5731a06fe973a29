"""What each ATen operation does with the weights among its operands.

A table from the name of an operation to a function that writes into the graph. Views need no entry
(see `memory`), elementwise operations are recognised by torch's own tag. An operation without an
entry that consumes a weight makes that weight unknown: nothing is guessed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.utils import _pytree as pytree

from .graph import Attention, Graph, Kind, Logits, Node, Scalar
from .memory import Label, Side, factors_of


@dataclass(frozen=True)
class Call:
    """One executed operation.

    Attributes:
        name: Its name in ATen, without overload and without the underscore of in-place ones.
        arguments: Its arguments by the names of its schema.
        tensors: The tensors among them, in order.
        outs: The tensors it returned.
        is_pointwise: Whether torch tags it so.
        is_inplace: Whether it writes into an argument.
    """

    name: str
    arguments: Mapping[str, Any]
    tensors: tuple[torch.Tensor, ...]
    outs: tuple[torch.Tensor, ...]
    is_pointwise: bool
    is_inplace: bool


Handler = Callable[[Graph, Call], None]

_READS_ONLY = {"_local_scalar_dense", "equal", "is_nonzero", "is_same_size", "_assert_async"}
_SHAPED_LIKE = {
    *("empty_like", "zeros_like", "ones_like", "full_like", "rand_like", "randn_like"),
    *("new_empty", "new_zeros", "new_ones", "new_full", "new_empty_strided"),
}
_MULTIPLIES = {"mul", "div", "neg", "true_divide"}
_LINEAR = _MULTIPLIES | {"clone", "_to_copy"}
_ADDS = {"add", "sub", "rsub", "copy", "where", "lerp", "masked_fill", "clone", "_to_copy"}
_SUMS = {"sum", "mean"}
_CONSTANTS = {"full", "scalar_tensor", "full_like"}
_UNTAGGED = {"_to_copy", "copy", "complex", "polar"}  # elementwise, which torch does not tag


def observe(graph: Graph, call: Call) -> None:
    """Write into the graph what one operation did."""
    if call.name in _CONSTANTS:
        _observe_constant(graph, call)
    if call.name in _READS_ONLY | _SHAPED_LIKE or not any(graph.node(t) for t in call.tensors):
        return
    if not call.is_inplace and _is_view(call):
        return
    if call.name in _HANDLERS:
        _HANDLERS[call.name](graph, call)
    elif call.is_pointwise:
        _pointwise(graph, call)
    elif call.name.startswith("upsample_"):
        _aligned(graph, call)
    else:
        _unknown(graph, call)


def observe_input(graph: Graph, tensor: torch.Tensor) -> None:
    """Record an input of the model."""
    graph.put_activation(tensor, ())


def as_activation(graph: Graph, tensor: torch.Tensor) -> torch.Tensor:
    """Return the input of a layer; a weight given as one (learned queries) is used as a table."""
    node = graph.node(tensor)
    if node is None or not node.is_weight:
        return tensor
    copy = tensor.clone()
    graph.consume(tensor)
    makers = _use_as_table(graph, node, graph.sides(tensor))
    graph.put_activation(copy, (), makers=makers)
    return copy


def _observe_constant(graph: Graph, call: Call) -> None:
    value = call.arguments.get("fill_value", call.arguments.get("s"))
    if isinstance(value, int | float) and call.outs[0].numel() == 1:
        graph.put_number(call.outs[0], float(value))


def _is_view(call: Call) -> bool:
    if not call.outs or any(t.layout is not torch.strided for t in (*call.tensors, *call.outs)):
        return False
    memory = {t.untyped_storage()._cdata for t in call.tensors}
    return all(out.untyped_storage()._cdata in memory for out in call.outs)


def _operands(graph: Graph, tensors: Iterable[torch.Tensor]) -> list[tuple[torch.Tensor, Node]]:
    return [(t, node) for t in tensors if (node := graph.node(t)) is not None]


def _use_as_table(
    graph: Graph, node: Node, sides: Sequence[Side], kind: Kind = Kind.ADDED
) -> frozenset[str]:
    """Record the use of a weight as an activation of its own; return its makers."""
    looked = [s for s in sides if any((i.parameter, i.dim) in node.looked for i in s.labels)]
    if looked:
        graph.use(
            node, Kind.LOOKUP, contracted=looked, produced=[s for s in sides if s not in looked]
        )
    else:
        graph.use(node, kind, produced=sides)
    return node.names if kind is Kind.ADDED else frozenset()


def _default(graph: Graph, call: Call, sides: Sequence[Side] | None = None) -> None:
    """Record activations that an operation computes from others."""
    operands = _operands(graph, call.tensors)
    for tensor, _ in operands:
        graph.consume(tensor)
    for index, out in enumerate(call.outs):
        graph.put_activation(out, [n for _, n in operands], sides if index == 0 else None)


def _unknown(graph: Graph, call: Call) -> None:
    for _, node in _operands(graph, call.tensors):
        if node.is_weight:
            for name in node.names:
                graph.mark_unknown(name, f"goes into {call.name} in module {graph.module!r}")
    _default(graph, call)


def _broadcast(graph: Graph, tensor: torch.Tensor, out: torch.Tensor) -> list[Side]:
    """Return the sides of an operand, aligned with the dimensions of the result."""
    sides = [Side()] * (out.ndim - tensor.ndim) + list(graph.sides(tensor))[-out.ndim :]
    sizes = (1,) * (out.ndim - tensor.ndim) + tuple(tensor.shape)
    return [
        side if size == wanted else Side()
        for side, size, wanted in zip(sides, sizes, out.shape, strict=False)
    ]


def _merge(rows: Sequence[Sequence[Side]], ndim: int) -> list[Side]:
    return [
        Side(
            frozenset(label for row in rows for label in row[dim].labels),
            frozenset(origin for row in rows for origin in row[dim].origins),
            next((row[dim].pieces for row in rows if row[dim].pieces), ()),
        )
        for dim in range(ndim)
    ]


def _pointwise(graph: Graph, call: Call) -> None:
    out = call.outs[0]
    operands = _operands(graph, call.tensors)
    for tensor, _ in operands:
        _observe_elementwise(graph, call, tensor)
    weights = [(t, n) for t, n in operands if n.is_weight]
    activations = [(t, n) for t, n in operands if not n.is_weight]
    if weights and all(n.provisional and t.numel() == 1 for t, n in activations):
        graph.withdraw(number for _, n in activations for number in n.provisional)
        activations = []
    if activations or any(n.looked for _, n in weights):
        _mix(graph, call, weights, activations)
    else:
        rows = _with_gains([t for t, _ in weights], [_broadcast(graph, t, out) for t, _ in weights])
        graph.put_weight(out, _merge(rows, out.ndim), [n for _, n in weights])


def _observe_elementwise(graph: Graph, call: Call, tensor: torch.Tensor) -> None:
    """Record what an elementwise operation says of one operand: a product may become a sum."""
    if call.name not in _LINEAR:
        graph.consume(tensor)
        return
    graph.note_parts(tensor)
    if len(call.tensors) > 1:
        graph.settle_gains(tensor)


def _with_gains(tensors: Sequence[torch.Tensor], rows: Sequence[list[Side]]) -> list[list[Side]]:
    """Mark the labels of a weight that is repeated along dimensions that another one walks."""
    walked = [_walked_dims(t, len(row)) for t, row in zip(tensors, rows, strict=True)]
    return [
        _as_gain(row) if any(own < other for other in walked) else row
        for row, own in zip(rows, walked, strict=True)
    ]


def _walked_dims(tensor: torch.Tensor, ndim: int) -> frozenset[int]:
    """Return the dimensions of a result along which an operand is not repeated."""
    first = ndim - tensor.ndim
    return frozenset(
        first + d for d in range(tensor.ndim) if tensor.shape[d] > 1 and tensor.stride(d)
    )


def _as_gain(row: Sequence[Side]) -> list[Side]:
    return [
        replace(side, labels=frozenset(i._replace(gain=True) for i in side.labels)) for side in row
    ]


_Operands = list[tuple[torch.Tensor, Node]]


def _mix(graph: Graph, call: Call, weights: _Operands, activations: _Operands) -> None:
    """Record an elementwise operation of activations, perhaps with weights."""
    out = call.outs[0]
    rows = [_broadcast(graph, t, out) for t, _ in activations]
    # A gate that is repeated over what it multiplies (a router's) does not make the result.
    whole = [n for t, n in activations if t.shape == out.shape] or [n for _, n in activations]
    makers = frozenset(name for n in whole for name in n.makers)
    for tensor, node in weights:
        sides = graph.sides(tensor)
        if call.name in _MULTIPLIES and not node.looked:
            expands = all(t.shape != out.shape for t, _ in activations)
            product = graph.multiply(node, sides, expands=expands)
            rows.append([Side()] * (out.ndim - tensor.ndim) + product)
        else:
            added = call.name in _ADDS or _is_self_of(call, tensor)
            makers |= _use_as_table(graph, node, sides, Kind.ADDED if added else Kind.SCALED)
    if call.name not in _LINEAR:
        rows = [[replace(side, labels=frozenset()) for side in row] for row in rows]
    if call.name in {"add", "sub"} and len(activations) == 2:
        _note_residual(graph, *(n for _, n in activations))
    graph.put_activation(
        out,
        [n for _, n in activations],
        _merge(rows, out.ndim),
        makers=makers,
        scale=_scale(graph, call, activations),
        logits=next((n.logits for _, n in activations if n.logits), None),
    )


def _is_self_of(call: Call, tensor: torch.Tensor) -> bool:
    return call.name in {"addcmul", "addcdiv"} and call.arguments.get("self") is tensor


def _note_residual(graph: Graph, left: Node, right: Node) -> None:
    for stream, branch in ((left, right), (right, left)):
        if stream.ident != branch.ident and branch.ancestors >> stream.ident & 1:
            graph.residual |= branch.makers - stream.makers


def _scale(graph: Graph, call: Call, activations: _Operands) -> float:
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


def _factor(graph: Graph, call: Call) -> float | None:
    """Return the number that an operation multiplies with; None if there is none."""
    left, right = call.arguments.get("self"), call.arguments.get("other")
    for value, inverse in ((right, call.name != "mul"), (left, False)):
        if isinstance(value, torch.Tensor) and value.ndim == 0 and graph.node(value) is None:
            value = graph.number(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return (1 / value if value else float("inf")) if inverse else float(value)
    return None


def _aligned(graph: Graph, call: Call) -> None:
    """Record an operation whose result has the dimensions of its first operand."""
    source, out = call.tensors[0], call.outs[0]
    node = graph.node(source)
    if node is None or not node.is_weight:
        _default(graph, call, graph.sides(source) if source.shape == out.shape else None)
        return
    graph.consume(source)
    sides = [Side()] * (out.ndim - source.ndim) + [Side(s.labels) for s in graph.sides(source)]
    graph.put_weight(out, sides, [node])


def _transform(graph: Graph, call: Call) -> None:
    """Record a Fourier transform: linear along its dimensions, so a sum after it still is one."""
    source, out = call.tensors[0], call.outs[0]
    node, sides = graph.node(source), [Side(side.labels) for side in graph.sides(source)]
    graph.note_parts(source)
    if node is not None and node.is_weight:
        graph.put_weight(out, sides, [node])
    elif node is not None:
        graph.put_activation(out, [node], sides)


def _softmax(graph: Graph, call: Call) -> None:
    source, out = call.tensors[0], call.outs[0]
    node = graph.node(source)
    if node is None or node.is_weight:
        _aligned(graph, call)
        return
    graph.consume(source)
    if node.logits is not None:
        logits = node.logits
        queries = logits.left - logits.right
        graph.attention.append(Attention(logits.head_width, node.scale, queries))
    graph.put_activation(out, [node], makers=frozenset())


def _reduce(graph: Graph, call: Call) -> None:
    source, out = call.tensors[0], call.outs[0]
    node = graph.node(source)
    if node is None:
        _default(graph, call)
        return
    dims = _reduced(call, source.ndim)
    sides = graph.sides(source)
    summed = {i.product for d in dims for i in sides[d].labels if i.product}
    left = [
        Side() if d in dims else _without(side, summed)
        for d, side in enumerate(sides)
        if d not in dims or call.arguments.get("keepdim")
    ]
    if node.is_weight:
        graph.consume(source)
        graph.put_weight(out, left, [node])
        return
    graph.consume(source, dims if call.name in _SUMS else ())
    if call.name not in _SUMS:
        left = [replace(side, labels=frozenset()) for side in left]
    graph.put_activation(out, [node], left)


def _reduced(call: Call, ndim: int) -> set[int]:
    dims = call.arguments.get("dim")
    if dims is None or dims == []:
        return set(range(ndim))
    return (
        {d % ndim for d in (dims if isinstance(dims, list | tuple) else [dims])} if ndim else set()
    )


def _without(side: Side, products: set[int]) -> Side:
    return replace(side, labels=frozenset(i for i in side.labels if i.product not in products))


def _concatenate(graph: Graph, call: Call) -> None:
    out = call.outs[0]
    operands = _operands(graph, call.tensors)
    axis = int(call.arguments.get("dim", 0)) % max(out.ndim, 1)
    if call.name == "stack":
        rows = [_inserted(graph.sides(t), axis) for t, _ in operands]
    else:
        rows = [list(graph.sides(t)) for t, _ in operands if t.ndim == out.ndim]
    for tensor, _ in operands:
        graph.consume(tensor)
    if all(n.is_weight and not n.looked for _, n in operands):
        merged = _merge(rows, out.ndim)
        merged[axis] = Side(merged[axis].labels)
        graph.put_weight(out, merged, [n for _, n in operands])
        return
    makers = frozenset(name for _, n in operands for name in n.makers)
    for tensor, node in operands:
        if node.is_weight:
            makers |= _use_as_table(graph, node, graph.sides(tensor))
    merged = [replace(side, labels=frozenset()) for side in _merge(rows, out.ndim)]
    merged[axis] = Side(pieces=_pieces(graph, call, axis) if call.name == "cat" else ())
    activations = [n for _, n in operands if not n.is_weight]
    scale = activations[0].scale if activations else 1.0
    logits = next((n.logits for n in activations if n.logits), None)
    graph.put_activation(out, activations, merged, makers=makers, scale=scale, logits=logits)


def _inserted(sides: Sequence[Side], axis: int) -> list[Side]:
    return [*sides[:axis], Side(), *sides[axis:]]


def _pieces(graph: Graph, call: Call, axis: int) -> tuple[int, ...]:
    pieces: list[int] = []
    for tensor in call.tensors:
        if tensor.numel():
            side = graph.sides(tensor)[axis]
            pieces += side.pieces or (tensor.shape[axis],)
    return tuple(pieces) if len(pieces) > 1 else ()


_MATRIX_ARGUMENTS = {
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


def _matmul(graph: Graph, call: Call) -> None:
    names = _MATRIX_ARGUMENTS[call.name]
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
            _use_as_table(graph, operand.node, graph.sides(operand.tensor))
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
    return _use_as_table(graph, node, graph.sides(bias))


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


def _convolve(graph: Graph, call: Call) -> None:
    source, weight = call.arguments["input"], call.arguments["weight"]
    node, groups, out = graph.node(weight), int(call.arguments["groups"]), call.outs[0]
    for tensor, _ in _operands(graph, call.tensors):
        graph.consume(tensor)
    activations = [n for t, n in _operands(graph, [source]) if not n.is_weight]
    if node is not None and not node.is_weight:
        for name in node.makers:
            graph.mark_unknown(name, f"makes the kernels of a convolution in {graph.module!r}")
    channels, makers = Side(), frozenset[str]()
    is_depthwise = groups > 1 and groups == source.shape[1]
    if node is not None and node.is_weight:
        _use_kernel(graph, call, node, is_depthwise=is_depthwise)
        channels = Side(origins=graph.sides(weight)[0].origins)
        makers = node.names
        if pieces := graph.sides(source)[1].pieces:
            for name in () if is_depthwise else node.names:
                graph.pieces[name].append(pieces)
    if is_depthwise and out.shape[1] == source.shape[1]:
        own = graph.sides(source)[1]
        channels = Side(origins=own.origins | channels.origins, pieces=own.pieces)
    sides = [Side(), channels, *(Side() for _ in out.shape[2:])]
    if (bias := call.arguments.get("bias")) is not None and (shift := graph.node(bias)):
        makers |= _use_as_table(graph, shift, graph.sides(bias))
    graph.put_activation(out, activations, sides, makers=makers)


def _use_kernel(graph: Graph, call: Call, node: Node, *, is_depthwise: bool) -> None:
    first, second, *kernel = graph.sides(call.arguments["weight"])
    if not call.arguments["transposed"]:
        kind = Kind.DEPTHWISE if is_depthwise else Kind.MATMUL
        graph.use(node, kind, contracted=[second, *kernel], produced=[first])
    elif is_depthwise:
        graph.use(node, Kind.DEPTHWISE, contracted=kernel, produced=[first, second])
    elif call.arguments["groups"] == 1:
        graph.use(node, Kind.MATMUL, contracted=[first, *kernel], produced=[second])
    else:
        for name in node.names:
            graph.mark_unknown(name, "goes into a transposed convolution in groups")


def _embed(graph: Graph, call: Call) -> None:
    table, out = call.arguments["weight"], call.outs[0]
    node = graph.node(table)
    graph.consume(table)
    rows, columns = graph.sides(table)
    if node is not None and node.is_weight:
        graph.use(node, Kind.LOOKUP, contracted=[rows], produced=[columns])
    names = node.names if node is not None else frozenset()
    graph.put_activation(out, [n for _, n in _operands(graph, call.tensors)], makers=names)


def _gather(graph: Graph, call: Call) -> None:
    """Record rows picked out of a tensor by indices."""
    source, out = call.arguments["self"], call.outs[0]
    node = graph.node(source)
    if node is None or not node.is_weight:
        _default(graph, call)
        return
    graph.consume(source)
    sides = graph.sides(source)
    picked, layout = _picked(call, source.ndim)
    looked = frozenset((i.parameter, i.dim) for d in picked for i in sides[d].labels)
    rows = Side(frozenset(i for d in picked for i in sides[d].labels))
    new = [rows if d is None else Side(sides[d].labels) for d in layout]
    new = new if len(new) == out.ndim else [Side()] * out.ndim
    graph.put_weight(out, new, [node], looked)


def _picked(call: Call, ndim: int) -> tuple[list[int], list[int | None]]:
    """Return the dimensions that are indexed, and for each of the result its source, or None."""
    if call.name != "index":
        dim = int(call.arguments["dim"]) % ndim
        return [dim], [None if d == dim else d for d in range(ndim)]
    indices = list(call.arguments["indices"])
    picked = [d for d, index in enumerate(indices) if index is not None]
    width = max(indices[d].ndim for d in picked)
    layout: list[int | None] = [d for d in range(ndim) if d not in picked]
    is_together = picked == list(range(picked[0], picked[-1] + 1))
    place = picked[0] if is_together else 0
    return picked, [*layout[:place], *[None] * width, *layout[place:]]


def _diagonal(graph: Graph, call: Call) -> None:
    """Record a diagonal matrix: it scales what it is multiplied with."""
    source, node = call.arguments["self"], graph.node(call.arguments["self"])
    if node is None or not node.is_weight:
        _default(graph, call)
        return
    *outer, last = _as_gain(graph.sides(source))
    graph.put_weight(call.outs[0], [*outer, last, last], [node])


def _put(graph: Graph, call: Call) -> None:
    """Record rows of an activation that a weight (a learned token) replaces."""
    target, values = call.arguments["self"], call.arguments["values"]
    node, source = graph.node(target), graph.node(values)
    if node is None or node.is_weight or source is None or not source.is_weight:
        _unknown(graph, call)
        return
    graph.consume(target)
    graph.consume(values)
    makers = node.makers | _use_as_table(graph, source, graph.sides(values))
    graph.put_activation(call.outs[0], [node], makers=makers)


def _normalize(graph: Graph, call: Call) -> None:
    source = call.arguments["input"]
    sides = [replace(s, labels=frozenset()) for s in graph.sides(source)]
    operands = _operands(graph, call.tensors)
    for tensor, node in operands:
        graph.consume(tensor)
        if node.is_weight and tensor is not source:
            graph.use(node, Kind.SCALED, produced=graph.sides(tensor))
    for index, out in enumerate(call.outs):
        own = sides if index == 0 and out.shape == source.shape else None
        graph.put_activation(out, [n for _, n in operands], own)


def _attend(graph: Graph, call: Call) -> None:
    query, key, value = (call.arguments[name] for name in ("query", "key", "value"))
    for tensor, _ in _operands(graph, (query, key, value)):
        graph.consume(tensor)
    makers = [n.makers if (n := graph.node(t)) else frozenset() for t in (query, key, value)]
    scale = call.arguments.get("scale") or query.shape[-1] ** -0.5
    for tensor in (query, key):
        scale *= n.scale if (n := graph.node(tensor)) else 1.0
    queries = makers[0] - makers[1] - makers[2]
    graph.attention.append(Attention(query.shape[-1], float(scale), queries))
    sources = [n for _, n in _operands(graph, call.tensors)]
    for out in call.outs:
        graph.put_activation(out, sources, makers=frozenset())


def _recur(graph: Graph, call: Call) -> None:
    for index in range(4):
        weight = call.arguments[f"weight{index}"]
        node = graph.node(weight)
        if node is None or not node.is_weight:
            continue
        sides = graph.sides(weight)
        graph.consume(weight)
        if weight.ndim == 2:
            graph.use(node, Kind.MATMUL, contracted=[sides[1]], produced=[sides[0]])
        else:
            _use_as_table(graph, node, sides)
    sources = [n for _, n in _operands(graph, call.tensors)]
    for out in call.outs:
        graph.put_activation(out, sources, makers=frozenset())


def _weight_norm(graph: Graph, call: Call) -> None:
    rows = [_broadcast(graph, call.arguments[name], call.outs[0]) for name in ("v", "g")]
    sources = [n for _, n in _operands(graph, call.tensors)]
    merged = _merge([rows[0], _as_gain(rows[1])], call.outs[0].ndim)
    graph.put_weight(call.outs[0], merged, sources)


def _trilinear(graph: Graph, call: Call) -> None:
    """Record a product of three tensors, summed over some of their common dimensions."""
    summed = set(call.arguments["sumdim"])
    makers: frozenset[str] = frozenset()
    for index in "123":
        tensor, expanded = call.arguments[f"i{index}"], call.arguments[f"expand{index}"]
        node = graph.node(tensor)
        graph.consume(tensor)
        if node is None or not node.is_weight:
            continue
        common = [d for d in range(tensor.ndim + len(expanded)) if d not in expanded]
        sides = dict(zip(common, graph.sides(tensor), strict=True))
        graph.use(
            node,
            Kind.MATMUL,
            contracted=[side for d, side in sides.items() if d in summed],
            produced=[side for d, side in sides.items() if d not in summed],
        )
        makers |= node.names
    sources = [n for _, n in _operands(graph, call.tensors)]
    graph.put_activation(call.outs[0], sources, makers=makers)


def _handlers(handler: Handler, names: str) -> dict[str, Handler]:
    return dict.fromkeys(names.split(), handler)


_HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(_MATRIX_ARGUMENTS, _matmul),
    **_handlers(_convolve, "convolution"),
    **_handlers(_embed, "embedding _embedding_bag _embedding_bag_forward_only"),
    **_handlers(_gather, "index index_select gather"),
    **_handlers(_put, "index_put"),
    **_handlers(_diagonal, "diag_embed"),
    **_handlers(_concatenate, "cat stack"),
    **_handlers(_transform, "_fft_r2c _fft_c2r _fft_c2c"),
    **_handlers(_softmax, "_softmax _safe_softmax"),
    **_handlers(_reduce, "sum mean linalg_vector_norm norm amax amin prod var std"),
    **_handlers(
        _aligned,
        "_log_softmax repeat flip roll tril triu cumsum constant_pad_nd tile",
    ),
    **_handlers(
        _normalize,
        "native_layer_norm native_group_norm native_batch_norm cudnn_batch_norm"
        " _native_batch_norm_legit_no_training _batch_norm_no_update _fused_rms_norm",
    ),
    **_handlers(
        _attend,
        "_scaled_dot_product_flash_attention_for_cpu _scaled_dot_product_flash_attention"
        " _scaled_dot_product_efficient_attention _scaled_dot_product_cudnn_attention"
        " _scaled_dot_product_fused_attention_overrideable",
    ),
    **_handlers(_recur, "mkldnn_rnn_layer"),
    **_handlers(_weight_norm, "_weight_norm_interface"),
    **_handlers(_trilinear, "_trilinear"),
}


def call_of(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any) -> Call:
    """Return a description of an executed operation."""
    schema = func._schema
    arguments = dict(zip((a.name for a in schema.arguments), args, strict=False)) | dict(kwargs)
    is_inplace = any(a.alias_info is not None and a.alias_info.is_write for a in schema.arguments)
    name = func._schema.name.split("::")[-1]
    plain = name.removesuffix("_") if is_inplace else name
    return Call(
        name=plain,
        arguments=arguments,
        tensors=_tensors((args, kwargs)),
        outs=_tensors(result),
        is_pointwise=torch.Tag.pointwise in func.tags or plain in _UNTAGGED,
        is_inplace=is_inplace,
    )


def _tensors(values: Any) -> tuple[torch.Tensor, ...]:
    return tuple(v for v in pytree.tree_leaves(values) if isinstance(v, torch.Tensor))
