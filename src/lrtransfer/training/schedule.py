"""Learning-rate schedules as a factor of the peak rate."""

import math
from typing import Literal, get_args

Decay = Literal["linear", "constant", "cosine", "wsd"]
DECAYS = get_args(Decay)


def schedule_factor(
    step: int,
    *,
    steps: int,
    warmup_share: float,
    final_factor: float,
    decay: Decay = "linear",
    decay_share: float = 0.2,
) -> float:
    r"""Return the factor :math:`s(t)` for step t = 0 .. steps - 1.

    .. math:: s(t) = f + (1 - f) \min\left(\frac{t+1}{w}, d(t)\right)

    with w warmup steps of T in all and the final factor f: linear up from f, then down to f by

    .. math::
        d(t) = \frac{T-t}{T-w}, \quad 1, \quad
        \frac{1}{2}\Big(1 + \cos\frac{\pi (t - w)}{T - w}\Big), \quad
        \min\Big(1, \frac{T-t}{cT}\Big)

    for `linear`, `constant`, `cosine` and `wsd`, which is stable, then decays in the last share c;
    of the first and the third d(t) is 1 up to step w.

    References:
        Lingle (2024), the linear schedule. https://arxiv.org/abs/2404.05728
        Hu et al. (2024), warmup, stable, decay. https://arxiv.org/abs/2404.06395

    Example:
        >>> shape = {"steps": 4, "warmup_share": 0.5, "final_factor": 0}
        >>> [schedule_factor(step, **shape) for step in range(4)]
        [0.5, 1.0, 1.0, 0.5]
        >>> [schedule_factor(step, **shape, decay="constant") for step in range(4)]
        [0.5, 1.0, 1.0, 1.0]
    """
    warmup = round(warmup_share * steps)
    rise = (step + 1) / warmup if warmup else 1.0
    fall = _fall(step, steps, warmup, decay, decay_share)
    return final_factor + (1 - final_factor) * min(rise, fall, 1.0)


def _fall(step: int, steps: int, warmup: int, decay: Decay, decay_share: float) -> float:
    if decay == "constant":
        return 1.0
    if decay == "wsd":
        return (steps - step) / max(1, round(decay_share * steps))
    if step < warmup or steps == warmup:
        return 1.0
    if decay == "cosine":
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))
    return (steps - step) / (steps - warmup)
