"""One executed operation: its name, its arguments, and what it returned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils import _pytree as pytree

DIVIDES = frozenset({"div", "true_divide"})
SCALES = DIVIDES | {"mul"}  # by a number or a tensor
_UNTAGGED = {"_to_copy", "copy", "complex", "polar"}  # elementwise, which torch does not tag


@dataclass(frozen=True)
class AtenCall:
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


def describe_call(
    func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any
) -> AtenCall:
    """Describe an executed operation: `func(*args, **kwargs)` returned `result`."""
    schema = func._schema
    arguments = dict(zip((a.name for a in schema.arguments), args, strict=False)) | dict(kwargs)
    is_inplace = any(a.alias_info is not None and a.alias_info.is_write for a in schema.arguments)
    name = func._schema.name.split("::")[-1]
    plain = name.removesuffix("_") if is_inplace else name
    return AtenCall(
        name=plain,
        arguments=arguments,
        tensors=_tensors((args, kwargs)),
        outs=_tensors(result),
        is_pointwise=torch.Tag.pointwise in func.tags or plain in _UNTAGGED,
        is_inplace=is_inplace,
    )


def is_view(call: AtenCall) -> bool:
    """Return whether an operation returned the memory of its arguments."""
    if not call.outs or any(t.layout is not torch.strided for t in (*call.tensors, *call.outs)):
        return False
    memory = {t.untyped_storage()._cdata for t in call.tensors}
    return all(out.untyped_storage()._cdata in memory for out in call.outs)


def _tensors(values: Any) -> tuple[torch.Tensor, ...]:
    return tuple(v for v in pytree.tree_leaves(values) if isinstance(v, torch.Tensor))
