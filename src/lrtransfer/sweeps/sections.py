"""The sections of a study that say how a run is trained, and which rates are tried."""

import math
import re
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from ..data.configs import (
    DigitsConfig,
    StandardLibraryConfig,
    TextConfig,
    TokensConfig,
    UserBatchesConfig,
)
from ..models.configs import HuggingFaceConfig, MLPConfig, TransformerConfig, UserModelConfig
from ..parametrization.choices import WeightDecay
from ..settings import OBJECT_REFERENCE, AtLeastZero, BelowOne, Count, Positive, Settings, Share

# TOML and JSON know arrays only; their entries stay strict.
Betas = Annotated[tuple[BelowOne, BelowOne], Field(strict=False)]

LOSSES = ("cross-entropy", "squared-error")
RoleName = Literal["input", "hidden", "output", "vector", "scalar"]

FINENESS = 4  # rates that an adaptive design may choose from, per rate of the grid
_SLACK = 1e-9  # so that a rate written as a rounded decimal is the lattice's own


class AdamWConfig(Settings):
    """Set AdamW; `eps` at the base width."""

    family: Literal["adamw"] = "adamw"
    betas: Betas = (0.9, 0.95)
    eps: Positive = 1e-12
    weight_decay: AtLeastZero = 0.0


class AdamConfig(Settings):
    """Set Adam or one of its kin without weight decay, for which there is no rule."""

    family: Literal["adam", "nadam", "adamax"]
    betas: Betas = (0.9, 0.95)
    eps: Positive = 1e-12


class SGDConfig(Settings):
    """Set stochastic gradient descent."""

    family: Literal["sgd"]
    momentum: BelowOne = 0.0
    nesterov: bool = False
    weight_decay: AtLeastZero = 0.0

    @model_validator(mode="after")
    def _require_momentum(self) -> Self:
        if self.nesterov and not self.momentum:
            raise ValueError("got nesterov without momentum, wanted momentum = 0.9 or the like")
        return self


class RMSpropConfig(Settings):
    """Set RMSprop."""

    family: Literal["rmsprop"]
    alpha: BelowOne = 0.99
    eps: Positive = 1e-12
    momentum: BelowOne = 0.0


class AdagradConfig(Settings):
    """Set Adagrad."""

    family: Literal["adagrad"]
    eps: Positive = 1e-12


class MuonConfig(Settings):
    """Set torch's Muon for the hidden matrices; AdamW trains the rest.

    `adjust` says how it scales its steps: `original` (Keller Jordan), `match_rms_adamw` (Kimi).
    `adamw_lr` is the rate of the rest, as a multiple of the learning rate.
    """

    family: Literal["muon"]
    momentum: BelowOne = 0.95
    nesterov: bool = True
    adjust: Literal["original", "match_rms_adamw"] = "original"
    adamw_lr: Positive = 1.0
    betas: Betas = (0.9, 0.95)
    eps: Positive = 1e-12
    weight_decay: AtLeastZero = 0.0


class TrainingConfig(Settings):
    """Set length, batch and learning-rate schedule of every run, and how steps are computed.

    A batch counts sequences (or examples) per step, computed in `accumulate` parts. `decay_share`
    is the share of the steps in which `wsd` decays; `clip` the largest norm of the gradient.
    """

    steps: Count = 100
    batch: Count = 8
    accumulate: Count = 1
    warmup_share: Share = 0.08
    schedule: Literal["linear", "constant", "cosine", "wsd"] = "linear"
    decay_share: Share = 0.2
    final_factor: Share = 1e-4
    clip: Positive | None = None
    precision: Literal["float32", "bfloat16", "float64"] = "float32"
    loss: str = "cross-entropy"

    @model_validator(mode="after")
    def _require_equal_parts(self) -> Self:
        if self.batch % self.accumulate:
            raise ValueError(
                f"got batch = {self.batch} and accumulate = {self.accumulate}, wanted a batch "
                "that divides into equal parts"
            )
        if self.loss not in LOSSES and not re.fullmatch(OBJECT_REFERENCE, self.loss):
            raise ValueError(
                f"got loss = {self.loss!r}, wanted cross-entropy, squared-error or "
                "pkg.module:function"
            )
        return self


class TunedConfig(Settings):
    """Set factors of the learning rate and the initial standard deviation of one role."""

    lr: Positive = 1.0
    init_std: Positive = 1.0


class ParametrizationConfig(Settings):
    """Choose where the rules leave a choice; the fields are those of `lrtransfer.Choices`."""

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


class GridConfig(Settings):
    """Set the learning rates tried first: low to high, `per_octave` rates per factor of two.

    Rates lie on the lattice 2^(k / per_octave), so that grids extended later share their points;
    the grid is the smallest on it that covers low and high.
    """

    low: Positive = 2.0**-9
    high: Positive = 2.0**-3
    per_octave: Annotated[int, Field(ge=1, le=16)] = 1

    def indices(self) -> range:
        """Return the lattice indices k of the first grid."""
        low, high = (math.log2(rate) * self.per_octave for rate in (self.low, self.high))
        return range(math.floor(low + _SLACK), math.ceil(high - _SLACK) + 1)

    def refined(self) -> "GridConfig":
        """Return the same grid on a lattice FINENESS times as dense."""
        return self.model_copy(update={"per_octave": FINENESS * self.per_octave})

    def rate(self, index: int) -> float:
        """Return the learning rate 2^(k / per_octave) of a lattice index."""
        return float(2.0 ** (index / self.per_octave))

    @model_validator(mode="after")
    def _require_points(self) -> Self:
        if len(self.indices()) < 3:
            raise ValueError(
                f"got low={self.low:g} and high={self.high:g}, which hold "
                f"{len(self.indices())} rates, wanted at least 3"
            )
        return self


def _told_by(key: str, default: str, telling: dict[str, str]) -> Discriminator:
    """Return which kind a section is: as `key` says, else as some other key of it tells."""

    def kind(section: Any) -> str:
        if not isinstance(section, dict):
            return str(getattr(section, key, default))
        told = (name for field, name in telling.items() if field in section)
        return str(section.get(key, next(told, default)))

    return Discriminator(kind)


ModelSection = Annotated[
    Annotated[TransformerConfig, Tag("transformer")]
    | Annotated[MLPConfig, Tag("mlp")]
    | Annotated[HuggingFaceConfig, Tag("transformers")]
    | Annotated[UserModelConfig, Tag("own")],
    _told_by("family", "transformer", {"build": "own", "type": "transformers"}),
]
DataSection = Annotated[
    Annotated[StandardLibraryConfig, Tag("python-standard-library")]
    | Annotated[TextConfig, Tag("text")]
    | Annotated[TokensConfig, Tag("tokens")]
    | Annotated[DigitsConfig, Tag("digits")]
    | Annotated[UserBatchesConfig, Tag("own")],
    _told_by("source", "python-standard-library", {"batches": "own"}),
]
OptimizerSection = Annotated[
    Annotated[AdamWConfig, Tag("adamw")]
    | Annotated[AdamConfig, Tag("adam")]
    | Annotated[AdamConfig, Tag("nadam")]
    | Annotated[AdamConfig, Tag("adamax")]
    | Annotated[SGDConfig, Tag("sgd")]
    | Annotated[RMSpropConfig, Tag("rmsprop")]
    | Annotated[AdagradConfig, Tag("adagrad")]
    | Annotated[MuonConfig, Tag("muon")],
    _told_by("family", "adamw", {}),
]

# Where each family of models keeps its number of blocks.
DEPTH = {
    "transformer": "model.depth",
    "mlp": "model.depth",
    "transformers": "model.fields.num_hidden_layers",
    "own": "model.arguments.depth",
}


def named_code(model: Settings, data: Settings, training: TrainingConfig) -> dict[str, str]:
    """Return the user's own code that settings name, by key."""
    named = {}
    if isinstance(model, UserModelConfig):
        named["model.build"] = model.build
    if isinstance(data, UserBatchesConfig):
        named["data.batches"] = data.batches
    if training.loss not in LOSSES:
        named["training.loss"] = training.loss
    return named


def context_of(model: Settings) -> int:
    """Return the tokens of a sequence that a model sees; 1 where it sees no sequences.

    Example:
        >>> context_of(TransformerConfig(context=8)), context_of(MLPConfig())
        (8, 1)
    """
    return int(getattr(model, "context", 1))


def depth_of(model: Settings) -> int | None:
    """Return the number of blocks of a model, where a setting gives it.

    Example:
        >>> depth_of(TransformerConfig(depth=3))
        3
    """
    if isinstance(model, HuggingFaceConfig):
        found: Any = model.fields.get("num_hidden_layers")
    elif isinstance(model, UserModelConfig):
        found = model.arguments.get("depth")
    else:
        found = getattr(model, "depth", None)
    return found if isinstance(found, int) else None


class RunSettings(Settings):
    """Set all that the runs of a study have in common and that determines their results.

    The digests are those of the data and of the user's own code.
    """

    base_width: Count
    study_seed: Annotated[int, Field(ge=0, lt=2**63)]
    model: ModelSection
    data: DataSection
    optimizer: OptimizerSection
    training: TrainingConfig
    parametrization: ParametrizationConfig
    data_digest: str
    code_digest: str

    @property
    def named_code(self) -> dict[str, str]:
        """The user's own code that the settings name, by key."""
        return named_code(self.model, self.data, self.training)
