"""The settings of optimizers; `eps` and `weight_decay` are those at the base width."""

from typing import Annotated, Literal, Self

from pydantic import Field, Tag, model_validator

from ..settings import AtLeastZero, BelowOne, Positive, Settings, discriminate_by

# TOML and JSON know arrays only; their entries stay strict.
Betas = Annotated[tuple[BelowOne, BelowOne], Field(strict=False)]


class AdamWConfig(Settings):
    """AdamW."""

    family: Literal["adamw"] = "adamw"
    betas: Betas = (0.9, 0.95)
    eps: Positive = 1e-12
    weight_decay: AtLeastZero = 0.0


class AdamConfig(Settings):
    """Adam or one of its kin without weight decay, for which there is no rule."""

    family: Literal["adam", "nadam", "adamax"]
    betas: Betas = (0.9, 0.95)
    eps: Positive = 1e-12


class SGDConfig(Settings):
    """Stochastic gradient descent."""

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
    """RMSprop."""

    family: Literal["rmsprop"]
    alpha: BelowOne = 0.99
    eps: Positive = 1e-12
    momentum: BelowOne = 0.0


class AdagradConfig(Settings):
    """Adagrad."""

    family: Literal["adagrad"]
    eps: Positive = 1e-12


class MuonConfig(Settings):
    """Torch's Muon for the hidden matrices; AdamW trains the rest.

    `adjust` is how it scales its steps: `original` (Keller Jordan), `match_rms_adamw` (Kimi).
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


OptimizerSection = Annotated[
    Annotated[AdamWConfig, Tag("adamw")]
    | Annotated[AdamConfig, Tag("adam")]
    | Annotated[AdamConfig, Tag("nadam")]
    | Annotated[AdamConfig, Tag("adamax")]
    | Annotated[SGDConfig, Tag("sgd")]
    | Annotated[RMSpropConfig, Tag("rmsprop")]
    | Annotated[AdagradConfig, Tag("adagrad")]
    | Annotated[MuonConfig, Tag("muon")],
    discriminate_by("family", "adamw", {}),
]
