"""Runs of a model's forward that are watched: one graph for each.

They take place on the meta device where the model allows it, so that size costs nothing, and on the
CPU where the forward needs values (experts that are chosen by the data).
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from ....errors import ParametrizationError
from .aten_call import describe_call
from .constants import SHAPED_LIKE, Constants, ConstantsObserver, DataObserver
from .graph import Graph
from .operations import as_activation, observe, observe_input

# Functions of which some arguments are inputs by definition, whatever they are computed from.
_INPUTS: Mapping[Any, Sequence[str]] = {
    F.linear: ("input",),
    F.bilinear: ("input1", "input2"),
    F.layer_norm: ("input",),
    F.rms_norm: ("input",),
    F.group_norm: ("input",),
    F.multi_head_attention_forward: ("query", "key", "value"),
    F.scaled_dot_product_attention: ("query", "key", "value"),
}


class _Observer(TorchDispatchMode):
    def __init__(self, graph: Graph) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.graph = graph

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        call = describe_call(func, args, kwargs or {}, result)
        if call.name in SHAPED_LIKE or not any(self.graph.node(t) for t in call.tensors):
            self.graph.constants.observe(func, args, kwargs or {}, result)
        observe(self.graph, call)
        return result


class _InputObserver(TorchFunctionMode):
    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        names = _INPUTS.get(func, ())
        count = len(names)
        inputs = [self._input(value) for value in args[:count]]
        keywords = {k: self._input(v) if k in names else v for k, v in (kwargs or {}).items()}
        return func(*inputs, *args[count:], **keywords)

    def _input(self, value: Any) -> Any:
        return as_activation(self.graph, value) if isinstance(value, torch.Tensor) else value


@dataclass(frozen=True)
class Inputs:
    """The arguments of one call of a model."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def to(self, device: str) -> "Inputs":
        """Return the arguments with their tensors on a device."""
        return Inputs(
            *pytree.tree_map_only(torch.Tensor, _move_to(device), (self.args, self.kwargs))
        )


def _move_to(device: str) -> Callable[[torch.Tensor], torch.Tensor]:
    def move(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.detach().clone().to(device)

    return move


def inputs_of(example: Any, width: int) -> Inputs:
    """Return the arguments that an example stands for.

    Arguments:
        example: A tensor, a tuple `(inputs, targets)` of which the inputs are passed (one by one
            if they are a tuple), a dict of keyword arguments, or a function from a width to
            one of these.
        width: Width of the model that is called.
    """
    if callable(example) and not isinstance(example, torch.Tensor):
        example = example(width)
    if isinstance(example, tuple) and len(example) == 2:
        example = example[0]
    if isinstance(example, Mapping):
        return Inputs((), {str(key): value for key, value in example.items()})
    return Inputs(example if isinstance(example, tuple) else (example,), {})


def trace(make: Callable[[str], nn.Module], inputs: Inputs, *, width: int) -> Graph:
    """Run a model once and return what its forward did with every parameter.

    Arguments:
        make: Makes the model on a device.
        inputs: What it is called with.
        width: Its width, for messages.

    Raises:
        ParametrizationError: If the forward runs neither on the meta device nor on the CPU.
    """
    try:
        return _run(make, inputs.to("meta"), "meta")
    except Exception:  # whatever a model raises without values: the CPU decides
        pass
    try:
        return _run(make, inputs.to("cpu"), "cpu")
    except Exception as error:
        raise ParametrizationError(
            f"parametrize: got {type(error).__name__} from the forward of build({width}) on the "
            f"example: {error}. Wanted an example that the model takes: a tensor, (inputs, "
            "targets), a dict of keyword arguments, or a function from a width to one of these."
        ) from error


def _run(make: Callable[[str], nn.Module], inputs: Inputs, device: str) -> Graph:
    constants = Constants()
    with DataObserver(constants), ConstantsObserver(constants):
        model = make(device)
    model.eval()
    graph = Graph(model, constants)
    for tensor in pytree.tree_leaves((inputs.args, inputs.kwargs)):
        if isinstance(tensor, torch.Tensor):
            observe_input(graph, tensor)
    with _follow_modules(model, graph), _disable_fast_path(), torch.device(device), watch(graph):
        model(*inputs.args, **inputs.kwargs)
    return graph


@contextmanager
def watch(graph: Graph) -> Generator[None, None, None]:
    """Write every operation that PyTorch executes meanwhile into a graph."""
    with torch.no_grad(), _InputObserver(graph), DataObserver(graph.constants), _Observer(graph):
        yield


@contextmanager
def _follow_modules(model: nn.Module, graph: Graph) -> Generator[None, None, None]:
    """Keep the name of the module that runs in the graph."""
    stack = [""]

    def enter(name: str) -> Callable[..., None]:
        def hook(*_: object) -> None:
            stack.append(name)
            graph.module = name

        return hook

    def leave(*_: object) -> None:
        stack.pop()
        graph.module = stack[-1]

    handles = []
    for name, module in model.named_modules():
        handles.append(module.register_forward_pre_hook(enter(name)))
        handles.append(module.register_forward_hook(leave, always_call=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _disable_fast_path() -> Generator[None, None, None]:
    """Keep torch's attention layers from their fused inference path."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
