r"""Which infinite-width limit an abc scheme has, and at which scale of the learning rate.

Let effective weights of the roles have standard deviations :math:`n^{-s}` and learning rates
:math:`\eta\,n^{-r}` (`schemes`), and :math:`\delta = \tfrac12 - s_h` for hidden matrices: each
multiplies the size of a vector by :math:`n^\delta`. Outputs before training are of order
:math:`n^F`, and by one step at rate η a role moves outputs by :math:`\eta\,n^{E}`:

.. math:: F &= \tfrac12 - s_i - s_o + L\delta \\
    E_h &= 2 - r_h - 2 s_i - 2 s_o + 2(L-1)\delta \\
    E_i &= 1 - r_i - 2 s_o + 2L\delta, \qquad E_o = 1 - r_o - 2 s_i + 2L\delta

The largest E among the trained roles decides: the optimal rate is of order :math:`n^{-E}`, and
roles with a smaller E do not move in the limit. At this rate hidden vectors move, relative to their
size, by :math:`n^{-1/2-F}`: features are learned where F = −1/2; where F is larger the network
stays linear in its weights (kernel), starting from outputs that vanish (F < 0), are random (F = 0)
or grow (F > 0). If a single matrix is trained, outputs are linear in it and the limit is a kernel
limit at every F.

References:
    Yang, Hu (2021). Tensor Programs IV: Feature Learning in Infinite-Width Neural Networks.
    https://arxiv.org/abs/2011.14522
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ...errors import UserError
from .deep_linear import Problem

CLOSE = 1e-9  # difference at which exponents, often written as decimals, count as equal


@dataclass(frozen=True)
class Regime:
    """Kind of the infinite-width limit.

    Attributes:
        start: F: outputs before training are of order n^F.
        lr_power: E: the optimal learning rate is of order n^-E.
        moving: Roles that move in the limit.
        is_linear: Whether a single matrix is trained, so that outputs are linear in it.
    """

    start: float
    lr_power: float
    moving: tuple[str, ...]
    is_linear: bool

    @property
    def kind(self) -> str:
        """`features`, `kernel` or `beyond`: F at, above or below −1/2; one matrix: `kernel`."""
        if self.is_linear or self.start > CLOSE - 0.5:
            return "kernel"
        return "features" if self.start > -0.5 - CLOSE else "beyond"

    @property
    def start_kind(self) -> str:
        """`zero`, `random` or `dominant`: F below, at or above 0."""
        if abs(self.start) < CLOSE:
            return "random"
        return "zero" if self.start < 0 else "dominant"

    @property
    def is_deterministic(self) -> bool:
        """Whether the rescaled optimum tends to a number instead of a random variable."""
        return self.start_kind == "zero"


def regime_of(problem: Problem) -> Regime:
    """Return the kind of limit of a problem.

    Arguments:
        problem: Depth, abc scheme, trained roles, weight decay.

    Returns:
        The exponents F and E, and the roles that move.

    Raises:
        UserError: If weight decay has no limit at the scale of the optimal learning rate.

    Example:
        >>> data = Regression([[1.0]], [1.0])
        >>> regime_of(Problem(data, depth=3, scheme="sp"))
        Regime(start=0.0, lr_power=1.0, moving=('hidden',), is_linear=False)
    """
    powers = {role: power for role, power in _powers(problem).items() if role in problem.trained}
    largest = max(powers.values())
    if problem.weight_decay and largest < -CLOSE:
        raise UserError(
            f"weight_decay: got {problem.weight_decay} where the optimal learning rate grows as "
            f"n^{-largest:g}, wanted 0: weights would decay ever faster with width."
        )
    row, delta = problem.scheme, 0.5 - problem.scheme.hidden.spread
    return Regime(
        start=0.5 - row.input.spread - row.output.spread + problem.depth * delta,
        lr_power=largest,
        moving=tuple(role for role, power in powers.items() if power > largest - CLOSE),
        is_linear=sum(problem.is_trained(layer) for layer in problem.layers) == 1,
    )


def _powers(problem: Problem) -> Mapping[str, float]:
    row, depth = problem.scheme, problem.depth
    s_in, s_out, delta = row.input.spread, row.output.spread, 0.5 - row.hidden.spread
    return {
        "input": 1 - row.input.speed - 2 * s_out + 2 * depth * delta,
        "hidden": 2 - row.hidden.speed - 2 * s_in - 2 * s_out + 2 * (depth - 1) * delta,
        "output": 1 - row.output.speed - 2 * s_in + 2 * depth * delta,
    }
