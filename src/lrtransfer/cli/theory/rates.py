"""Learning rates as written on the command line."""

import math
from typing import TYPE_CHECKING

from ...errors import UserError
from ..options import read_list, read_number, read_whole

if TYPE_CHECKING:
    from ...scaling import FloatArray


_MOST = 100_000  # rates of one range


def read_rates(text: str) -> "FloatArray":
    """Return rates between commas, or those of a range LOW:HIGH:COUNT at equal distances.

    Negative rates are legal: the loss is a polynomial in the rate.

    Raises:
        UserError: If one is no finite number, or the range is malformed or too long.

    Example:
        >>> read_rates("0.1,2^-1").tolist(), read_rates("0:1:3").tolist()
        ([0.1, 0.5], [0.0, 0.5, 1.0])
    """
    import numpy as np

    rates = _read_range(text) if ":" in text else np.array(read_list("lrs", text, read_number))
    if not np.isfinite(rates).all():
        raise UserError(f"lrs: got {text!r}, wanted finite numbers, such as 0.1,0.2,2^-3.")
    return rates


def read_interval(text: str) -> tuple[float, float]:
    """Return the ends of an interval of rates, written a,b.

    Raises:
        UserError: If it is malformed, reversed or not positive.
    """
    ends = read_list("interval", text, read_number)
    if len(ends) != 2 or not 0 <= ends[0] < ends[1] < math.inf:
        raise UserError(f"interval: got {text!r}, wanted a,b with 0 <= a < b, such as 0,2.")
    return ends[0], ends[1]


def _read_range(text: str) -> "FloatArray":
    import numpy as np

    parts = text.split(":")
    if len(parts) != 3:
        raise UserError(f"lrs: got {text!r}, wanted LOW:HIGH:COUNT, such as 0:1:41.")
    low, high = (read_number("lrs", part) for part in parts[:2])
    count = read_whole("lrs", parts[2], least=2)
    if not low < high or count > _MOST:
        raise UserError(
            f"lrs: got {text!r}, wanted LOW:HIGH:COUNT with LOW < HIGH and at most {_MOST:,} rates."
        )
    return np.linspace(low, high, count)
