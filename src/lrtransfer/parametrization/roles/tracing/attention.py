"""Attentions: products of queries and keys under a softmax, one by one or fused."""

from .aten_call import AtenCall
from .defaults import operands_of
from .graph import Graph
from .memory import Dimension
from .records import Attention
from .shaping import rearrange


def take_softmax(graph: Graph, call: AtenCall) -> None:
    """Record a softmax; of logits, it is an attention."""
    source, out = call.tensors[0], call.outs[0]
    node = graph.node(source)
    if node is None or node.is_weight:
        rearrange(graph, call)
        return
    graph.consume(source)
    if node.logits is not None:
        logits = node.logits
        queries = logits.left - logits.right
        graph.attention.append(Attention(logits.head_width, node.scale, queries))
    dimensions = [Dimension(traits=d.traits) for d in graph.dimensions(source)]
    graph.put_activation(out, [node], dimensions, makers=frozenset())


def attend(graph: Graph, call: AtenCall) -> None:
    """Record a fused attention."""
    query, key, value = (call.arguments[name] for name in ("query", "key", "value"))
    for tensor, _ in operands_of(graph, (query, key, value)):
        graph.consume(tensor)
    makers = [n.makers if (n := graph.node(t)) else frozenset() for t in (query, key, value)]
    scale = call.arguments.get("scale") or query.shape[-1] ** -0.5
    for tensor in (query, key):
        scale *= n.scale if (n := graph.node(tensor)) else 1.0
    queries = makers[0] - makers[1] - makers[2]
    graph.attention.append(Attention(query.shape[-1], float(scale), queries))
    sources = [n for _, n in operands_of(graph, call.tensors)]
    sides = [*graph.dimensions(query)[:-1], graph.dimensions(value)[-1]]
    dimensions = [Dimension(traits=dimension.traits) for dimension in sides]
    for out in call.outs:
        is_mixture = out.ndim == len(dimensions)
        graph.put_activation(out, sources, dimensions if is_mixture else None, makers=frozenset())
