"""Types that all settings share: a wrong key or value is an error. Loads no torch."""

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1, lt=2**53)]
Positive = Annotated[float, Field(gt=0)]
AtLeastZero = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
BelowOne = Annotated[float, Field(ge=0, lt=1)]
# An object in the user's code, such as pkg.module:build (an object reference of Python packaging).
OBJECT_REFERENCE = r"^[A-Za-z_]\w*(\.\w+)*:\w+(\.\w+)*$"
ObjectReference = Annotated[str, Field(pattern=OBJECT_REFERENCE)]


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        for inner in value.values():
            _finite(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _finite(inner)
    elif not isinstance(value, bool | int | float | str | None):
        raise ValueError(f"got {value!r}, wanted text, numbers, truth values, or lists of these")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"got {value!r}, wanted a finite number")
    return value


# A value passed on to code outside this package: anything that JSON can represent.
JsonValue = Annotated[Any, AfterValidator(_finite)]


class Settings(BaseModel):
    """Frozen settings; unknown keys and values of another type than the field's are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
