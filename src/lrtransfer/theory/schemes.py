r"""abc schemes: how multipliers, initial values and learning rates of each layer scale with width.

A layer is :math:`n^{-a} W` with :math:`W_{ij} \sim N(0, n^{-2b})`, times :math:`1/\sqrt d` for the
inputs, and learning rate :math:`\eta\, n^{-c}`. By the exact symmetry of gradient descent only two
numbers per layer matter: its effective weights have standard deviation :math:`n^{-(a+b)}` and
learning rate :math:`\eta\, n^{-(2a+c)}`.

References:
    Yang, Hu (2021). Tensor Programs IV: Feature Learning in Infinite-Width Neural Networks.
    https://arxiv.org/abs/2011.14522
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from ..errors import UserError

ROLES = ("input", "hidden", "output")


@dataclass(frozen=True)
class AbcExponents:
    """Exponents of one role.

    Attributes:
        a: Exponent of the multiplier n^-a.
        b: Exponent of the initial standard deviation n^-b.
        c: Exponent of the learning rate η n^-c.
    """

    a: float = 0.0
    b: float = 0.0
    c: float = 0.0

    @property
    def spread(self) -> float:
        """Exponent s of the effective standard deviation n^-s."""
        return self.a + self.b

    @property
    def speed(self) -> float:
        """Exponent r of the effective learning rate η n^-r."""
        return 2 * self.a + self.c


@dataclass(frozen=True)
class AbcScheme:
    """Exponents of all roles.

    Attributes:
        input: Exponents of W_0 (n, d).
        hidden: Exponents of W_1 … W_L (n, n).
        output: Exponents of V (k, n).
    """

    input: AbcExponents
    hidden: AbcExponents
    output: AbcExponents

    def __getitem__(self, role: str) -> AbcExponents:
        """Return the exponents of a role."""
        row: AbcExponents = getattr(self, role)
        return row


# μP: arXiv 2203.03466, Table 3 for SGD; with hidden layers alone, the setting of arXiv 2511.01734.
ABC_SCHEMES: Mapping[str, AbcScheme] = MappingProxyType({
    "mup": AbcScheme(
        input=AbcExponents(c=-1), hidden=AbcExponents(b=0.5), output=AbcExponents(b=1, c=1)
    ),
    "sp": AbcScheme(input=AbcExponents(), hidden=AbcExponents(b=0.5), output=AbcExponents(b=0.5)),
    "ntp": AbcScheme(input=AbcExponents(), hidden=AbcExponents(a=0.5), output=AbcExponents(a=0.5)),
})


def scheme_of(scheme: str | AbcScheme | Mapping[str, Mapping[str, float]]) -> AbcScheme:
    """Return the scheme of a name or of rows of exponents.

    Arguments:
        scheme: Name, or rows by role such as {"hidden": {"b": 0.5, "c": 1}}; exponents left out
            are 0. A scheme is returned as it is.

    Returns:
        The exponents of all roles.

    Raises:
        UserError: If the name, a role or an exponent is unknown, or a value is no number.

    Example:
        >>> scheme_of("mup").output
        AbcExponents(a=0.0, b=1, c=1)
    """
    if isinstance(scheme, AbcScheme):
        return scheme
    if isinstance(scheme, str):
        if scheme not in ABC_SCHEMES:
            raise UserError(
                f"scheme: got {scheme!r}, wanted one of {', '.join(ABC_SCHEMES)}, or rows of "
                "exponents."
            )
        return ABC_SCHEMES[scheme]
    for role, row in scheme.items():
        if role not in ROLES or not isinstance(row, Mapping) or set(row) - {"a", "b", "c"}:
            raise UserError(
                f"scheme: got {role} = {row!r}, wanted exponents a, b, c for each of "
                f"{', '.join(ROLES)}, such as hidden = {{ a = 0, b = 0.5, c = 0 }}."
            )
        if not all(_is_exponent(x) for x in row.values()):
            raise UserError(f"scheme: got {role} = {row!r}, wanted numbers between -100 and 100.")
    return AbcScheme(**{role: AbcExponents(**scheme.get(role, {})) for role in ROLES})


def _is_exponent(value: Any) -> bool:
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return is_number and bool(abs(value) < 100)
