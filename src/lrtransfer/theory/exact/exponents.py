"""How the optimal learning rate scales with width under any abc scheme, and its rescaled limit."""

from dataclasses import dataclass

import numpy as np

from ...errors import UserError
from ...scaling import FloatArray
from ..largest import require_bearable
from ..regression import Regression
from .deep_linear import Problem
from .kernel import kernel_optima, kernel_trajectory
from .limit import limit_trajectory
from .regime import Regime, regime_of
from .search import Trajectory, default_interval, lowest_minima


@dataclass(frozen=True, eq=False)
class LrScaling:
    r"""Limit in law of the rescaled optimum :math:`n^{E} \eta_n` as n grows.

    Attributes:
        exponent: −E: the optimum grows as this power of n.
        regime: Kind of limit.
        samples: Rescaled optima in the limit, sorted, shape (draws,); shape (1,) where the limit is
            a number.
    """

    exponent: float
    regime: Regime
    samples: FloatArray

    @property
    def is_deterministic(self) -> bool:
        """Whether the limit is a number instead of a random variable."""
        return self.regime.is_deterministic

    def quantile(self, level: float) -> float:
        """Return the quantile of the limit at a level between 0 and 1."""
        return float(np.quantile(self.samples, level))


def lr_scaling(problem: Problem, *, steps: int, draws: int = 1000, seed: int = 0) -> LrScaling:
    r"""Return the width exponent of the optimal learning rate and the limit of the rescaled one.

    Arguments:
        problem: Data, depth, abc scheme, trained roles, optimizer.
        steps: t, at least 1.
        draws: Number of draws of the outputs before training, used where the limit is random.
        seed: Seed of these draws.

    Returns:
        The exponent, and samples of the rescaled optimum in the limit.

    Raises:
        UserError: If there is no optimum, an argument is out of range, or the scheme learns
            features so fast that more than one step has no limit.

    Example:
        >>> data = Regression([[1.0], [2.0]], [2.0, 4.0])
        >>> for name in ("mup", "sp", "ntp"):
        ...     law = lr_scaling(Problem(data, depth=2, scheme=name), steps=1, draws=9)
        ...     print(name, law.exponent, law.is_deterministic, round(law.quantile(0.5), 6))
        mup 0.0 True 0.2
        sp -1.0 False 0.2
        ntp 0.0 False 0.2
    """
    require_bearable(draws=draws)
    if steps < 1 or draws < 1:
        raise UserError(f"exponents: got {steps} steps, {draws} draws, wanted at least 1 of each.")
    regime = regime_of(problem)
    if regime.kind == "beyond" and steps > 1:
        raise UserError(
            f"scheme: got a row under which outputs start at n^{regime.start:g}, wanted at least "
            "n^-0.5: the second step of a narrower start has no limit at this learning rate. "
            "Ask for --steps 1."
        )
    if regime.start_kind == "dominant":
        problem = _without_targets(problem)
    samples = _optima(problem, regime, steps=steps, draws=draws, seed=seed)
    return LrScaling(exponent=0.0 - regime.lr_power, regime=regime, samples=np.sort(samples))


def _optima(problem: Problem, regime: Regime, *, steps: int, draws: int, seed: int) -> FloatArray:
    in_closed_form = _has_closed_form(problem, regime)
    if not in_closed_form:
        require_bearable(steps=steps)
    if regime.kind != "kernel":
        return np.array([_optimum(problem, _features_trajectory(problem, regime), steps)])
    shape = (problem.data.basis.shape[1], problem.data.outputs)
    starts = np.zeros((1, *shape))
    if not regime.is_deterministic:
        rng = np.random.default_rng(seed)
        starts = rng.standard_normal((draws, *shape)) / np.sqrt(problem.data.dimension)
    trajectories = [_kernel_trajectory(problem, regime, start) for start in starts]
    default_interval(problem, trajectories[0])  # an error if the first step moves nothing
    if in_closed_form:
        return kernel_optima(problem, regime, starts, steps=steps)
    return np.array([_optimum(problem, trajectory, steps) for trajectory in trajectories])


def _has_closed_form(problem: Problem, regime: Regime) -> bool:
    """Return whether the loss after any number of steps costs no more than after one."""
    plain = problem.momentum == problem.weight_decay == 0 and problem.batches is None
    return plain and regime.kind == "kernel"


def _without_targets(problem: Problem) -> Problem:
    """Return the problem with targets 0: outputs that grow with width make them negligible."""
    return Problem(
        Regression(problem.data.inputs, np.zeros_like(problem.data.targets)),
        depth=problem.depth,
        scheme=problem.scheme,
        trained=problem.trained,
        momentum=problem.momentum,
        weight_decay=problem.weight_decay,
        batches=None if problem.batches is None else [b.samples for b in problem.batches],
    )


def _features_trajectory(problem: Problem, regime: Regime) -> Trajectory:
    return lambda lrs, steps: limit_trajectory(problem, lrs, steps=steps, regime=regime)


def _kernel_trajectory(problem: Problem, regime: Regime, start: FloatArray) -> Trajectory:
    return lambda lrs, steps: kernel_trajectory(problem, regime, start, lrs, steps=steps)


def _optimum(problem: Problem, trajectory: Trajectory, steps: int) -> float:
    interval = default_interval(problem, trajectory)
    return lowest_minima(problem, trajectory, steps=steps, interval=interval)[0].lr
