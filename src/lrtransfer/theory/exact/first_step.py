r"""The typical scale of learning rates: the optimum of the linearized first step.

.. math:: \eta_1 = -\frac{\langle r_0, f' \rangle}{\lVert f' \rVert^2},
    \qquad r_0 = f_0 - y,\quad f' = \frac{d f}{d\eta}\Big|_{\eta = 0} \text{ after one step}

In the limit under μP this is the optimum after one step, :math:`\frac{N}{L} y^\top K y /
\lVert K y \rVert^2`.

References:
    Hayou (2025), Theorem 1. https://arxiv.org/abs/2511.01734
"""

from collections.abc import Callable

import numpy as np

from ...errors import UserError
from ...scaling import FloatArray
from ..regression import NEGLIGIBLE, Numbers
from .deep_linear import Problem

_STEP = 1e-30


def first_step_rate(problem: Problem, trajectory: Callable[[Numbers], Numbers]) -> float:
    r"""Return η₁, the optimum of the linearized first step.

    Where the first step raises the loss it is :math:`\lVert r_0 \rVert / \lVert f' \rVert` instead.

    Arguments:
        problem: The data and the first batch.
        trajectory: Function from learning rates (R,) to φ at steps 0 and 1, shape (2, R, r, k).

    Returns:
        Learning rate, in the units of those that `trajectory` takes.

    Raises:
        UserError: If the first step moves no output.
    """
    phi = trajectory(np.array([1j * _STEP]))
    residual = problem.data.full_batch.residual(phi[0].real)
    slope = problem.data.full_batch.rows @ phi[1].imag / _STEP
    size = float((slope**2).sum())
    if not np.isfinite(size):
        raise UserError(
            "data: got inputs so large that the first step overflows, wanted smaller ones. Scale X."
        )
    if _is_still(problem, phi[0, 0].real) or size == 0:
        if problem.batches is not None:
            raise UserError(
                "batches: got a first batch that moves no output, wanted one that does, to tell "
                "the scale of the learning rates. Change --batch-seed or --batch-size."
            )
        raise UserError(
            "data: got targets orthogonal to every input column (K y = 0), wanted K y != 0: the "
            "first step moves no output, so that there is no optimum. Centre the inputs or check "
            "that the rows of X and y belong together."
        )
    descent = -float((residual * slope).sum()) / size
    return descent if descent > 0 else float(np.sqrt((residual**2).sum() / size))


def _is_still(problem: Problem, phi: FloatArray) -> bool:
    """Return whether the first gradient at φ is 0 up to rounding errors."""
    samples = problem.batch(0).samples
    x, y = problem.data.inputs[samples], problem.data.targets[samples]
    residual = x @ (problem.data.basis @ phi) - y
    size = np.linalg.norm(x) * np.linalg.norm(residual)
    return bool(np.linalg.norm(x.T @ residual) <= NEGLIGIBLE * size)
