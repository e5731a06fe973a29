"""Values of constants: tensors that depend on neither parameters nor inputs.

On the meta device a tensor has no values, yet a factor may be held in one (a buffer, `torch.full`).
So what computes a constant from constants is executed on the CPU as well, into memory of its own
with the same layout: the value of a view is then a view, with the same strides. Random values and
large tensors have none.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

_MOST_VALUES = 2**20  # of a tensor whose value is kept
SHAPED_LIKE = {  # operations that read the shape of their argument alone
    *("empty_like", "zeros_like", "ones_like", "full_like", "rand_like", "randn_like"),
    *("new_empty", "new_zeros", "new_ones", "new_full", "new_empty_strided"),
}
_OVERWRITES = {"fill_", "zero_", "copy_"}
_FROM_DATA = (torch.tensor, torch.as_tensor, torch.asarray)


class Constants:
    """Values of constants by their memory, as operations are observed."""

    def __init__(self) -> None:
        """Start without any."""
        self._values: dict[int, torch.UntypedStorage] = {}
        self._random: set[int] = set()
        self._alive: list[torch.Tensor] = []  # an address must not be used twice

    def value(self, tensor: torch.Tensor) -> torch.Tensor | None:
        """Return the value of a tensor on the CPU; None if it is not known."""
        if tensor.layout is not torch.strided:
            return None
        key = _memory(tensor)
        if key in self._values:
            with torch.device("cpu"):
                view = torch.empty(0, dtype=tensor.dtype)
            return view.set_(
                self._values[key], tensor.storage_offset(), tensor.shape, tensor.stride()
            )
        return None if tensor.is_meta or key in self._random else tensor.detach()

    def number(self, tensor: torch.Tensor) -> float:
        """Return the one value that all entries have; nan if it is not known or they differ.

        Example:
            >>> Constants().number(torch.full((3,), 0.5)), Constants().number(torch.arange(3.0))
            (0.5, nan)
        """
        value = self.value(tensor)
        if value is None or not value.numel() or value.is_complex():
            return float("nan")
        first = value.flatten()[0]
        return float(first) if bool((value == first).all()) else float("nan")

    def put(self, tensor: torch.Tensor, value: torch.Tensor) -> None:
        """Set the value of a tensor that fills its memory."""
        size = tensor.untyped_storage().nbytes() // tensor.element_size()
        with torch.device("cpu"):
            memory = torch.zeros(size, dtype=tensor.dtype)
        self._values[_memory(tensor)] = memory.untyped_storage()
        self._alive.append(tensor)
        view = self.value(tensor)
        if view is not None:
            view.copy_(value)

    def observe(
        self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any
    ) -> None:
        """Write down what an executed operation made: `func(*args, **kwargs)` returned `result`."""
        inputs, outs = _tensors((args, kwargs)), _tensors(result)
        if any(t.layout is not torch.strided for t in (*inputs, *outs)):
            return
        written = [t for t in inputs if any(_memory(t) == _memory(out) for out in outs)]
        is_write = any(a.alias_info and a.alias_info.is_write for a in func._schema.arguments)
        if written and not is_write:
            return  # a view
        is_random = torch.Tag.nondeterministic_seeded in func.tags
        name = func._schema.name.split("::")[-1]
        overwrites = name in _OVERWRITES
        read = [] if name in SHAPED_LIKE else inputs[1:] if overwrites else inputs
        if is_random or any(self.value(t) is None for t in read):
            self._forget(outs)
        elif any(out.is_meta for out in outs):
            self._repeat(func, args, kwargs, outs, is_write=is_write)
        elif overwrites:
            self._random -= {_memory(out) for out in outs}

    def _forget(self, tensors: Sequence[torch.Tensor]) -> None:
        for tensor in tensors:
            self._values.pop(_memory(tensor), None)
            self._random.add(_memory(tensor))
            self._alive.append(tensor)

    def _repeat(
        self,
        func: Any,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        outs: Sequence[torch.Tensor],
        *,
        is_write: bool,
    ) -> None:
        """Execute an operation on values, on the CPU."""
        if any(out.numel() > _MOST_VALUES for out in outs) or "empty" in func._schema.name:
            self._forget(outs)
            return
        if is_write and self.value(outs[0]) is None:
            if not _fills(outs[0]):
                return
            self.put(outs[0], torch.zeros((), device="cpu"))
        values = pytree.tree_map_only(torch.Tensor, self._stand_in, (list(args), dict(kwargs)))
        values = pytree.tree_map_only(torch.device, lambda _: torch.device("cpu"), values)
        made = func(*values[0], **values[1])
        if not is_write:
            for out, value in zip(outs, _tensors(made), strict=True):
                self.put(out, value)

    def _stand_in(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return the value of a tensor, or zeros where its shape alone is read."""
        value = self.value(tensor)
        return torch.zeros_like(tensor, device="cpu") if value is None else value


class ConstantsObserver(TorchDispatchMode):
    """Keeps the values of constants while a model is built."""

    def __init__(self, constants: Constants) -> None:
        """Watch for the values of these constants."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.constants = constants

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Execute an operation and observe it."""
        result = func(*args, **(kwargs or {}))
        self.constants.observe(func, args, kwargs or {}, result)
        return result


class DataObserver(TorchFunctionMode):
    """Keeps the values of tensors made from Python numbers, which no operation shows."""

    def __init__(self, constants: Constants) -> None:
        """Watch for the values of these constants."""
        super().__init__()
        self.constants = constants

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call a function; keep the value of what it makes from Python numbers."""
        keywords = kwargs or {}
        if func is torch.Tensor.__getitem__:
            args = (args[0], self._name_lists(args[0], args[1]))
        result = func(*args, **keywords)
        if func in _FROM_DATA and result.is_meta and not _tensors((args, keywords)):
            self.constants.put(result, func(*args, **(keywords | {"device": "cpu"})))
        return result

    def _name_lists(self, source: torch.Tensor, index: Any) -> Any:
        """Return an index in which the lists are tensors, whose values are known."""
        if isinstance(index, tuple):
            return tuple(self._name_lists(source, entry) for entry in index)
        if not (isinstance(index, list) and index and isinstance(index[0], int) and source.is_meta):
            return index
        tensor = torch.tensor(index, device=source.device)
        self.constants.put(tensor, torch.tensor(index, device="cpu"))
        return tensor


def _memory(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _fills(tensor: torch.Tensor) -> bool:
    return tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()


def _tensors(values: Any) -> list[torch.Tensor]:
    return [v for v in pytree.tree_leaves(values) if isinstance(v, torch.Tensor)]
