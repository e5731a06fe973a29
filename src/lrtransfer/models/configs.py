"""The settings of the reference models, apart from their width. Loads no torch."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Activation = Literal["relu", "gelu", "squared_relu"]
Count = Annotated[int, Field(ge=1, lt=2**53)]


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

    def parameters(self, width: int) -> int:
        """Return the number of parameters of the model of a width.

        Example:
            >>> TransformerConfig().parameters(32)
            40960
        """
        rows = 2 * self.vocabulary + (self.context if self.positions == "learned" else 0)
        return rows * width + self.depth * (4 + 2 * self.mlp_factor) * width**2

    def training_flops(self, width: int) -> float:
        r"""Return the floating-point operations of training on one token.

        .. math:: 6\,\big(L (4 + 2f)\, n^2 + V n\big) + 12\, L\, T\, n

        for depth L, MLP factor f, vocabulary V and context T: two per weight forward, four
        backward; the second term is that of the attention scores (arXiv 2204.02311, appendix B).

        Example:
            >>> TransformerConfig().training_flops(32)
            245760.0
        """
        weights = self.depth * (4 + 2 * self.mlp_factor) * width**2 + self.vocabulary * width
        return 6.0 * weights + 12.0 * self.depth * self.context * width


class MLPConfig(ModelConfig):
    """Set the shape of an MLP; `depth` counts the hidden width x width matrices."""

    inputs: Count
    outputs: Count
    depth: Annotated[int, Field(ge=0)] = 2
    linear: bool = False
