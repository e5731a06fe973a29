"""The settings of a study where the rules of a parametrization leave a choice."""

from typing import Literal

from pydantic import Field

from ..parametrization.choices import WeightDecay
from ..settings import Count, Positive, Settings, Share

RoleName = Literal["input", "hidden", "output", "vector", "scalar"]


class TunedConfig(Settings):
    """Factors of the learning rate and the initial standard deviation of one role."""

    lr: Positive = 1.0
    init_std: Positive = 1.0


class ParametrizationConfig(Settings):
    """Choices where the rules leave one; the fields are those of `lrtransfer.Choices`."""

    weight_decay: WeightDecay = "decoupled_lr_scaled"
    decay_embeddings: bool = True
    scale_eps: bool = True
    embedding_lr_exponent: float | None = None
    readout_init: Literal["rule", "zero", "sp"] = "rule"
    query_init: Literal["rule", "zero"] = "rule"
    norm_gains: Literal["train", "fix"] = "train"
    attention: Literal["refuse", "accept"] = "refuse"
    base_depth: Count | None = None
    depth_exponent: Share = 1.0
    tuned: dict[RoleName, TunedConfig] = Field(default_factory=dict)
