"""The calls of a model's layers during one forward pass, recorded so that they can be repeated."""

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList
from torch.utils._pytree import tree_map
from torch.utils.hooks import RemovableHandle

from ..training.objective import output_tensor


@dataclass(frozen=True)
class LayerCall:
    """One call of a layer.

    Attributes:
        module: The layer.
        args: Positional arguments, before the hooks of the layer.
        kwargs: Keyword arguments, before the hooks.
        output: Output, after the hooks.
    """

    module: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    output: torch.Tensor

    def output_with(self, parameter: nn.Parameter, values: torch.Tensor) -> torch.Tensor:
        """Return the output on the same inputs with other values of one parameter."""
        args, kwargs = _copy_tensors((self.args, self.kwargs))
        now = parameter.data
        parameter.data = values  # unlike copy_, unseen by a pending backward pass
        try:
            return output_tensor(self.module(*args, **kwargs)).detach()
        finally:
            parameter.data = now

    def bare_output(self) -> torch.Tensor:
        """Return the output on the same inputs without the hooks of the layer."""
        if not (self.module._forward_hooks or self.module._forward_pre_hooks):
            return self.output
        args, kwargs = _copy_tensors((self.args, self.kwargs))
        return output_tensor(self.module.forward(*args, **kwargs)).detach()


def layers_of(model: nn.Module) -> dict[str, nn.Module]:
    """Return the modules that hold parameters themselves and map activations to activations."""
    return {
        name: module
        for name, module in model.named_modules()
        if next(module.parameters(recurse=False), None) is not None
        and not isinstance(module, ParametrizationList)
    }


@contextmanager
def record_calls(layers: Mapping[str, nn.Module]) -> Generator[dict[str, LayerCall]]:
    """Record every call of the layers, in order, under `layer`, `layer (call 2)`, and so on."""
    calls: dict[str, LayerCall] = {}
    counts: dict[str, int] = {}
    arguments: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {}

    def watch(name: str, module: nn.Module) -> Iterator[RemovableHandle]:
        def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            arguments[name] = _copy_tensors((args, kwargs))

        def after(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
            counts[name] = counts.get(name, 0) + 1
            site = name if counts[name] == 1 else f"{name} (call {counts[name]})"
            calls[site] = LayerCall(
                module, *arguments[name], output_tensor(output).detach().clone()
            )

        yield module.register_forward_pre_hook(before, prepend=True, with_kwargs=True)
        yield module.register_forward_hook(after)

    handles = [handle for name, module in layers.items() for handle in watch(name, module)]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def _copy_tensors(tree: Any) -> Any:
    """Return nested arguments with every tensor copied, because later layers may overwrite them."""
    return tree_map(lambda x: x.detach().clone() if isinstance(x, torch.Tensor) else x, tree)
