r"""The infinite-width limit under μP, at any step.

One gradient per layer and step has rank k, the number of outputs:
:math:`\nabla_{W_l}(s) = \sum_a b_l(s,a)\, g_{l-1}(s,a)^\top`, with

- q (r, k): gradient of the loss with respect to the end-to-end weights φ (r, k), see `regression`,
- :math:`g_{-1} = q,\; g_l = W_l\, g_{l-1}`: the inputs, weighted by the residuals, passed forward,
- :math:`b_{L+1} = 1,\; b_{l-1} = W_l^\top b_l`: passed backward, and :math:`\varphi = b_{-1}`.

With index τ = (step, output) and :math:`\tilde b = n b`, the coordinates of every vector of space l
are, as n grows, combinations of Gaussians (Tensor Programs): A(τ), the fresh part of
:math:`W_l(0) g_{l-1}(τ)`, and B(τ), that of :math:`W_{l+1}(0)^\top \tilde b_{l+1}(τ)`:

.. math::
    g_l(τ) &= p\,A_l(τ) + \textstyle\sum_{σ<τ} M_l[τ,σ]\, \tilde b_l(σ), &
    M_l[τ,σ] &= p\,Q_{l-1}[τ,σ] - c\,\langle g_{l-1}(τ), g_{l-1}(σ)\rangle \\
    \tilde b_{l-1}(τ) &= p\,B_{l-1}(τ) + \textstyle\sum_{σ<τ} N_l[τ,σ]\, g_{l-1}(σ), &
    N_l[τ,σ] &= p\,R_l[τ,σ] - c\,\langle \tilde b_l(τ), \tilde b_l(σ)\rangle

where p and c are the coefficients of `descent`, Q is the coefficient of B in g and R that of A in
b̃: they appear because every step uses the same matrix and its transpose. ⟨u, w⟩ is the mean of
:math:`u_i w_i`; A and B are independent, with covariances ⟨g_{l−1}, g_{l−1}⟩
and ⟨b̃_{l+1}, b̃_{l+1}⟩.
The recursion contains no division: the same code runs on floats, complex numbers, balls and exact
polynomials.

References:
    Yang, Hu (2021). Tensor Programs IV: Feature Learning in Infinite-Width Neural Networks.
    https://arxiv.org/abs/2011.14522
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ...errors import UserError
from ..largest import require_bearable
from ..regression import Numbers
from ..schemes import ABC_SCHEMES
from .deep_linear import Problem
from .descent import Descent, descend
from .regime import CLOSE, Regime

MEMORY = 1 << 29  # bytes that the recursion may hold
_BYTES = 6 * 16  # per space and pair of rows: three matrices of two families, complex


class Objective(Protocol):
    """A loss on the data, as the recursion needs it: its gradient."""

    def gradient(self, step: int, phi: Numbers) -> Numbers:
        """Return the gradient q of a step at φ, both of shape (R, r, k)."""


@dataclass(frozen=True)
class Chain:
    """Everything the limit depends on apart from the data.

    Attributes:
        rank: Number k of outputs.
        features: Rank r of the inputs.
        input_variance: Variance 1/d of the entries of W_0.
        moves: Whether each of the L + 2 layers moves in the limit.
        decays: Whether each is trained, and so subject to weight decay.
        momentum: μ.
        weight_decay: λ.
    """

    rank: int
    features: int
    input_variance: Any
    moves: tuple[bool, ...]
    decays: tuple[bool, ...]
    momentum: Any
    weight_decay: Any


def chain_of(
    problem: Problem,
    *,
    features: int,
    number: Callable[[float], Any] = float,
    regime: Regime | None = None,
) -> Chain:
    """Return the chain of a problem, in any kind of number.

    Arguments:
        problem: Depth, trained roles, optimizer.
        features: Length of an input in the coordinates that the objective uses.
        number: Converts a float to that kind of number.
        regime: The roles that move; by default those of μP, under which all trained roles move.

    Returns:
        The chain.
    """
    trained = tuple(problem.is_trained(layer) for layer in problem.layers)
    moving = problem.trained if regime is None else regime.moving
    decays = regime is None or regime.lr_power < CLOSE  # else ηλ vanishes
    return Chain(
        rank=problem.data.outputs,
        features=features,
        input_variance=number(1) / problem.data.dimension,
        moves=tuple(problem.role(layer) in moving for layer in problem.layers),
        decays=trained,
        momentum=number(problem.momentum),
        weight_decay=number(problem.weight_decay if decays else 0),
    )


class VectorFamily:
    """The vectors g, or the vectors b̃, of one space, as combinations of Gaussians.

    There is a row for every step and output; rows are added step by step.

    Legend: R learning rates, T = steps × outputs.

    Attributes:
        direct: Coefficients of the family's Gaussians (A for g, B for b̃), shape (R, T, T).
        cross: Coefficients of the other family's Gaussians, shape (R, T, T).
        cov: Covariance of the family's Gaussians, shape (R, T, T).
    """

    def __init__(self, runs: int, size: int, dtype: np.dtype[Any]) -> None:
        """Allocate all rows."""
        self.direct, self.cross, self.cov = (np.zeros((runs, size, size), dtype) for _ in range(3))

    def append(
        self, now: slice, *, fresh: Numbers, mix: Numbers, cov: Numbers, other: "VectorFamily"
    ) -> tuple[Numbers, Numbers]:
        """Add the vectors p·(fresh Gaussian) + Σ mix[σ]·other(σ).

        Arguments:
            now: Rows τ of the new vectors.
            fresh: p, times the unit matrix, shape (R, k, k).
            mix: Weights of the other family's earlier vectors, shape (R, k, past).
            cov: Covariance of the fresh Gaussians with all until now, shape (R, k, past + k).
            other: The other family of the same space.

        Returns:
            The new vectors' coefficients of the other family's Gaussians, shape (R, k, past), and
            their inner products with all vectors until now, shape (R, k, past + k).
        """
        past, so_far = slice(0, now.start), slice(0, now.stop)
        self.cov[:, now, so_far] = cov
        self.cov[:, past, now] = np.swapaxes(cov[:, :, past], 1, 2)
        cross = mix @ other.direct[:, past, past]
        self.cross[:, now, past] = cross
        self.direct[:, now, past] = mix @ other.cross[:, past, past]
        self.direct[:, now, now] = fresh
        weighted = self.direct[:, now, so_far] @ self.cov[:, so_far, so_far]
        gram = weighted @ _t(self.direct[:, so_far, so_far])
        if now.start:
            gram = gram + cross @ other.cov[:, past, past] @ _t(self.cross[:, so_far, past])
        return cross, gram


@dataclass(frozen=True, eq=False)
class LayerDescent:
    """The coefficients p and c of `descent` at step t, layer by layer."""

    descent: Descent
    chain: Chain
    step: int

    def initial(self, layer: int) -> Numbers:
        """Return p, shape (R, 1, 1)."""
        p: Numbers = self.descent.initial[self.step if self.chain.decays[layer] else 0]
        return p[:, None, None]

    def gradients(self, layer: int) -> Numbers:
        """Return c of every earlier row, shape (R, 1, past)."""
        c = self.descent.gradients[self.step, : self.step].T[:, None, :]
        return np.repeat(c if self.chain.moves[layer] else 0 * c, self.chain.rank, axis=2)


def trajectory(chain: Chain, objective: Objective, lrs: Numbers, *, steps: int) -> Numbers:
    """Return the end-to-end weights φ of every learning rate at steps 0 … t.

    Arguments:
        chain: Depth, variances, and which layers move.
        objective: Gradients of the loss.
        lrs: η, shape (R,), of any kind of number that adds and multiplies.
        steps: Last step t.

    Returns:
        φ in the same kind of number and in the coordinates of the objective, shape
        (steps + 1, R, r, k).
    """
    runs, k, spaces = len(lrs), chain.rank, len(chain.moves) - 1
    descent = descend(lrs, steps=steps, momentum=chain.momentum, weight_decay=chain.weight_decay)
    size = (steps + 1) * k
    forward = [VectorFamily(runs, size, lrs.dtype) for _ in range(spaces)]
    backward = [VectorFamily(runs, size, lrs.dtype) for _ in range(spaces)]
    q = np.zeros((runs, size, chain.features), lrs.dtype)
    phi = np.zeros((steps + 1, runs, chain.features, k), lrs.dtype)
    for t in range(steps + 1):
        layers, now = LayerDescent(descent, chain, t), slice(t * k, (t + 1) * k)
        phi[t] = _backward(chain, layers, now, forward, backward, q)
        if t < steps:
            q[:, now] = _t(objective.gradient(t, phi[t]))
            _forward(chain, layers, now, forward, backward, q)
    return phi


def _backward(
    chain: Chain,
    layers: LayerDescent,
    now: slice,
    forward: list[VectorFamily],
    backward: list[VectorFamily],
    q: Numbers,
) -> Numbers:
    """Pass b̃ down from the outputs; return φ, shape (R, r, k)."""
    unit = np.eye(chain.rank, dtype=np.int64)
    gram = np.tile(unit, (len(q), 1, layers.step + 1))
    cross = np.zeros((len(q), chain.rank, now.start), q.dtype)
    for layer in range(len(forward), 0, -1):
        p = layers.initial(layer)
        cross, gram = backward[layer - 1].append(
            now,
            fresh=p * unit,
            mix=p * cross - layers.gradients(layer) * gram[:, :, : now.start],
            cov=gram,
            other=forward[layer - 1],
        )
    past = slice(0, now.start)
    mix = chain.input_variance * layers.initial(0) * cross - layers.gradients(0) * gram[:, :, past]
    return _t(mix @ q[:, past])


def _forward(
    chain: Chain,
    layers: LayerDescent,
    now: slice,
    forward: list[VectorFamily],
    backward: list[VectorFamily],
    q: Numbers,
) -> None:
    """Pass g up from the inputs."""
    unit = np.eye(chain.rank, dtype=np.int64)
    gram = q[:, now] @ _t(q[:, : now.stop])
    cross = np.zeros((len(q), chain.rank, now.start), q.dtype)
    variance = chain.input_variance
    for layer, family in enumerate(forward):
        p = layers.initial(layer)
        cross, gram = family.append(
            now,
            fresh=p * unit,
            mix=p * cross - layers.gradients(layer) * gram[:, :, : now.start],
            cov=variance * gram,
            other=backward[layer],
        )
        variance = 1


def _t(matrices: Numbers) -> Numbers:
    return np.swapaxes(matrices, -1, -2)


@dataclass(frozen=True, eq=False)
class _Samples:
    problem: Problem

    def gradient(self, step: int, phi: Numbers) -> Numbers:
        return self.problem.batch(step).gradient(phi)


def limit_losses(problem: Problem, lrs: Numbers, *, steps: int) -> Numbers:
    r"""Return the limit loss under μP of every learning rate at steps 0 … t.

    After one step it is :math:`\frac{1}{2N} \lVert \eta \frac{L}{N} K y - y \rVert^2`.

    Arguments:
        problem: Data, depth, trained roles, optimizer.
        lrs: η, shape (R,), real or complex.
        steps: Last step t.

    Returns:
        Loss, shape (R, steps + 1); infinite or NaN once it overflows.

    Raises:
        UserError: If the scheme is not μP, or steps is negative.

    Example:
        >>> problem = Problem(Regression([[1.0], [2.0]], [2.0, 4.0]), depth=2)
        >>> limit_losses(problem, np.array([0.2]), steps=1).round(12).tolist()  # K y = 5 y
        [[5.0, 0.0]]
    """
    with np.errstate(over="ignore", invalid="ignore"):
        phi = limit_trajectory(problem, lrs, steps=steps)
        loss: Numbers = problem.data.loss(phi).T
    return loss


def limit_trajectory(
    problem: Problem, lrs: Numbers, *, steps: int, regime: Regime | None = None
) -> Numbers:
    """Return the limit's end-to-end weights φ of every learning rate at steps 0 … t.

    Arguments:
        problem: Data, depth, trained roles, optimizer.
        lrs: η, shape (R,); with a regime in its units n^-E.
        steps: Last step t.
        regime: A regime that learns features, of any abc scheme; by default that of μP.

    Returns:
        φ in the basis of the data, shape (steps + 1, R, r, k).

    Raises:
        UserError: If the scheme is not μP and no regime is given, or steps is negative.
    """
    if regime is None and problem.scheme != ABC_SCHEMES["mup"]:
        raise UserError(
            "limit: got another scheme, wanted mup: the others have no such limit at a fixed "
            "learning rate. Give a width."
        )
    require_bearable(steps=steps)
    if steps < 0:
        raise UserError(f"steps: got {steps}, wanted at least 0.")
    chain = chain_of(problem, features=problem.data.basis.shape[1], regime=regime)
    block = _block(chain, steps)
    parts = [
        trajectory(chain, _Samples(problem), lrs[i : i + block], steps=steps)
        for i in range(0, max(len(lrs), 1), block)
    ]
    return np.concatenate(parts, axis=1)


def _block(chain: Chain, steps: int) -> int:
    """Return the number of learning rates that fit into memory at a time."""
    spaces, size = len(chain.moves) - 1, (steps + 1) * chain.rank
    return max(1, MEMORY // (_BYTES * spaces * size**2))
