"""Learning rates and shares as people read them."""

import math


def format_power(log2_lr: float) -> str:
    """Return a learning rate as a power of two.

    Example:
        >>> format_power(-6.0), format_power(-6.283), format_power(-0.001)
        ('2^-6', '2^-6.28', '2^0')
    """
    return "2^" + f"{round(log2_lr, 2) + 0.0:.2f}".rstrip("0").rstrip(".")  # never 2^-0


def format_percent(share: float) -> str:
    """Return a share as a percentage of three digits for people, no finer than 0.0001 %.

    Example:
        >>> format_percent(0.01), format_percent(0.00123), format_percent(0.0000401)
        ('1 %', '0.123 %', '0.004 %')
        >>> format_percent(2.3), format_percent(378.1277)
        ('230 %', '37,800 %')
    """
    value = 100 * share
    digits = min(4, 2 - math.floor(math.log10(abs(value)))) if value else 0
    text = f"{round(value, digits) + 0.0:,.{max(digits, 0)}f}"  # never -0 %
    return (text.rstrip("0").rstrip(".") if "." in text else text) + " %"
