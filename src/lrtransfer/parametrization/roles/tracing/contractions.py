"""Contractions that are no product of two matrices: convolutions, recurrences, three tensors."""

from .call import Call
from .defaults import operands_of, use_as_table
from .graph import Graph
from .memory import Side
from .records import Kind, Node


def convolve(graph: Graph, call: Call) -> None:
    """Record a convolution, in groups, by channel or transposed, and its bias."""
    source, weight = call.arguments["input"], call.arguments["weight"]
    node, groups, out = graph.node(weight), int(call.arguments["groups"]), call.outs[0]
    for tensor, _ in operands_of(graph, call.tensors):
        graph.consume(tensor)
    activations = [n for t, n in operands_of(graph, [source]) if not n.is_weight]
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
        makers |= use_as_table(graph, shift, graph.sides(bias))
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


def recur(graph: Graph, call: Call) -> None:
    """Record a fused layer of a recurrent network."""
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
            use_as_table(graph, node, sides)
    sources = [n for _, n in operands_of(graph, call.tensors)]
    for out in call.outs:
        graph.put_activation(out, sources, makers=frozenset())


def trilinear(graph: Graph, call: Call) -> None:
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
    sources = [n for _, n in operands_of(graph, call.tensors)]
    graph.put_activation(call.outs[0], sources, makers=makers)
