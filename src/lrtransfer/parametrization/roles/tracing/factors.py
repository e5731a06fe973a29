"""Factors in the forward that are no parameters: numbers, and constants held in tensors."""

import math

import torch

from .aten_call import DIVIDES, SCALES, AtenCall
from .graph import Graph
from .records import Factor, FactorKind, Node


def find_factor(graph: Graph, call: AtenCall) -> Factor | None:
    """Return the factor of an elementwise operation by which it multiplies; None if there is none.

    Its makers and its kind are left open.
    """
    if call.name in {"add", "sub"} and call.arguments.get("alpha", 1) != 1:
        return Factor(float(call.arguments["alpha"]), frozenset())
    if call.name not in SCALES:
        return None
    left, right = call.arguments.get("self"), call.arguments.get("other")
    for value, is_divisor in ((right, call.name in DIVIDES), (left, False)):
        factor = _evaluate(graph, value, call.outs[0])
        if factor is not None:
            return factor._replace(value=_invert(factor.value)) if is_divisor else factor
    return None


def _evaluate(graph: Graph, value: object, out: torch.Tensor) -> Factor | None:
    """Return the size of a number or of a constant; None if it is neither."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Factor(float(value), frozenset())
    if not isinstance(value, torch.Tensor) or graph.node(value) is not None:
        return None
    number = graph.constants.number(value)
    if not math.isnan(number) or value.numel() == 1:
        return Factor(number, frozenset())
    known = graph.constants.value(value)
    if known is None:
        return Factor(math.nan, frozenset(), is_uniform=False)
    size = known.abs() if known.is_complex() else known
    square = size.to(torch.float64).pow(2).mean()
    return Factor(float(square.sqrt()), frozenset(), is_uniform=False)


def _invert(value: float) -> float:
    return 1 / value if value else math.inf


def note_factor(graph: Graph, factor: Factor, nodes: list[Node], kind: FactorKind) -> None:
    """Write a factor of weights or activations into the graph.

    A number that multiplies what was divided by its norm just before is a factor of that.
    """
    makers = frozenset(name for n in nodes for name in (n.parameters if n.is_weight else n.makers))
    index = next((n.derivation.factor for n in nodes if n.derivation.factor is not None), None)
    if index is not None and factor.is_uniform:
        whole = graph.factors[index]
        graph.factors[index] = whole._replace(value=whole.value * factor.value)
    else:
        graph.factors.append(factor._replace(makers=makers, kind=kind, module=graph.module))
