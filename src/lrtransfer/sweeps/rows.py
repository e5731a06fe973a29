"""What a row of a store says of a run, checked value by value.

A checksum says that a row is as it was written, not that this program wrote it.
"""

import json
import math
from collections.abc import Mapping
from typing import Any, cast, get_args

from ..runs.result import Provenance
from ..training.outcome import Outcome, Status

_STATUSES = get_args(Status)


def read_outcome(text: str) -> Outcome:
    """Return the outcome that a row holds as JSON.

    Raises:
        ValueError: If the text is anything else; it says what is wrong.

    Example:
        >>> read_outcome('{"curve":[2.5],"loss":2.0,"status":"finished"}')
        Outcome(status='finished', loss=2.0, curve=(2.5,))
        >>> read_outcome('{"curve":[],"loss":"2.0","status":"finished"}')
        Traceback (most recent call last):
        ValueError: loss '2.0' is no number
    """
    values = _read_object(text)
    status, loss, curve = (values.get(key) for key in ("status", "loss", "curve"))
    if not isinstance(status, str) or status not in _STATUSES:
        raise ValueError(f"status {status!r} is none of {', '.join(_STATUSES)}")
    if loss is None and status == "finished":
        raise ValueError("a finished run has no loss")
    if not isinstance(curve, list):
        raise ValueError(f"curve {curve!r:.40} is no list")
    numbers = tuple(_read_number("curve", value) for value in curve)
    known = cast("Status", status)
    return Outcome(known, None if loss is None else _read_number("loss", loss), numbers)


def read_provenance(text: str) -> Provenance:
    """Return how a run was made, from the JSON that a row holds.

    Raises:
        ValueError: If the text is anything else; it says what is wrong.
    """
    values = _read_object(text)
    if not isinstance(values.get("engine"), str):
        raise ValueError("no engine is named")
    _read_number("seconds", values.get("seconds"))
    parameters = values.get("parameters")
    if parameters is not None and type(parameters) is not int:
        raise ValueError(f"parameters {parameters!r:.40} is no whole number")
    for key in ("processor", "python", "torch"):
        if not isinstance(values.get(key), str | None):
            raise ValueError(f"{key} {values[key]!r:.40} is no text")
    return Provenance.from_document(values)


def _read_object(text: str) -> Mapping[str, Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{text[:40]!r} is no object")
    return values


def _read_number(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{key} {value!r:.40} is no number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{key} {number!r} is not finite")
    return number
