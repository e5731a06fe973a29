r"""Outputs after t steps at width n, for many learning rates at once, without approximation.

The gradient of every layer has rank k, so that trained matrices are never formed:

.. math:: W_l(t) = p_t W_l(0) - n^{-r_l} \sum_{s<t} c_{ts} \sum_a b_l(s,a)\, g_{l-1}(s,a)^\top

with b and g as in `limit`. All learning rates share :math:`W_l(0)`: a step is 2L − 1 products of an
n×n matrix with one thin matrix, about 2(2L − 1)n² flops per learning rate instead of
(6L − 2)N n², and 2Ltn numbers of memory beside the weights.

Legend: R learning rates, T steps, k outputs, n width; arrays of vectors are (R, k, n).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...errors import UserError
from ...randomness import seed_of
from ..largest import require_bearable
from ..regression import Numbers
from .deep_linear import Problem
from .descent import Descent, descend

Float32Array = npt.NDArray[np.float32]

MAX_DOUBLE_BYTES = 2 << 30  # of hidden weights in double precision; larger ones stay in single
_BLOCK = 1024  # rows of single-precision weights converted at a time
_DECADES = 200  # largest power of 10 of a factor n^x


@dataclass(frozen=True, eq=False)
class Weights:
    """Initial weights before any scaling: standard normal draws.

    Attributes:
        input: Draw of W_0, shape (n, d).
        hidden: Draws of W_1 … W_L, each of shape (n, n).
        output: Draw of V, shape (k, n).
    """

    input: npt.NDArray[np.floating]
    hidden: tuple[npt.NDArray[np.floating], ...]
    output: npt.NDArray[np.floating]

    @property
    def width(self) -> int:
        """Width n."""
        return len(self.input)

    def mirror(self) -> "Weights":
        """Return the same weights with −V instead of V: an equally likely draw."""
        return Weights(self.input, self.hidden, -self.output)


def draw_weights(problem: Problem, *, width: int, seed: int) -> Weights:
    """Draw initial weights; each tensor has a stream of its own.

    Values are drawn in single precision, which halves the memory of wide networks; all computation
    on them is in double precision.

    Arguments:
        problem: Depth, and numbers of inputs and outputs.
        width: n.
        seed: Index of the draw.

    Returns:
        Standard normal weights.
    """
    d, k = problem.data.dimension, problem.data.outputs

    def normal(name: str, *shape: int) -> Float32Array:
        rng = np.random.default_rng(seed_of("deep linear", width, seed, name))
        return rng.standard_normal(shape, dtype=np.float32)

    is_small = 8 * problem.depth * width**2 <= MAX_DOUBLE_BYTES
    hidden = (normal(f"W_{layer}", width, width) for layer in range(1, problem.depth + 1))
    return Weights(
        input=normal("W_0", width, d),
        hidden=tuple(w.astype(np.float64) if is_small else w for w in hidden),
        output=normal("V", k, width),
    )


def finite_losses(problem: Problem, weights: Weights, lrs: Numbers, *, steps: int) -> Numbers:
    r"""Return the loss of every learning rate at steps 0 … t of gradient descent.

    Arguments:
        problem: Data, depth, parametrization, optimizer.
        weights: Initial draws.
        lrs: η, shape (R,), real or complex.
        steps: Last step t.

    Returns:
        Loss, shape (R, steps + 1); infinite or NaN once it overflows.

    Raises:
        UserError: If steps is negative.

    Example:
        >>> problem = Problem(Regression([[1.0], [2.0]], [2.0, 4.0]), depth=2)
        >>> weights = draw_weights(problem, width=64, seed=0)
        >>> finite_losses(problem, weights, np.array([0.1, 0.2]), steps=3).shape
        (2, 4)
    """
    require_bearable(steps=steps)
    if steps < 0:
        raise UserError(f"steps: got {steps}, wanted at least 0.")
    with np.errstate(over="ignore", invalid="ignore"):
        phi = finite_trajectory(problem, weights, lrs, steps=steps)
        loss: Numbers = problem.data.loss(phi).T
    return loss


def finite_trajectory(problem: Problem, weights: Weights, lrs: Numbers, *, steps: int) -> Numbers:
    """Return the end-to-end weights φ of every learning rate at steps 0 … t of gradient descent.

    Arguments:
        problem: Data, depth, parametrization, optimizer.
        weights: Initial draws.
        lrs: η, shape (R,), real or complex.
        steps: Last step t.

    Returns:
        φ in the basis of the data, shape (steps + 1, R, r, k).
    """
    layers = _layers(problem, weights)
    descent = descend(
        lrs, steps=steps, momentum=problem.momentum, weight_decay=problem.weight_decay
    )
    return _TrainingRun(problem, layers, descent, steps).train()


@dataclass(frozen=True, eq=False)
class _Layer:
    """One matrix at initialisation, with its learning rate."""

    initial: npt.NDArray[np.floating]  # (out, in), before scaling
    scale: float  # of the initial matrix
    rate: float  # n^-r, or 0 if frozen

    def forward(self, vectors: Numbers) -> Numbers:
        """Return W(0) v, shape (R, k, out)."""
        return self.scale * _times(vectors, self.initial.T)

    def backward(self, vectors: Numbers) -> Numbers:
        """Return W(0)ᵀ v, shape (R, k, in)."""
        return self.scale * _times(vectors, self.initial)


def _times(vectors: Numbers, matrix: npt.NDArray[np.floating]) -> Numbers:
    """Return row vectors times a real matrix, all learning rates in one product."""
    if np.iscomplexobj(vectors):
        parts = _times(np.stack([vectors.real, vectors.imag]), matrix)
        product: Numbers = parts[0] + 1j * parts[1]
        return product
    rows = vectors.reshape(-1, vectors.shape[-1])
    if matrix.dtype == np.float32 and max(matrix.shape) > _BLOCK:
        product = _multiply_in_blocks(rows, matrix)
    else:
        product = rows @ matrix
    return product.reshape(*vectors.shape[:-1], matrix.shape[1])


def _multiply_in_blocks(rows: Numbers, matrix: npt.NDArray[np.floating]) -> Numbers:
    """Return the product with a single-precision matrix, converted to double block by block."""
    total = np.zeros((len(rows), matrix.shape[1]))
    if matrix.flags.f_contiguous:  # a transposed view: blocks of columns lie together
        for j in range(0, matrix.shape[1], _BLOCK):
            total[:, j : j + _BLOCK] = rows @ matrix[:, j : j + _BLOCK].astype(np.float64)
    else:
        for i in range(0, len(matrix), _BLOCK):
            total += rows[:, i : i + _BLOCK] @ matrix[i : i + _BLOCK].astype(np.float64)
    return total


def _layers(problem: Problem, weights: Weights) -> list[_Layer]:
    n = float(weights.width)
    in_basis = weights.input @ problem.data.basis / np.sqrt(problem.data.dimension)
    layers = []
    for layer, initial in enumerate((in_basis, *weights.hidden, weights.output)):
        row = problem.scheme[problem.role(layer)]
        spread, speed = (_power(n, -exponent) for exponent in (row.spread, row.speed))
        layers.append(_Layer(initial, spread, speed if problem.is_trained(layer) else 0.0))
    return layers


def _power(width: float, exponent: float) -> float:
    """Return a power of the width that is neither 0 nor infinite."""
    if abs(exponent) * np.log10(width) > _DECADES:
        raise UserError(
            f"scheme: got a factor n^{exponent:g} at width {width:g}, wanted one within 10^±"
            f"{_DECADES}. Use smaller exponents."
        )
    return float(width**exponent)


class _TrainingRun:
    """Gradient descent from one draw at all learning rates, step by step.

    Attributes:
        g: Forward vectors that enter each trained layer, every step, shape (R, T·k, in).
        b: Backward vectors at its outputs, shape (R, T·k, out).
    """

    def __init__(
        self, problem: Problem, layers: list[_Layer], descent: Descent, steps: int
    ) -> None:
        self.problem, self.layers, self.descent, self.steps = problem, layers, descent, steps
        runs, k = descent.initial.shape[1], problem.data.outputs
        self.rank = k
        dtype = descent.initial.dtype
        sizes = [layers[0].initial.shape[1], *(len(layer.initial) for layer in layers)]
        trained = [number for number, matrix in enumerate(layers) if matrix.rate]
        self.g = {number: np.zeros((runs, steps * k, sizes[number]), dtype) for number in trained}
        self.b = {
            number: np.zeros((runs, steps * k, sizes[number + 1]), dtype) for number in trained
        }

    def train(self) -> Numbers:
        """Return φ at every step, shape (steps + 1, R, r, k)."""
        phi = []
        for t in range(self.steps + 1):
            phi.append(self._backward(t))
            if t < self.steps:
                self._forward(t, self.problem.batch(t).gradient(phi[t]))
        return np.array(phi)

    def _backward(self, t: int) -> Numbers:
        runs, dtype = self.descent.initial.shape[1], self.descent.initial.dtype
        vectors = np.broadcast_to(np.eye(self.rank, dtype=dtype), (runs, self.rank, self.rank))
        for number in reversed(range(len(self.layers))):
            matrix = self.layers[number]
            if matrix.rate and t < self.steps:
                self.b[number][:, t * self.rank : (t + 1) * self.rank] = vectors
            update = self._update(number, t, vectors, source=self.b, target=self.g)
            vectors = self._initial(number, t) * matrix.backward(vectors) - update
        return np.swapaxes(vectors, 1, 2)

    def _forward(self, t: int, q: Numbers) -> None:
        vectors = np.swapaxes(q, 1, 2)
        for number in range(max(self.g) + 1):
            matrix = self.layers[number]
            if matrix.rate:
                self.g[number][:, t * self.rank : (t + 1) * self.rank] = vectors
            if number < max(self.g):
                update = self._update(number, t, vectors, source=self.g, target=self.b)
                vectors = self._initial(number, t) * matrix.forward(vectors) - update

    def _initial(self, number: int, t: int) -> Numbers:
        """Return p_t, the coefficient of W(0), shape (R, 1, 1)."""
        p: Numbers = self.descent.initial[t if self.layers[number].rate else 0][:, None, None]
        return p

    def _update(
        self,
        number: int,
        t: int,
        vectors: Numbers,
        *,
        source: dict[int, Numbers],
        target: dict[int, Numbers],
    ) -> Numbers:
        """Return Σ_s c_s target(s) ⟨source(s), v⟩, shape (R, k, …)."""
        if not self.layers[number].rate or t == 0:
            return np.zeros(())
        past = slice(0, t * self.rank)
        c = self.layers[number].rate * np.repeat(self.descent.gradients[t, :t], self.rank, axis=0).T
        share = (vectors @ np.swapaxes(source[number][:, past], 1, 2)) * c[:, None, :]
        update: Numbers = share @ target[number][:, past]
        return update
