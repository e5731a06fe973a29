"""How a tensor follows from others, entry by entry: what a norm written by hand looks like.

`x * rsqrt(mean(x ** 2) + eps)` multiplies x by a function of one even statistic of itself. So does
every norm, of activations and of weights, however it is written. A parameter that multiplies the
result is a norm's gain; its starting value, 0 or 1, says nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from .aten_call import DIVIDES, SCALES, AtenCall
from .graph import Graph
from .records import Derivation, Direction, Factor, FactorKind, Node, Statistic

_COPIES = {"clone", "_to_copy", "copy"}
_KEEP_STATISTIC = {"add", "clamp", "clamp_min", "maximum", "where", *_COPIES}
_NORMS = {"norm", "linalg_vector_norm"}
_EVEN_REDUCTIONS = {"var", "std", "var_mean", "std_mean", *_NORMS}


def derive_statistic(graph: Graph, call: AtenCall, node: Node, count: int) -> Derivation:
    """Return the derivation of a reduction of a tensor over `count` entries."""
    match call.name:
        case "sum":
            size = float(count)
        case "mean" | "amax" | "var" | "std" | "var_mean" | "std_mean":
            size = 1.0
        case "norm" | "linalg_vector_norm":
            order = call.arguments.get("ord", call.arguments.get("p", 2))
            power = 2.0 if order is None else float(order)
            size = 1.0 if math.isinf(power) or not power else count ** (1 / power)
        case _:
            return Derivation()
    is_even = node.derivation.is_even or call.name in _EVEN_REDUCTIONS
    return Derivation(statistic=Statistic(node.derivation.roots | {node.number}, size, is_even))


def derive_elementwise(
    graph: Graph, call: AtenCall, operands: Sequence[tuple[torch.Tensor, Node]], factor: float
) -> Derivation:
    """Return the derivation of an elementwise operation.

    Arguments:
        graph: Where norms are written down.
        call: The operation.
        operands: Its operands that are no constants.
        factor: The number that it multiplies by; 1 if there is none.
    """
    nodes = list({node.number: node for _, node in operands}.values())
    if len(nodes) == 1:
        return _derive_from_one(call, nodes[0], factor, is_square=len(operands) == 2)
    if len(nodes) != 2:
        return Derivation()
    for (left, right), is_divisor in ((nodes, call.name in DIVIDES), (nodes[::-1], False)):
        statistic = right.derivation.statistic
        if statistic is None:
            continue
        if statistic.of & (left.derivation.roots | {left.number}):
            return _divide_by_norm(graph, call, left, statistic, is_divisor=is_divisor)
        if left.is_weight and right.is_weight and call.name in SCALES:
            return _gain_on_statistic(left, statistic, is_divisor=is_divisor)
    if call.name in SCALES:
        _note_gain(graph, *nodes)
        factors = [n.derivation.factor for n in nodes if n.derivation.factor is not None]
        return Derivation(factor=next(iter(factors), None))
    return Derivation()


def _derive_from_one(call: AtenCall, node: Node, factor: float, *, is_square: bool) -> Derivation:
    """Return the derivation from one tensor, which may be a statistic and a root at once."""
    before = node.derivation
    statistic = before.statistic and _change_statistic(call, before.statistic, factor)
    return replace(_derive_from_root(call, node, factor, is_square=is_square), statistic=statistic)


def _derive_from_root(call: AtenCall, node: Node, factor: float, *, is_square: bool) -> Derivation:
    before = node.derivation
    same = before.roots | {node.number}
    if call.name in _COPIES:
        return replace(before, roots=same)
    exponent = call.arguments.get("exponent")
    is_power = call.name == "pow" and isinstance(exponent, int | float) and exponent % 2 == 0
    if is_power or call.name == "abs" or (call.name == "mul" and is_square):
        return Derivation(roots=same, is_even=True)
    if call.name in SCALES:
        return replace(before, roots=same, size=before.size * factor)
    return Derivation(roots=before.roots, is_even=True) if before.is_even else Derivation()


def _change_statistic(call: AtenCall, statistic: Statistic, factor: float) -> Statistic | None:
    """Return a function of a statistic; None if it is none that a norm takes."""
    exponent = call.arguments.get("exponent")
    match call.name:
        case "sqrt":
            size = statistic.size**0.5
        case "rsqrt":
            size = statistic.size**-0.5
        case "reciprocal":
            size = 1 / statistic.size
        case "pow" if isinstance(exponent, int | float):
            size = statistic.size**exponent
        case name if name in SCALES:
            size = statistic.size * factor
        case name if name in _KEEP_STATISTIC:
            size = statistic.size
        case _:
            return None
    return replace(statistic, size=size)


def _divide_by_norm(
    graph: Graph, call: AtenCall, node: Node, statistic: Statistic, *, is_divisor: bool
) -> Derivation:
    """Return the derivation of a tensor combined with a statistic of itself."""
    roots = node.derivation.roots | {node.number}
    if call.name in {"sub", "add"}:
        return Derivation(roots=roots)  # centred
    if call.name not in SCALES or not statistic.is_even:
        return Derivation()
    size = 1 / statistic.size if is_divisor else statistic.size
    if node.is_weight:
        for gain in statistic.gains:
            graph.directions[gain] = Direction(node.parameters, size)
        return Derivation(size=size)
    if math.isclose(size, 1):
        return Derivation(size=size)
    graph.factors.append(Factor(size, node.makers, FactorKind.NORMALIZED, graph.module))
    return Derivation(size=size, factor=len(graph.factors) - 1)


def _gain_on_statistic(gain: Node, statistic: Statistic, *, is_divisor: bool) -> Derivation:
    size = 1 / statistic.size if is_divisor else statistic.size
    gains = statistic.gains | gain.parameters
    return Derivation(statistic=replace(statistic, size=size, gains=gains))


def _note_gain(graph: Graph, left: Node, right: Node) -> None:
    """Write down which parameters multiply what was divided by its norm."""
    for whole, gain in ((left, right), (right, left)):
        if whole.derivation.is_normalized and gain.is_weight:
            if whole.is_weight:
                for name in gain.parameters:
                    graph.directions[name] = Direction(whole.parameters, whole.derivation.size)
            else:
                graph.norm_gains |= gain.parameters
