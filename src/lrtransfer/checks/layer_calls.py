"""The calls of a model's layers during one forward pass, kept so that they can be run again."""

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
    """Hold one call of a layer: what it was given before its own hooks, what it gave after them."""

    module: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    output: torch.Tensor

    def output_with(self, parameter: nn.Parameter, values: torch.Tensor) -> torch.Tensor:
        """Return the output on the same inputs with other values of one parameter."""
        args, kwargs = _copied((self.args, self.kwargs))
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
        args, kwargs = _copied((self.args, self.kwargs))
        return output_tensor(self.module.forward(*args, **kwargs)).detach()


def layers_of(model: nn.Module) -> dict[str, nn.Module]:
    """Return the modules with parameters of their own that map activations to activations."""
    return {
        name: module
        for name, module in model.named_modules()
        if next(module.parameters(recurse=False), None) is not None
        and not isinstance(module, ParametrizationList)
    }


@contextmanager
def recorded_calls(layers: Mapping[str, nn.Module]) -> Generator[dict[str, LayerCall]]:
    """Record every call, in order; the second one of a layer is named `layer (call 2)`."""
    calls: dict[str, LayerCall] = {}
    counts: dict[str, int] = {}
    given: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {}

    def watch(name: str, module: nn.Module) -> Iterator[RemovableHandle]:
        def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            given[name] = _copied((args, kwargs))

        def after(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
            counts[name] = counts.get(name, 0) + 1
            site = name if counts[name] == 1 else f"{name} (call {counts[name]})"
            calls[site] = LayerCall(module, *given[name], output_tensor(output).detach().clone())

        yield module.register_forward_pre_hook(before, prepend=True, with_kwargs=True)
        yield module.register_forward_hook(after)

    handles = [handle for name, module in layers.items() for handle in watch(name, module)]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def _copied(tree: Any) -> Any:
    """Return nested arguments with every tensor copied: later layers may write into them."""
    return tree_map(lambda x: x.detach().clone() if isinstance(x, torch.Tensor) else x, tree)
