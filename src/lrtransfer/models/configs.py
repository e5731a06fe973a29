"""Settings of models, except their width. Loads no torch."""

from typing import Annotated, Any, Literal

from pydantic import Field

from ..errors import ConfigError
from ..settings import Count, JsonValue, ObjectReference, Settings

Activation = Literal["relu", "gelu", "squared_relu"]


class TransformerConfig(Settings):
    """Settings of the built-in decoder transformer."""

    family: Literal["transformer"] = "transformer"
    vocabulary: Annotated[int, Field(ge=2)] = 256
    context: Count = 64
    depth: Count = 2
    head_width: Annotated[int, Field(ge=2, multiple_of=2)] = 16
    mlp_factor: Count = 4
    positions: Literal["rotary", "learned"] = "rotary"
    activation: Activation = "relu"
    norm_eps: Annotated[float, Field(gt=0)] = 1e-5

    def parameters(self, width: int) -> int:
        """Return the number of parameters at a width n.

        Example:
            >>> TransformerConfig().parameters(32)
            40960
        """
        rows = 2 * self.vocabulary + (self.context if self.positions == "learned" else 0)
        return rows * width + self.depth * (4 + 2 * self.mlp_factor) * width**2

    def training_flops(self, width: int) -> float:
        r"""Return the floating-point operations of training on one token at a width n.

        .. math:: 6\,\big(L (4 + 2f)\, n^2 + V n\big) + 12\, L\, T\, n

        for depth L, MLP factor f, vocabulary V and context T: two per weight forward, four
        backward; the second term counts the attention scores.

        References:
            Chowdhery et al. (2022). PaLM: Scaling Language Modeling with Pathways, appendix B.
            https://arxiv.org/abs/2204.02311

        Example:
            >>> TransformerConfig().training_flops(32)
            245760.0
        """
        weights = self.depth * (4 + 2 * self.mlp_factor) * width**2 + self.vocabulary * width
        return 6.0 * weights + 12.0 * self.depth * self.context * width


class MLPConfig(Settings):
    """Settings of an MLP; `depth` counts the hidden width x width matrices.

    By default inputs and outputs fit scikit-learn's digits.
    """

    family: Literal["mlp"] = "mlp"
    inputs: Count = 64
    outputs: Count = 10
    depth: Annotated[int, Field(ge=0)] = 2
    linear: bool = False


class HuggingFaceConfig(Settings):
    """Settings of a causal language model of `transformers`.

    `fields` are fields of its configuration at the base width. The first field in `scales` is the
    width; the others grow in proportion to it.
    """

    family: Literal["transformers"] = "transformers"
    type: Annotated[str, Field(min_length=1)]
    scales: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    fields: dict[str, JsonValue] = Field(default_factory=dict)
    context: Count = 64

    def fields_at(self, width: int, *, base_width: int) -> dict[str, Any]:
        """Return the fields of the configuration at a width.

        Arguments:
            width: Value of the first field in `scales`.
            base_width: Width at which `fields` hold.

        Raises:
            ConfigError: If a field in `scales` is missing, or is not whole at this width.

        Example:
            >>> config = HuggingFaceConfig(
            ...     type="llama", scales=("hidden_size", "num_attention_heads"),
            ...     fields={"num_attention_heads": 4},
            ... )
            >>> config.fields_at(128, base_width=64)
            {'num_attention_heads': 8, 'hidden_size': 128}
        """
        name, *others = self.scales
        value = self.fields.get(name, base_width)
        if value != base_width:
            raise ConfigError(
                f"model.fields.{name}: got {value!r}, wanted the base width, {base_width}, or "
                "nothing."
            )
        scaled = {other: self._scale(other, width, base_width) for other in others}
        return self.fields | scaled | {name: width}

    def _scale(self, name: str, width: int, base_width: int) -> int:
        value = self.fields.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise ConfigError(
                f"model.fields.{name}: got {value!r}, wanted its whole number at the base width, "
                f"{base_width}: it is among model.scales."
            )
        whole, rest = divmod(value * width, base_width)
        if rest:
            raise ConfigError(
                f"model.fields.{name}: got {value} at the base width {base_width}, which is not "
                f"whole in proportion at width {width}, wanted a multiple, or other widths."
            )
        return whole


class UserModelConfig(Settings):
    """Settings of the user's model: a function called as `build(width, **arguments)`."""

    family: Literal["own"] = "own"
    build: ObjectReference
    arguments: dict[str, JsonValue] = Field(default_factory=dict)
    context: Count = 64
