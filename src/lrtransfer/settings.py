"""Types that all settings share: a wrong key or value is an error. Loads no torch."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field

Count = Annotated[int, Field(ge=1, lt=2**53)]
Positive = Annotated[float, Field(gt=0)]
AtLeastZero = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
BelowOne = Annotated[float, Field(ge=0, lt=1)]
# An object in the user's code, such as pkg.module:build (an object reference of Python packaging).
OBJECT_REFERENCE = r"^[A-Za-z_]\w*(\.\w+)*:\w+(\.\w+)*$"
ObjectReference = Annotated[str, Field(pattern=OBJECT_REFERENCE)]


def _require_name(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise ValueError(f"got {value!r}, wanted a name: printable text")
    return value


# What people call something, on a terminal, too: no line ends, no control characters.
Name = Annotated[str, Field(max_length=100), AfterValidator(_require_name)]


def _require_finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        for inner in value.values():
            _require_finite(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _require_finite(inner)
    elif not isinstance(value, bool | int | float | str | None):
        raise ValueError(f"got {value!r}, wanted text, numbers, truth values, or lists of these")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"got {value!r}, wanted a finite number")
    return value


# A value passed on to code outside this package: anything that JSON can represent.
JsonValue = Annotated[Any, AfterValidator(_require_finite)]


@dataclass(frozen=True)
class Option:
    """Option of `lrtransfer tune` that sets the field which it annotates.

    Attributes:
        help: What the field means; also its description in the JSON schema.
        metavar: What stands for the value in the help; empty where the field's type says it.
        name: Name of the option; empty if it is the field's.
        aliases: Other spellings.
    """

    help: str
    metavar: str = ""
    name: str = ""
    aliases: tuple[str, ...] = ()

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Any) -> dict[str, Any]:
        """Return the field's schema, described."""
        return {**handler(core_schema), "description": self.help}


class Settings(BaseModel):
    """Frozen settings; unknown keys and values of another type than the field's are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def discriminate_by(key: str, default: str, keys_of_kinds: Mapping[str, str]) -> Discriminator:
    """Return what tells pydantic the kind of a section: `key`, else another key that it holds.

    Arguments:
        key: Key that names the kind.
        default: Kind of a section with none of these keys.
        keys_of_kinds: The kind that the presence of another key implies.
    """

    def kind(section: Any) -> str:
        if not isinstance(section, dict):
            return str(getattr(section, key, default))
        implied = (name for field, name in keys_of_kinds.items() if field in section)
        return str(section.get(key, next(implied, default)))

    return Discriminator(kind)
