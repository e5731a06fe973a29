"""The settings of the reference models, apart from their width. Loads no torch."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Activation = Literal["relu", "gelu", "squared_relu"]
Count = Annotated[int, Field(ge=1)]


class ModelConfig(BaseModel):
    """Refuse unknown keys, and values of another type than the field's."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class TransformerConfig(ModelConfig):
    """Set everything about the decoder transformer except its width."""

    vocabulary: Annotated[int, Field(ge=2)] = 256
    context: Count = 64
    depth: Count = 2
    head_width: Annotated[int, Field(ge=2, multiple_of=2)] = 16
    mlp_factor: Count = 4
    positions: Literal["rotary", "learned"] = "rotary"
    activation: Activation = "relu"
    norm_eps: Annotated[float, Field(gt=0)] = 1e-5


class MLPConfig(ModelConfig):
    """Set the shape of an MLP; `depth` counts the hidden width x width matrices."""

    inputs: Count
    outputs: Count
    depth: Annotated[int, Field(ge=0)] = 2
    linear: bool = False
