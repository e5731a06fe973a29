r"""Linear regression data, reduced to the few numbers on which gradient descent depends.

A linear network is :math:`f(x) = \theta^\top x` with θ (d, k) its end-to-end weights. With the thin
singular value decomposition :math:`X = U S Z^\top` of rank r, only :math:`\varphi = Z^\top \theta`
(r, k) matters: up to a constant the loss is
:math:`\frac{1}{2N} \lVert S\varphi - U^\top y \rVert^2`.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from ..errors import UserError
from ..scaling import FloatArray
from .largest import require_bearable

Numbers = npt.NDArray[Any]  # floats, complex numbers, or objects that add and multiply

NEGLIGIBLE = 1e-12  # relative size below which a number counts as zero


@dataclass(frozen=True, eq=False)
class Regression:
    r"""N samples of inputs and targets.

    Attributes:
        inputs: X, shape (N, d).
        targets: y, shape (N, k); a vector of shape (N,) is taken as k = 1.

    Raises:
        UserError: If shapes disagree, there is no sample, or a number is not finite.

    Example:
        >>> Regression([[1.0], [2.0]], [2.0, 4.0]).pull.tolist()  # K y
        [[10.0], [20.0]]
    """

    inputs: FloatArray
    targets: FloatArray

    def __init__(self, inputs: npt.ArrayLike, targets: npt.ArrayLike) -> None:
        """Take arrays or nested lists."""
        x, y = _numbers("X", inputs), _numbers("y", targets)
        y = y[:, None] if y.ndim == 1 else y
        if x.ndim != 2 or y.ndim != 2 or len(x) != len(y) or 0 in (*x.shape, *y.shape):
            raise UserError(
                f"data: got X of shape {x.shape} and y of shape {np.shape(targets)}, wanted (N, d) "
                "and (N,) or (N, k) with the same N >= 1, d >= 1. One row of X per target."
            )
        object.__setattr__(self, "inputs", x)
        object.__setattr__(self, "targets", y)

    @property
    def count(self) -> int:
        """N."""
        return int(self.inputs.shape[0])

    @property
    def dimension(self) -> int:
        """Input dimension d."""
        return int(self.inputs.shape[1])

    @property
    def outputs(self) -> int:
        """Number of outputs k."""
        return int(self.targets.shape[1])

    @property
    def pull(self) -> FloatArray:
        """K y with the kernel K = X Xᵀ / d, shape (N, k): the direction of the first step."""
        return self.inputs @ (self.inputs.T @ self.targets) / self.dimension

    @property
    def has_pull(self) -> bool:
        """Whether K y differs from 0 by more than rounding errors."""
        size = np.linalg.norm(self.inputs) * np.linalg.norm(self.targets)
        return bool(np.linalg.norm(self.inputs.T @ self.targets) > NEGLIGIBLE * size)

    @cached_property
    def basis(self) -> FloatArray:
        """Orthonormal basis Z of the row space of X, shape (d, r)."""
        return self._thin[2]

    @cached_property
    def full_batch(self) -> "ReducedBatch":
        """All samples as one batch."""
        u, s, _ = self._thin
        return ReducedBatch(np.diag(s), u.T @ self.targets, np.arange(self.count))

    @cached_property
    def floor(self) -> float:
        """Loss of the best linear function of the inputs."""
        u = self._thin[0]
        rest = self.targets - u @ (u.T @ self.targets)
        return float((rest**2).sum() / (2 * self.count))

    @cached_property
    def _thin(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        u, s, zt = np.linalg.svd(self.inputs, full_matrices=False)
        nonzero = s > NEGLIGIBLE * max(s[0], np.finfo(float).tiny)
        return u[:, nonzero], s[nonzero], zt[nonzero].T

    def batch(self, samples: npt.NDArray[np.intp]) -> "ReducedBatch":
        """Return some of the samples as a batch."""
        q, r = np.linalg.qr(self.inputs[samples] @ self.basis)
        return ReducedBatch(r, q.T @ self.targets[samples], samples)

    def loss(self, phi: Numbers) -> Numbers:
        r"""Return the loss :math:`\frac{1}{2N} \sum_i \lVert f(x_i) - y_i \rVert^2`.

        Arguments:
            phi: End-to-end weights φ in the basis, shape (…, r, k).

        Returns:
            Loss, shape (…).
        """
        loss: Numbers = self.excess(phi) + self.floor
        return loss

    def excess(self, phi: Numbers) -> Numbers:
        """Return the loss minus its floor, accurate where it is almost 0; φ as in `loss`."""
        excess: Numbers = (self.full_batch.residual(phi) ** 2).sum(axis=(-2, -1)) / (2 * self.count)
        return excess


@dataclass(frozen=True, eq=False)
class ReducedBatch:
    """Samples, reduced by a QR decomposition to the fewest rows with the same gradient.

    Attributes:
        rows: Inputs in the basis, shape (m, r), m ≤ r.
        targets: Targets of these rows, shape (m, k).
        samples: Indices of the samples that the rows replace.
    """

    rows: FloatArray
    targets: FloatArray
    samples: npt.NDArray[np.intp]

    def residual(self, phi: Numbers) -> Numbers:
        """Return the outputs minus the targets, shape (…, m, k)."""
        residual: Numbers = self.rows @ phi - self.targets
        return residual

    def gradient(self, phi: Numbers) -> Numbers:
        """Return the gradient q of the batch's loss with respect to φ, shape (…, r, k)."""
        gradient: Numbers = self.rows.T @ self.residual(phi) / len(self.samples)
        return gradient


def load_regression(path: Path) -> Regression:
    """Read `X` and `y` from an .npz file.

    Arguments:
        path: File with the arrays X (N, d) and y (N,) or (N, k).

    Returns:
        The samples in double precision.

    Raises:
        UserError: If the file cannot be read, holds pickled objects, or lacks an array.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            if missing := {"X", "y"} - set(file.files):
                raise UserError(
                    f"data: got {path} with {sorted(file.files)}, wanted the arrays X and y "
                    f"({', '.join(sorted(missing))} missing). Write them with "
                    "numpy.savez(path, X=X, y=y)."
                )
            return Regression(file["X"], file["y"])
    except UserError:
        raise
    except (
        OSError,
        ValueError,
        AttributeError,
        TypeError,
        EOFError,
        BadZipFile,
        zlib.error,
    ) as error:
        raise UserError(
            f"data: got {path} ({error}), wanted an .npz file of plain numbers. Write it with "
            "numpy.savez(path, X=X, y=y); pickled objects are not read."
        ) from None


def draw_regression(*, count: int, dimension: int, noise: float, seed: int) -> Regression:
    r"""Draw inputs, a linear teacher and noisy targets.

    .. math:: x \sim N(0, I_d), \qquad w \sim N(0, I_d / d), \qquad y = w^\top x + N(0, \sigma^2)

    Arguments:
        count: N.
        dimension: d.
        noise: σ.
        seed: Seed of the draws, in the order inputs, teacher, noise.

    Returns:
        N samples with one output each.

    Raises:
        UserError: If a size is not positive or the noise is negative.

    Example:
        >>> draw_regression(count=500, dimension=10, noise=0.1, seed=0).inputs.shape
        (500, 10)
    """
    if count < 1 or dimension < 1 or not 0 <= noise < np.inf or seed < 0:
        raise UserError(
            f"synthetic: got N={count}, d={dimension}, noise={noise}, seed={seed}, wanted N >= 1, "
            "d >= 1, noise >= 0, seed >= 0, such as 500,10,0.1,0."
        )
    rng = np.random.default_rng(seed)
    inputs = rng.standard_normal((count, dimension))
    teacher = rng.standard_normal(dimension) / np.sqrt(dimension)
    return Regression(inputs, inputs @ teacher + noise * rng.standard_normal(count))


def shuffle_batches(
    data: Regression, *, size: int, steps: int, seed: int
) -> tuple[npt.NDArray[np.intp], ...]:
    """Draw minibatches: every epoch in a new order, incomplete batches dropped.

    Arguments:
        data: The samples.
        size: Samples of a batch.
        steps: Number of batches.
        seed: Seed of the orders.

    Returns:
        Indices of the samples of each step, each of shape (size,).

    Raises:
        UserError: If the size is not between 1 and the number of samples.
    """
    require_bearable(steps=steps)
    if not 1 <= size <= data.count:
        raise UserError(f"batch_size: got {size}, wanted 1 to {data.count}, the number of samples.")
    rng, batches = np.random.default_rng(seed), list[npt.NDArray[np.intp]]()
    while len(batches) < steps:
        order = rng.permutation(data.count)
        starts = range(0, data.count - size + 1, size)
        batches.extend(order[start : start + size] for start in starts)
    return tuple(batches[:steps])


def _numbers(name: str, values: npt.ArrayLike | Sequence[float]) -> FloatArray:
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise UserError(
            f"data: got {name} of type {array.dtype}, wanted real numbers in one regular array."
        )
    if not np.isfinite(array).all():
        raise UserError(
            f"data: got NaN or infinity in {name}, wanted finite numbers. Leave such rows out."
        )
    return array.astype(np.float64)
