"""How quantities and intervals are written for people: on a terminal, on the page, in a notebook.

x is a learning rate as log2; an octave is a factor of two in learning rate. Every interval stands
in brackets after its estimate and names its level, as in `+0.01 (95 % CI −0.31 to 0.33)`. Numbers
carry the minus sign (U+2212); powers of two and exponents keep the hyphen, because they are what
people paste into a configuration or a command.
"""

import math
from typing import Protocol

from ..statistics.answer import Comparison, Interval, Optimum, Prediction, Regret
from ..statistics.axis import Axis
from ..statistics.notation import format_percent, format_power

NOTHING = "–"
LOSS_UNIT = "in units of the loss"  # of losses whose unit we do not know
_LARGEST_EXPONENT = 1000.0  # 2**1024 overflows a float
_SMALLEST_AMOUNT = 5e-5  # smaller ones are written with an exponent


class _Write(Protocol):
    def __call__(self, number: float, /, *, signed: bool = False) -> str: ...


def _set_minus(text: str) -> str:
    return text.replace("-", "−")


def format_decimal(x: float, *, tried: bool = False) -> str:
    """Return a learning rate as a decimal that can be pasted into code.

    Arguments:
        x: The learning rate as log2.
        tried: Whether runs were made at it; else it is an estimate, of three significant digits.

    Example:
        >>> format_decimal(-4.81), format_decimal(-20.0), format_decimal(0.0)
        ('0.0356', '9.54e-07', '1.00')
        >>> format_decimal(-3.0, tried=True)
        '0.125'
    """
    if abs(x) >= _LARGEST_EXPONENT:
        return NOTHING
    return f"{2.0**x:.4g}" if tried else f"{2.0**x:#.3g}".rstrip(".")


def format_rate(x: float | None, *, tried: bool = False) -> str:
    """Return a learning rate as a decimal and as a power of two.

    Arguments:
        x: The learning rate as log2, or None where there is none.
        tried: Whether runs were made at it.

    Example:
        >>> format_rate(-4.81), format_rate(None)
        ('0.0356 = 2^-4.81', '–')
    """
    if x is None or not math.isfinite(x):
        return NOTHING
    decimal = format_decimal(x, tried=tried)
    return format_power(x) if decimal == NOTHING else f"{decimal} = {format_power(x)}"


def compute_log2(lr: float) -> float:
    """Return log2 of a learning rate; -inf where it has no logarithm.

    Example:
        >>> compute_log2(0.25), compute_log2(0.0)
        (-2.0, -inf)
    """
    return math.log2(lr) if lr > 0 else -math.inf


def format_loss(loss: float) -> str:
    """Return a loss with four significant digits.

    Example:
        >>> format_loss(3.14159), format_loss(4.37), format_loss(1234.4), format_loss(-0.5)
        ('3.142', '4.370', '1234', '−0.5000')
    """
    if not math.isfinite(loss):
        return NOTHING
    mantissa, e, exponent = f"{loss:#.4g}".partition("e")
    return _set_minus(mantissa.rstrip(".")) + e + exponent


def format_amount(amount: float, *, signed: bool = False) -> str:
    """Return a difference of losses with two significant digits, and at most four decimals.

    Example:
        >>> format_amount(9.77e-5), format_amount(0.1046), format_amount(-0.0726, signed=True)
        ('0.0001', '0.10', '−0.073')
        >>> format_amount(2e-9), format_amount(0.0), format_amount(0.00945, signed=True)
        ('2.0e-09', '0', '+0.0095')
    """
    size, sign = abs(amount), "+" if signed else ""
    if not math.isfinite(size):
        return NOTHING
    if size == 0:
        return "0"
    if size < _SMALLEST_AMOUNT or size >= 1e6:
        mantissa, e, exponent = f"{amount:{sign}.1e}".partition("e")
        return _set_minus(mantissa) + e + exponent
    digits = min(4, max(0, 1 - math.floor(math.log10(size))))
    return _set_minus(f"{amount:{sign}.{digits}f}")


def format_share(share: float) -> str:
    """Return a share as per cent.

    Example:
        >>> format_share(4e-5), format_share(0.126), format_share(2.64), format_share(-0.0004)
        ('0.004 %', '12.6 %', '264 %', '−0.04 %')
    """
    if not math.isfinite(share):
        return "∞" if share > 0 else NOTHING
    return _set_minus(format_percent(share))


def format_slope(number: float, *, signed: bool = False) -> str:
    """Return a slope, or an end of its interval, with two decimals.

    Example:
        >>> format_slope(0.0312, signed=True), format_slope(-0.3), format_slope(-0.001)
        ('+0.03', '−0.30', '0.00')
    """
    if not math.isfinite(number):
        return NOTHING
    return _set_minus(f"{round(number, 2) + 0.0:{'+' if signed else ''}.2f}")


def format_range(low: str | None, high: str | None) -> str:
    """Return an interval from its two written ends; an end that is None is not known.

    Example:
        >>> format_range("1", "2"), format_range("1", None), format_range(None, "2")
        ('1 to 2', '≥ 1', '≤ 2')
    """
    if low is not None and high is not None:
        return f"{low} to {high}"
    if low is not None:
        return f"≥ {low}"
    return NOTHING if high is None else f"≤ {high}"


def format_rate_range(low: float | None, high: float | None) -> str:
    """Return an interval of learning rates, given as log2, in decimals.

    Example:
        >>> format_rate_range(-7.0, -5.5), format_rate_range(None, -5.5)
        ('0.00781 to 0.0221', '≤ 0.0221')
    """
    ends = (None if end is None or not math.isfinite(end) else end for end in (low, high))
    return format_range(*(None if end is None else format_decimal(end) for end in ends))


def format_interval(interval: str, *, level: float = 0.95, kind: str = "") -> str:
    """Return a written interval in brackets, with its level.

    Arguments:
        interval: The interval, as `format_range` writes it.
        level: Its level.
        kind: What stands before the level, such as "simultaneous ".

    Example:
        >>> format_interval("1 to 2"), format_interval("1 to 2", level=0.994)
        ('(95 % CI 1 to 2)', '(99.4 % CI 1 to 2)')
    """
    return f"({kind}{100 * level:.3g} % CI {interval})"


def format_optimum(optimum: Optimum) -> str:
    """Return the learning rate of an optimum: an estimate, a bound, or nothing.

    Example:
        >>> format_optimum(Optimum(size=256, log2_lr=-6.0, low=None, high=-5.0, status="edge"))
        '≤ 0.0312 = 2^-5'
    """
    if optimum.status == "ok":
        return format_rate(optimum.log2_lr)
    if optimum.status == "none":
        return NOTHING
    if optimum.low is None and optimum.high is None:
        return f"near {format_rate(optimum.log2_lr)}"
    low, high = (None if end is None else format_rate(end) for end in (optimum.low, optimum.high))
    return format_range(low, high)


def format_optimum_range(optimum: Optimum) -> str:
    """Return the 95 % interval of an optimum; of a bound there is none.

    Example:
        >>> format_optimum_range(Optimum(size=256, log2_lr=-6.0, low=-7.0, high=-5.0, status="ok"))
        '0.00781 to 0.0312'
    """
    return format_rate_range(optimum.low, optimum.high) if optimum.status == "ok" else NOTHING


def format_prediction_range(prediction: Prediction) -> str:
    """Return the 95 % predictive interval.

    Example:
        >>> prediction = Prediction(size=4096, lr=0.014, middle=0.014, low=2**-7, high=0.022,
        ...                         assumption="")
        >>> format_prediction_range(prediction)
        '0.00781 to 0.0220'
    """
    return format_rate_range(compute_log2(prediction.low), compute_log2(prediction.high))


def format_prediction(prediction: Prediction) -> str:
    """Return the learning rate for the target with its predictive interval.

    Example:
        >>> prediction = Prediction(size=4096, lr=0.014, middle=0.014, low=2**-7, high=0.022,
        ...                         assumption="")
        >>> format_prediction(prediction)
        '0.0140 = 2^-6.16 (95 % CI 0.00781 to 0.0220)'
    """
    rate = format_rate(compute_log2(prediction.lr))
    return f"{rate} {format_interval(format_prediction_range(prediction))}"


def format_regret(regret: Regret, *, unit: str) -> str:
    """Return what the rate used costs: a share of the best loss, its interval, and an amount.

    Arguments:
        regret: The regret.
        unit: Unit of the loss, such as "nats".

    Example:
        >>> regret = Regret(size=128, measured=True, estimate=4e-5, low=0.0, high=0.0011,
        ...                 tolerance=0.01, log2_lr=-6.0, best_loss=2.4)
        >>> format_regret(regret, unit="nats")
        '0.004 % of the best loss (94 % CI 0 to 0.11 %), that is 0.0001 nats'
    """
    written = f"{format_cost(regret, regret.estimate, unit=unit)} {_format_regret_interval(regret)}"
    if regret.in_loss_units:
        return written
    return f"{written}, that is {format_amount(regret.amount)} {unit}"


def format_cost(regret: Regret, number: float, *, unit: str) -> str:
    """Return one of the numbers of a regret: a share of the best loss, or an amount of loss.

    Arguments:
        regret: The regret, which says which of the two it is.
        number: Its estimate, or its tolerance.
        unit: Unit of the loss, such as "nats".

    Example:
        >>> regret = Regret(size=128, measured=True, estimate=0.031, low=0.0, high=0.05,
        ...                 tolerance=0.02, log2_lr=-6.0, best_loss=-1.0, in_loss_units=True)
        >>> format_cost(regret, regret.tolerance, unit="nats")
        '0.020 nats'
    """
    if regret.in_loss_units:
        return f"{format_amount(number)} {unit}"
    return f"{format_share(number)} of the best loss"


def _format_regret_interval(regret: Regret) -> str:
    """Write the interval with the level that its quantiles give it."""
    if regret.high is None and not regret.low:
        return "(not bounded above)"
    write = format_amount if regret.in_loss_units else format_share
    low, high = (None if end is None else write(end) for end in (regret.low, regret.high))
    if low is not None and high is not None:
        low = low.removesuffix(" %")
    level = 1 if high is None else regret.high_quantile
    level -= 0 if low is None else regret.low_quantile
    return format_interval(format_range(low, high), level=level)


def format_drift(drift: Interval, axis: Axis) -> str:
    """Return the drift of the optimum with its interval.

    Arguments:
        drift: The slope of x* over log2 size.
        axis: What is varied.

    Example:
        >>> from ..statistics.axis import AXES
        >>> format_drift(Interval(0.0123, -0.31, 0.33), AXES["width"])
        '+0.01 octaves per doubling of width (95 % CI −0.31 to 0.33)'
    """
    return _format_estimate(drift, format_slope, f" octaves per doubling of {axis.name}")


def format_scatter(scatter: float) -> str:
    """Return how far optima scatter about their line beyond what their intervals explain.

    Arguments:
        scatter: Standard deviation of what is left, in octaves.

    Example:
        >>> format_scatter(0.123)
        'optima scatter about a straight line by 0.12 octaves more than their intervals explain'
        >>> format_scatter(0.0)
        'optima scatter about a straight line no more than their intervals explain'
    """
    amount = f"by {scatter:.2f} octaves more" if scatter >= 0.005 else "no more"
    return f"optima scatter about a straight line {amount} than their intervals explain"


def format_comparison(comparison: Comparison, axis: Axis, *, unit: str) -> str:
    """Return how a scheme differs from the reference, where the runs tell.

    Arguments:
        comparison: The differences.
        axis: What is varied.
        unit: Unit of the loss.

    Example:
        >>> from ..statistics.axis import AXES
        >>> comparison = Comparison(scheme="sp", reference="mup", size=128, regret=None,
        ...                         drift=Interval(-0.92, -1.9, 0.0586), best_loss=None)
        >>> format_comparison(comparison, AXES["width"], unit="nats")
        ... # doctest: +NORMALIZE_WHITESPACE
        'sp − mup: drift −0.92 octaves per doubling of width
        (simultaneous 95 % CI −1.90 to 0.06)'
    """
    at = f"at {axis.name} {comparison.size}"
    regret_form: tuple[_Write, str] = (_format_points, " percentage points")
    if comparison.in_loss_units:
        regret_form = (format_amount, f" {unit}")
    differences = (
        ("drift", comparison.drift, format_slope, f" octaves per doubling of {axis.name}"),
        (f"regret {at}", comparison.regret, *regret_form),
        (f"best loss {at}", comparison.best_loss, format_amount, f" {unit}"),
    )
    written = [
        f"{what} {_format_estimate(interval, write, unit, kind='simultaneous ')}"
        for what, interval, write, unit in differences
        if interval is not None
    ]
    names = f"{comparison.scheme} − {comparison.reference}"
    return f"{names}: {'; '.join(written) or 'these runs do not tell'}"


def _format_points(share: float, *, signed: bool = False) -> str:
    """Write a difference of shares in percentage points."""
    return format_slope(100 * share, signed=signed)


def _format_estimate(interval: Interval, write: _Write, unit: str, *, kind: str = "") -> str:
    """Write an estimate with its sign and unit, then its interval."""
    ends = (None if end is None else write(end) for end in (interval.low, interval.high))
    written = format_interval(format_range(*ends), kind=kind)
    return f"{write(interval.estimate, signed=True)}{unit} {written}"
