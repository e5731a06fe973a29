"""Loss against learning rate at every step, at a width or in the limit."""

from dataclasses import dataclass

import numpy as np

from ...errors import UserError
from ...scaling import FloatArray
from ..largest import require_bearable
from ..regression import Numbers
from .deep_linear import Problem
from .finite_width import draw_weights, finite_losses
from .limit import limit_losses


@dataclass(frozen=True, eq=False)
class ExactCurve:
    """Losses of many learning rates.

    Attributes:
        lrs: η, shape (R,).
        loss: Mean over seeds at steps 0 … t, shape (R, t + 1); infinite or NaN once it overflows.
        sd: Standard deviation between seeds, shape (R, t + 1); None for one seed and for the limit.
    """

    lrs: FloatArray
    loss: Numbers
    sd: Numbers | None


def loss_curve(
    problem: Problem, lrs: FloatArray, *, steps: int, width: int | None = None, seeds: int = 1
) -> ExactCurve:
    """Return the loss of every learning rate at steps 0 … t.

    Arguments:
        problem: Data, depth, parametrization, optimizer.
        lrs: η, shape (R,).
        steps: Last step t.
        width: n, or None for the limit.
        seeds: Number of initial draws at width n.

    Returns:
        The losses.

    Raises:
        UserError: If the scheme has no such limit, or a number is out of range.

    Example:
        >>> problem = Problem(Regression([[1.0], [2.0]], [2.0, 4.0]), depth=2)
        >>> loss_curve(problem, np.array([0.2]), steps=1).loss.round(12).tolist()
        [[5.0, 0.0]]
    """
    require_bearable(steps=steps, seeds=seeds, width=width or 1)
    if steps < 0 or seeds < 1 or (width is not None and width < 1):
        raise UserError(
            f"curve: got steps={steps}, seeds={seeds}, width={width}, wanted steps >= 0, "
            "seeds >= 1, width >= 1 or None."
        )
    if width is None:
        return ExactCurve(lrs, limit_losses(problem, lrs, steps=steps), None)
    runs = []
    for seed in range(seeds):
        weights = draw_weights(problem, width=width, seed=seed)
        runs.append(finite_losses(problem, weights, lrs, steps=steps))
    with np.errstate(over="ignore", invalid="ignore"):
        loss = np.mean(runs, axis=0)
        sd = np.std(runs, axis=0, ddof=1) if seeds > 1 else None
    return ExactCurve(lrs, loss, sd)
