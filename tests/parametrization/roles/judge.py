"""The role of a tensor by rules that know nothing of a forward: classes, names and growth.

They are what a person would write down, and say nothing about what is unusual: None.
"""

import re

from torch import nn
from transformers.pytorch_utils import Conv1D

from .specimens import IN, OUT, H, S, V

Shape = tuple[int, ...]
_TABLE = re.compile(r"position|pos_emb|query_tokens|latents|registers?_tokens|relative_.*table")
_TOKEN = re.compile(r"(cls|class|mask|dist|distillation)_?(token|embedding|emb)")
_VECTOR = re.compile(r"(A_log|\.D|dt_bias|layer_scale|lambda|gamma|sinks|slopes?)")
_EXPERT = re.compile(r"(gate_up_proj|down_proj|up_proj|gate_proj)$")


def judge(model: nn.Module, name: str, base: Shape, grown: Shape) -> str | None:
    """Return the role of a parameter; None if these rules do not say.

    Arguments:
        model: The model at the base width.
        name: Name of the parameter.
        base: Its shape at the base width.
        grown: Its shape at twice that.
    """
    owner, _, leaf = name.rpartition(".")
    module, parameter = model.get_submodule(owner), model.get_parameter(name)
    grows = [a != b for a, b in zip(base, grown, strict=True)]
    if not any(grows):
        return S
    if any(isinstance(m, nn.Embedding) and m.weight is parameter for m in model.modules()):
        return IN if grows[1] else None
    match module:
        case nn.Linear() if leaf == "weight":
            return _by_sides(grows[1], grows[0])
        case Conv1D() if leaf == "weight":
            return _by_sides(grows[0], grows[1])
        case nn.Conv1d() | nn.Conv2d() | nn.Conv3d() if leaf == "weight":
            depthwise = module.groups == module.in_channels > 1
            return V if depthwise else _by_sides(grows[1] or module.groups > 1, grows[0])
    return _judge_raw(name, type(module).__name__, base, grows)


def _judge_raw(name: str, owner: str, base: Shape, grows: list[bool]) -> str | None:
    """Return the role of a parameter that is none of a layer's of torch."""
    if len(base) == 1:
        return None if name.endswith(".query") else V  # a vector may be multiplied with a stream
    if re.search(r"relative_attention_bias|bias_table", name):
        return IN
    if "bias" in name.rpartition(".")[2] or _VECTOR.search(name):
        return V
    if len(base) == 3 and _EXPERT.search(name) and not grows[0] and all(grows[1:]):
        return H
    if len(base) == 2 and re.search(r"Router|Gate", owner) and grows == [False, True]:
        return OUT
    if grows[-1] and not any(grows[:-1]):
        rows = [size for size in base[:-1] if size > 1]
        if _TOKEN.search(name) and not rows:
            return V
        if _TABLE.search(name) and rows:
            return IN
    return None


def _by_sides(contracted: bool, produced: bool) -> str:
    if contracted:
        return H if produced else OUT
    return IN
