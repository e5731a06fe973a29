"""The settings of a study where the rules of a parametrization leave a choice."""

from typing import Literal

from pydantic import Field

from ..parametrization.choices import Choices, WeightDecay
from ..settings import Count, Positive, Settings, Share

_DEFAULT = Choices()

RoleName = Literal["input", "hidden", "output", "vector", "scalar"]


class TunedConfig(Settings):
    """Factors of the learning rate and the initial standard deviation of one role."""

    lr: Positive = 1.0
    init_std: Positive = 1.0


class ParametrizationConfig(Settings):
    """Choices where the rules leave one; the fields are those of `lrtransfer.Choices`."""

    weight_decay: WeightDecay = _DEFAULT.weight_decay
    decay_embeddings: bool = _DEFAULT.decay_embeddings
    scale_eps: bool = _DEFAULT.scale_eps
    embedding_lr_exponent: float | None = _DEFAULT.embedding_lr_exponent
    readout_init: Literal["rule", "zero", "sp"] = _DEFAULT.readout_init
    query_init: Literal["rule", "zero"] = _DEFAULT.query_init
    norm_gains: Literal["train", "fix"] = _DEFAULT.norm_gains
    attention: Literal["refuse", "accept"] = _DEFAULT.attention
    base_depth: Count | None = _DEFAULT.base_depth
    depth_exponent: Share = _DEFAULT.depth_exponent
    tuned: dict[RoleName, TunedConfig] = Field(default_factory=dict)
