"""What all settings have in common: a wrong key or value is an error. Loads no torch."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1, lt=2**53)]
Positive = Annotated[float, Field(gt=0)]
AtLeastZero = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
BelowOne = Annotated[float, Field(ge=0, lt=1)]
# An object of the user's own code.
Named = Annotated[str, Field(pattern=r"^\w+(\.\w+)*:\w+(\.\w+)*$")]


class Settings(BaseModel):
    """Refuse unknown keys, and values of another type than the field's."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
