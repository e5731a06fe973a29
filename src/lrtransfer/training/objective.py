"""One forward pass of any model on one batch: its output and its loss."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils import _pytree as pytree

from ..errors import BatchError
from .targets import require_examples

Batch = tuple[Any, torch.Tensor] | Mapping[str, Any]
Loss = Callable[[Any, Any], torch.Tensor]


def evaluate(
    model: nn.Module, batch: Batch, loss: Loss | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the output of a model as one tensor, and its loss.

    A pair is inputs and targets. A mapping holds keyword arguments, as `transformers` models take
    them; the loss is then the one the model returns, or `loss(output, batch)`.

    Raises:
        BatchError: If the batch is neither, is empty or gives no loss, or model or loss raise.
    """
    require_examples(batch)
    if isinstance(batch, Mapping):
        output = call("the forward", model, **batch)
        value = getattr(output, "loss", None)
        if loss:
            value = call("the loss", loss, _widen(output), batch)
        if value is None:
            raise BatchError(
                f"batch: got a mapping with keys {sorted(batch)} for which {type(model).__name__} "
                "returns no loss, wanted one. Add 'labels', or give a loss."
            )
        return _pair(output, value)
    if not isinstance(batch, Sequence) or len(batch) != 2:
        raise BatchError(
            f"batch: got {type(batch).__name__}, wanted a pair (inputs, targets), or a mapping of "
            "keyword arguments for the model."
        )
    inputs, targets = batch
    output = call("the forward", model, inputs)
    value = call("the loss", loss or cross_entropy, _widen(output), targets)
    return _pair(output, value)


def call(what: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Return what a function of the user's gives; a BatchError says what it raises."""
    try:
        return function(*args, **kwargs)
    except (BatchError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        said = " ".join(str(error).split())
        raise BatchError(
            f"batch: got {type(error).__name__} from {what} on it: {said}. Wanted a batch, a model "
            "and a loss that work together."
        ) from error


def _widen(output: Any) -> Any:
    """Return an output in float32 where autocast gave 16 bits, of which a loss keeps 3 digits."""

    def widen(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.float() if tensor.dtype in {torch.bfloat16, torch.float16} else tensor

    return pytree.tree_map_only(torch.Tensor, widen, output)


def _pair(output: Any, loss: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the output's tensor and the loss, checked to be one real number."""
    tensor = extract_tensor(output)
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
        shape = f" of shape {tuple(loss.shape)}" if isinstance(loss, torch.Tensor) else ""
        raise BatchError(
            f"loss: got {type(loss).__name__}{shape}, wanted a tensor of one entry. Take the mean."
        )
    # On meta, where operations are counted, nothing has a value.
    if not loss.is_floating_point() or (loss.is_meta and not tensor.is_meta):
        raise BatchError(
            f"loss: got a tensor of {loss.dtype} on {loss.device}, wanted a real number with a "
            "value. Compute it in float32 from the model's output."
        )
    return tensor, loss


def backward(loss: torch.Tensor, *, retain_graph: bool = False) -> None:
    """Add the gradient of a loss to the tensors that it depends on.

    Arguments:
        loss: A loss of `evaluate`.
        retain_graph: Whether it is differentiated again.

    Raises:
        BatchError: If it has none, or torch cannot compute it.
    """
    if not loss.requires_grad:
        raise BatchError(
            "loss: got a tensor without a gradient, wanted one computed from the output of a model "
            "that trains. Leave out detach, item, numpy and no_grad, or unfreeze a parameter."
        )
    call("the backward pass", loss.backward, retain_graph=retain_graph)


def take_step(optimizer: torch.optim.Optimizer) -> None:
    """Let an optimizer take a step; a BatchError says what it raises."""
    call("the optimizer's step", optimizer.step)


@contextmanager
def evaluating(model: nn.Module) -> Generator[None, None, None]:
    """Put a model in evaluation mode without gradients, then every part of it back as it was."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def extract_tensor(output: Any) -> torch.Tensor:
    """Return the tensor of a model's or layer's output: itself, `.logits`, or the first within.

    Raises:
        BatchError: If there is none.
    """
    tensor = _find_tensor(getattr(output, "logits", output))
    if tensor is None:
        raise BatchError(
            f"output: got {type(output).__name__} without a floating-point tensor, wanted a "
            "tensor, `.logits`, or a tuple or mapping that starts with one."
        )
    return tensor


def _find_tensor(output: Any) -> torch.Tensor | None:
    if isinstance(output, torch.Tensor):
        return output if output.is_floating_point() else None
    if isinstance(output, Mapping):
        output = tuple(output.values())
    if isinstance(output, Sequence) and not isinstance(output, str):
        return next((t for part in output if (t := _find_tensor(part)) is not None), None)
    return None


def cross_entropy(output: Any, targets: torch.Tensor) -> torch.Tensor:
    """Return the mean cross-entropy in nats over the last dimension of the output.

    Raises:
        BatchError: If the targets are not one class for each position.
    """
    logits = extract_tensor(output)
    if targets.is_floating_point() or targets.shape != logits.shape[:-1]:
        raise BatchError(
            f"batch: got targets of {targets.dtype} and shape {tuple(targets.shape)} for an output "
            f"of shape {tuple(logits.shape)}, wanted whole numbers, one class for each "
            "position: the loss is cross-entropy over the last dimension. Give another loss."
        )
    return F.cross_entropy(logits.flatten(0, -2), targets.flatten())


def squared_error(output: Any, targets: torch.Tensor) -> torch.Tensor:
    """Return the mean squared error; of classes, that of their indicators.

    Raises:
        BatchError: If the targets have not the output's shape.
    """
    values = extract_tensor(output)
    if not targets.is_floating_point() and targets.shape == values.shape[:-1]:
        targets = F.one_hot(targets, values.shape[-1]).to(values.dtype)
    if targets.shape != values.shape:
        raise BatchError(
            f"batch: got targets of shape {tuple(targets.shape)} for an output of shape "
            f"{tuple(values.shape)}, wanted the same shape, or one class for each position."
        )
    return F.mse_loss(values, targets)
