"""Learning-rate schedules as a factor of the peak rate."""


def linear_warmup_and_decay(
    step: int, *, steps: int, warmup_share: float, final_factor: float
) -> float:
    r"""Return the factor :math:`s(t)` for step t = 0 .. steps - 1.

    .. math:: s(t) = f + (1 - f) \min\left(\frac{t+1}{w}, \frac{T-t}{T-w}\right)

    with w warmup steps of T in all and the final factor f: linear up from f, then down to f.

    References:
        Lingle (2024), the schedule of the study. https://arxiv.org/abs/2404.05728

    Example:
        >>> shape = {"steps": 4, "warmup_share": 0.5, "final_factor": 0}
        >>> [linear_warmup_and_decay(step, **shape) for step in range(4)]
        [0.5, 1.0, 1.0, 0.5]
    """
    warmup = round(warmup_share * steps)
    rise = (step + 1) / warmup if warmup else 1.0
    fall = (steps - step) / (steps - warmup) if steps > warmup else 1.0
    return final_factor + (1 - final_factor) * min(rise, fall, 1.0)
