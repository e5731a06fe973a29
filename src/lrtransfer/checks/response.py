"""How the step of an optimizer depends on the size of the gradient."""

import math
import statistics
from collections.abc import Callable

import torch
from torch import nn

from ..training.objective import Batch, Loss, backward, evaluate, take_step

# A power of two: the scaled gradient has the same bits but for its exponent.
_FACTOR = 4.0


def measure_gradient_degree(
    make: Callable[[], tuple[nn.Module, torch.optim.Optimizer]], batch: Batch, loss: Loss | None
) -> float:
    r"""Return the degree κ of an optimizer's first step as a function of the gradient.

    .. math:: \Delta W(c g) = c^\kappa \, \Delta W(g)

    The degree is 1 for SGD and 0 for optimizers that normalise, such as Adam and Lion. It is
    measured on every tensor by multiplying the gradients by a constant c; the result is the median.

    Arguments:
        make: Function that returns the same model and optimizer at every call.
        batch: Batch of the step.
        loss: Function from output and targets to the loss; None for the default of `evaluate`.

    Returns:
        κ, between 0 and 1.
    """
    plain, scaled = (_step_sizes(*make(), batch, loss, factor) for factor in (1.0, _FACTOR))
    degrees = [
        math.log(b / a, _FACTOR)
        for a, b in zip(plain, scaled, strict=True)
        if 0 < a < math.inf and 0 < b < math.inf
    ]
    return min(max(statistics.median(degrees), 0.0), 1.0) if degrees else 0.0


def _step_sizes(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    loss: Loss | None,
    factor: float,
) -> list[float]:
    before = [p.detach().clone() for p in model.parameters()]
    _, value = evaluate(model, batch, loss)
    backward(value)
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.grad.mul_(factor)
    take_step(optimizer)
    after = [p.detach() for p in model.parameters()]
    return [float((b.double() - a.double()).norm()) for a, b in zip(before, after, strict=True)]
