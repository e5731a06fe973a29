"""How a report writes numbers.

x is a learning rate as log2; an octave is a factor of two in learning rate. Text carries the
minus sign (U+2212); a decimal written with an exponent keeps the hyphen, because it is what
people paste into a configuration.
"""

import math
from collections.abc import Callable

from ..statistics.answer import Interval, Optimum, Prediction, Regret

NOTHING = "–"
_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_LARGEST_EXPONENT = 1000.0  # 2**1024 overflows a float


def _minus(text: str) -> str:
    return text.replace("-", "−")


def power_text(x: float, *, digits: int = 1) -> str:
    """Return a learning rate as a power of two; a whole exponent carries no decimals.

    Arguments:
        x: The learning rate as log2.
        digits: Decimals of the exponent.

    Example:
        >>> power_text(-4.81), power_text(-6.0)
        ('2^−4.8', '2^−6')
    """
    if not math.isfinite(x):
        return NOTHING
    whole = abs(x - round(x)) < 1e-9
    return _minus(f"2^{round(x)}" if whole else f"2^{x:.{digits}f}")


def tick_text(exponent: int) -> str:
    """Return a whole power of two as an axis writes it.

    Example:
        >>> tick_text(-12)
        '2⁻¹²'
    """
    return "2" + str(exponent).translate(_SUPERSCRIPT)


def decimal_text(x: float, *, digits: int = 2) -> str:
    """Return an estimated learning rate as a decimal that can be pasted into code.

    Arguments:
        x: The learning rate as log2.
        digits: Significant digits.

    Example:
        >>> decimal_text(-4.81), decimal_text(-20.0), decimal_text(0.0)
        ('0.036', '9.5e-07', '1.0')
    """
    return f"{2.0**x:#.{digits}g}".rstrip(".") if abs(x) < _LARGEST_EXPONENT else NOTHING


def rate_text(x: float | None, *, digits: int = 1, significant: int = 2) -> str:
    """Return a learning rate as a power of two and as a decimal.

    Arguments:
        x: The learning rate as log2, or None where there is none.
        digits: Decimals of the exponent.
        significant: Significant digits of the decimal.

    Example:
        >>> rate_text(-4.81), rate_text(None)
        ('2^−4.8 (0.036)', '–')
    """
    if x is None or not math.isfinite(x):
        return NOTHING
    return f"{power_text(x, digits=digits)} ({decimal_text(x, digits=significant)})"


def log2_of(lr: float) -> float:
    """Return log2 of a learning rate; -inf or +inf where it has no finite logarithm.

    Example:
        >>> log2_of(0.25), log2_of(0.0)
        (-2.0, -inf)
    """
    if lr > 0:
        return math.log2(lr)
    return -math.inf


def loss_text(loss: float) -> str:
    """Return a loss with four significant digits.

    Example:
        >>> loss_text(3.14159), loss_text(4.37), loss_text(1234.4), loss_text(-0.5)
        ('3.142', '4.370', '1234', '−0.5000')
    """
    if not math.isfinite(loss):
        return NOTHING
    mantissa, e, exponent = f"{loss:#.4g}".partition("e")
    return _minus(mantissa.rstrip(".") + e + exponent)


def share_text(share: float) -> str:
    """Return a share as per cent, with about two significant digits.

    Example:
        >>> share_text(0.0031), share_text(0.126), share_text(2.64), share_text(-0.0004)
        ('0.31 %', '12.6 %', '264 %', '−0.04 %')
    """
    if not math.isfinite(share):
        return "∞" if share > 0 else NOTHING
    percent = 100 * share
    size = abs(percent)
    if size >= 1e6:
        return _minus(f"{percent:.1e} %")
    digits = 2 if size < 1 else 1 if size < 100 else 0
    return _minus(f"{round(percent, digits) + 0.0:.{digits}f} %")  # + 0.0: no "−0.00"


def signed_text(number: float) -> str:
    """Return a drift or a difference with its sign and two decimals.

    Example:
        >>> signed_text(0.0312), signed_text(-0.3)
        ('+0.03', '−0.30')
    """
    return _minus(f"{number:+.2f}") if math.isfinite(number) else NOTHING


def range_text(low: str | None, high: str | None) -> str:
    """Return an interval from its two written ends; an end that is None is not known.

    Example:
        >>> range_text("1", "2"), range_text("1", None), range_text(None, "2")
        ('1 to 2', '≥ 1', '≤ 2')
    """
    if low is not None and high is not None:
        return f"{low} to {high}"
    if low is not None:
        return f"≥ {low}"
    return NOTHING if high is None else f"≤ {high}"


def rate_range_text(low: float | None, high: float | None) -> str:
    """Return an interval of learning rates, given as log2, in powers of two and in decimals.

    Example:
        >>> rate_range_text(-7.0, -5.5), rate_range_text(None, -5.5)
        ('2^−7 to 2^−5.5 (0.0078 to 0.022)', '≤ 2^−5.5 (0.022)')
    """
    low, high = (None if end is None or not math.isfinite(end) else end for end in (low, high))
    if low is None or high is None:
        written = [None if end is None else rate_text(end) for end in (low, high)]
        return range_text(*written)
    powers = f"{power_text(low)} to {power_text(high)}"
    return f"{powers} ({decimal_text(low)} to {decimal_text(high)})"


def optimum_text(optimum: Optimum) -> str:
    """Return the learning rate of an optimum: an estimate, a bound, or nothing.

    Example:
        >>> optimum_text(Optimum(256, -6.0, None, -5.0, "edge"))
        '≤ 2^−5 (0.031)'
    """
    if optimum.status == "ok":
        return rate_text(optimum.log2_lr)
    if optimum.status == "none":
        return NOTHING
    if optimum.low is None and optimum.high is None:
        return f"near {rate_text(optimum.log2_lr)}"
    return rate_range_text(optimum.low, optimum.high)


def prediction_range_text(prediction: Prediction) -> str:
    """Return the predictive interval in powers of two and in decimals.

    Example:
        >>> prediction_range_text(Prediction(4096, 0.014, 0.0078125, 0.022, "no bend"))
        '2^−7 to 2^−5.5 (0.0078 to 0.022)'
    """
    return rate_range_text(log2_of(prediction.low), log2_of(prediction.high))


def regret_text(regret: Regret | None) -> str:
    """Return what the carried-over rate costs, with its interval.

    Example:
        >>> regret_text(Regret(1024, True, 0.003, 0.0, 0.008, (0.01, 0.95), 0.01, -6.0, 3.2))
        '0.30 % [0.00 %, 0.80 %]'
    """
    if regret is None:
        return NOTHING
    return f"{share_text(regret.estimate)} {_bracket(regret.low, regret.high, share_text)}".rstrip()


def drift_text(drift: Interval | None) -> str:
    """Return the drift in octaves per doubling, with its interval.

    Example:
        >>> drift_text(Interval(-0.31, -0.45, None))
        '−0.31 [−0.45, ?]'
    """
    if drift is None:
        return NOTHING
    return f"{signed_text(drift.estimate)} {_bracket(drift.low, drift.high, signed_text)}".rstrip()


def _bracket(low: float | None, high: float | None, write: Callable[[float], str]) -> str:
    if low is None and high is None:
        return ""
    ends = ("?" if end is None else write(end) for end in (low, high))
    return f"[{', '.join(ends)}]"
