"""When an adaptive design stops: what it is to reach, and what it may spend."""

import math
import re
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class StoppingRule:
    """What an adaptive design is to reach.

    Attributes:
        kind: `regret`: when the verdicts at this tolerance are settled; `octaves`: when the rates
            predicted for the target are known to so many octaves either way.
        value: The tolerance, or the octaves.
    """

    kind: Literal["regret", "octaves"]
    value: float


@dataclass(frozen=True)
class Budget:
    """What an adaptive design may spend.

    Attributes:
        amount: How many units.
        unit: `runs`, or `flops`: floating-point operations of training.
    """

    amount: float
    unit: Literal["runs", "flops"]


def read_stopping_rule(text: str) -> StoppingRule:
    """Read `regret=0.01` or `octaves=0.5`.

    Raises:
        ValueError: If it is neither, or the number makes no sense.

    Example:
        >>> read_stopping_rule("octaves=0.5")
        StoppingRule(kind='octaves', value=0.5)
    """
    kind, _, number = text.partition("=")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if kind == "regret" and 0 < value < 1:
        return StoppingRule("regret", value)
    if kind == "octaves" and 0 < value < math.inf:
        return StoppingRule("octaves", value)
    raise ValueError(
        f"stopping_rule: got {text!r}, wanted regret=SHARE, such as regret=0.01, or octaves=NUMBER"
    )


def read_budget(value: int | str) -> Budget:
    """Read a number of runs, or of floating-point operations such as `2e15 flops`.

    Raises:
        ValueError: If it is neither.

    Example:
        >>> read_budget(48), read_budget("2e15 flops")
        (Budget(amount=48.0, unit='runs'), Budget(amount=2000000000000000.0, unit='flops'))
    """
    match = re.fullmatch(r"\s*([0-9.]+(?:e[+-]?[0-9]+)?)\s*(runs|flops)?\s*", str(value).lower())
    try:
        amount = float(match[1]) if match else math.nan
    except ValueError:
        amount = math.nan
    if match and 0 < amount < math.inf:
        return Budget(amount, "flops" if match[2] == "flops" else "runs")
    raise ValueError(f"budget: got {value!r}, wanted runs, such as 48, or '2e15 flops'")
