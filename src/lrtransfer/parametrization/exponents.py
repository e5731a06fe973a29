"""Schemes given by exponents of width, as the abc-parametrizations of the literature are."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import ParametrizationError
from .powers import Power
from .rules import PowersByRole, Role, Scheme, powers_by_role

Rows = Mapping[str, Mapping[str, float]]

STEEPEST_POWER = 10  # exponent: a factor of 64 in width is 1e18 then


def make_abc_scheme(rows: Rows) -> Scheme:
    """Return the scheme with these exponents: multiplier n^-a, standard deviation n^-b, rate n^-c.

    n is the ratio of the side that grows: fan_in where it does, else fan_out. The rates c are those
    of the optimizer that the recipe is made for.

    Arguments:
        rows: By role, such as {"hidden": {"a": 0, "b": 0.5, "c": 1}}; what is left out is 0.

    Raises:
        ParametrizationError: If a role or an exponent is unknown or no number of a sensible size,
            or a vector has a multiplier.

    Example:
        >>> make_abc_scheme({"hidden": {"b": 0.5, "c": 1}}).lr[Role.HIDDEN]
        Power(fan_in=-1, fan_out=0.0, larger=0.0)
    """
    _check_rows(rows)
    if rows.get(Role.VECTOR, {}).get("a", 0):
        raise ParametrizationError(
            "scheme: got a multiplier for vectors, wanted a = 0: no module offers a place for a "
            "multiplier of its bias alone. By the symmetry, b - a and a rate moved with it do the "
            "same."
        )

    def powers(exponent: str) -> PowersByRole:
        values = {role: -rows.get(role, {}).get(exponent, 0.0) for role in Role}
        return powers_by_role(
            input=Power(fan_out=values[Role.INPUT]),
            hidden=Power(fan_in=values[Role.HIDDEN]),
            output=Power(fan_in=values[Role.OUTPUT]),
            vector=Power(fan_out=values[Role.VECTOR]),
        )

    output = rows.get(Role.OUTPUT, {})
    return Scheme(
        init_std=powers("b"),
        multiplier=powers("a"),
        lr=powers("c"),
        readout=output.get("a", 0.0) + output.get("b", 0.0),
        source="exponents given",
    )


def _check_rows(rows: Rows) -> None:
    if unknown := set(rows) - set(Role):
        raise ParametrizationError(
            f"scheme: got rows for {sorted(map(str, unknown))}, wanted roles: {', '.join(Role)}."
        )
    if not rows:
        raise ParametrizationError(
            "scheme: got no exponents, wanted a row of them for a role, such as hidden = { a = 0, "
            "b = 0.5, c = 1 }."
        )
    for role, row in rows.items():
        if not isinstance(row, Mapping):
            raise ParametrizationError(
                f"scheme: got {role} = {row!r}, wanted exponents for it, such as "
                f"{role} = {{ a = 0, b = 0.5, c = 1 }}."
            )
        if unknown := set(row) - {"a", "b", "c"}:
            raise ParametrizationError(
                f"scheme: got {sorted(map(str, unknown))} for {role}, wanted the exponents a "
                "(multiplier), b (standard deviation) and c (learning rate)."
            )
        for name, value in row.items():
            if not _is_exponent(value):
                raise ParametrizationError(
                    f"scheme: got {role}.{name} = {value!r}, wanted a number between "
                    f"{-STEEPEST_POWER} and {STEEPEST_POWER}, without quotes."
                )


def _is_exponent(value: Any) -> bool:
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return is_number and bool(abs(value) <= STEEPEST_POWER)
