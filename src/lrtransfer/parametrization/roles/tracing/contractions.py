"""Contractions that are no product of two matrices: convolutions, recurrences, three tensors."""

from dataclasses import replace

from .aten_call import AtenCall
from .defaults import operands_of, use_as_table
from .graph import Graph
from .memory import PRODUCED, Dimension
from .records import Node
from .uses import UseKind


def convolve(graph: Graph, call: AtenCall) -> None:
    """Record a convolution, in groups, by channel or transposed, and its bias."""
    source, weight = call.arguments["input"], call.arguments["weight"]
    node, groups, out = graph.node(weight), int(call.arguments["groups"]), call.outs[0]
    for tensor, _ in operands_of(graph, call.tensors):
        graph.consume(tensor)
    activations = [n for t, n in operands_of(graph, [source]) if not n.is_weight]
    if node is not None and not node.is_weight:
        for name in node.makers:
            graph.mark_unknown(name, f"makes the kernels of a convolution in {graph.module!r}")
    channels, makers = Dimension(), frozenset[str]()
    is_depthwise = groups > 1 and groups == source.shape[1]
    if node is not None and node.is_weight:
        _use_kernel(graph, call, node, is_depthwise=is_depthwise)
        channels = Dimension(origins=graph.dimensions(weight)[0].origins, traits=PRODUCED)
        makers = node.parameters
        if pieces := graph.dimensions(source)[1].pieces:
            for name in () if is_depthwise else node.parameters:
                graph.pieces[name].append(pieces)
    if is_depthwise and out.shape[1] == source.shape[1]:
        inputs = graph.dimensions(source)[1]
        channels = replace(
            channels, origins=inputs.origins | channels.origins, pieces=inputs.pieces
        )
    dimensions = [Dimension(), channels, *(Dimension() for _ in out.shape[2:])]
    if (bias := call.arguments.get("bias")) is not None and (shift := graph.node(bias)):
        makers |= use_as_table(graph, shift, graph.dimensions(bias))
    graph.put_activation(out, activations, dimensions, makers=makers)


def _use_kernel(graph: Graph, call: AtenCall, node: Node, *, is_depthwise: bool) -> None:
    first, second, *kernel = graph.dimensions(call.arguments["weight"])
    if not call.arguments["transposed"]:
        kind = UseKind.DEPTHWISE if is_depthwise else UseKind.MATMUL
        graph.use(node, kind, contracted=[second, *kernel], produced=[first])
    elif is_depthwise:
        graph.use(node, UseKind.DEPTHWISE, contracted=kernel, produced=[first, second])
    elif call.arguments["groups"] == 1:
        graph.use(node, UseKind.MATMUL, contracted=[first, *kernel], produced=[second])
    else:
        for name in node.parameters:
            graph.mark_unknown(name, "goes into a transposed convolution in groups")


def recur(graph: Graph, call: AtenCall) -> None:
    """Record a fused layer of a recurrent network."""
    for index in range(4):
        weight = call.arguments[f"weight{index}"]
        node = graph.node(weight)
        if node is None or not node.is_weight:
            continue
        dimensions = graph.dimensions(weight)
        graph.consume(weight)
        if weight.ndim == 2:
            graph.use(node, UseKind.MATMUL, contracted=[dimensions[1]], produced=[dimensions[0]])
        else:
            use_as_table(graph, node, dimensions)
    sources = [n for _, n in operands_of(graph, call.tensors)]
    for out in call.outs:
        sides = [Dimension()] * out.ndim
        sides[-1:] = [Dimension(traits=PRODUCED)] * min(out.ndim, 1)
        graph.put_activation(out, sources, sides, makers=frozenset())


def multiply_three(graph: Graph, call: AtenCall) -> None:
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
        dimensions = dict(zip(common, graph.dimensions(tensor), strict=True))
        graph.use(
            node,
            UseKind.MATMUL,
            contracted=[dimension for d, dimension in dimensions.items() if d in summed],
            produced=[dimension for d, dimension in dimensions.items() if d not in summed],
        )
        makers |= node.parameters
    sources = [n for _, n in operands_of(graph, call.tensors)]
    graph.put_activation(call.outs[0], sources, makers=makers)
