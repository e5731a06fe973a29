"""Named choices where sources disagree, each with its default; weight-decay conventions as data.

Legend: η the learning rate given, η_i that of tensor i, λ the weight decay given, u the direction
of the update, W the tensor, r its width ratio. A convention says which share of itself a tensor
loses per step.

References:
    Yang et al. (2022), Tensor Programs V: Tuning Large Neural Networks via Zero-Shot Hyperparameter
    Transfer, appendices B.3 and D.2. https://arxiv.org/abs/2203.03466

    Lingle (2024), A Large-Scale Exploration of μ-Transfer. https://arxiv.org/abs/2404.05728

    Wang, Aitchison (2024), How to set AdamW's weight decay as you scale model and dataset size.
    https://arxiv.org/abs/2405.13698

    Everett et al. (2024), Scaling Exponents Across Parameterizations and Optimizers.
    https://arxiv.org/abs/2407.05872

    Blake et al. (2024), u-μP: The Unit-Scaled Maximal Update Parametrization.
    https://arxiv.org/abs/2407.17465

    Dey et al. (2025), Don't be lazy: CompleteP enables compute-efficient deep transformers.
    https://arxiv.org/abs/2505.01618

    Hayou, Liu (2025), Optimal Embedding Learning Rate in LLMs: The Effect of Vocabulary Size.
    https://arxiv.org/abs/2506.15025
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from ..errors import ParametrizationError
from .powers import CONSTANT, Power
from .rules import GAUGES, Alignment, Role

WeightDecay = Literal[
    "decoupled_lr",
    "decoupled_lr_scaled",
    "independent",
    "ema_timescale",
    "sqrt_width",
    "inverse_width_independent",
    "none",
]


@dataclass(frozen=True)
class DecayConvention:
    """Share of itself that a tensor loses per step to weight decay.

    Attributes:
        with_lr: Whether the share is in proportion to the learning rate given.
        with_rule: Whether it is in proportion to the rule's factor of the learning rate, too.
        width: Further factor for tensors that contract a growing side.
        inverse: Whether the number given is a timescale, the inverse of the share.
        decays: Whether anything decays.
        source: Where the convention is used.
    """

    with_lr: bool
    with_rule: bool = False
    width: Power = CONSTANT
    inverse: bool = False
    decays: bool = True
    source: str = ""


WEIGHT_DECAYS: Mapping[str, DecayConvention] = MappingProxyType({
    "decoupled_lr": DecayConvention(  # W -= η_i (u + λ W)
        with_lr=True, with_rule=True, source="torch's AdamW; arXiv 2203.03466, B.3"
    ),
    "decoupled_lr_scaled": DecayConvention(  # W -= η_i u + η λ W
        with_lr=True, source="microsoft/mup; arXiv 2505.01618"
    ),
    "independent": DecayConvention(with_lr=False, source="arXiv 2510.19093"),  # W -= η_i u + λ W
    "ema_timescale": DecayConvention(  # W -= η_i u + W / λ: λ is the timescale τ in steps
        with_lr=False, inverse=True, source="arXiv 2405.13698"
    ),
    "sqrt_width": DecayConvention(  # W -= η_i (u + λ √r W)
        with_lr=True, with_rule=True, width=Power(fan_in=0.5), source="arXiv 2510.15262"
    ),
    "inverse_width_independent": DecayConvention(  # W -= η_i u + λ W / r
        with_lr=False, width=Power(fan_in=-1), source="arXiv 2512.05620"
    ),
    "none": DecayConvention(with_lr=True, decays=False, source="arXiv 2603.28743"),
})


@dataclass(frozen=True)
class Tuned:
    """Hyperparameters of one role, tuned beside the learning rate; they do not scale with width.

    Attributes:
        lr: Factor of the learning rate.
        init_std: Factor of the initial standard deviation.
    """

    lr: float = 1.0
    init_std: float = 1.0


@dataclass(frozen=True)
class Choices:
    """What to do where the rules leave a choice, or sources disagree.

    Attributes:
        gauge: Where μP puts its factors: `table3` has no forward multipliers; `table8` and `table9`
            train the same functions (arXiv 2203.03466). Only for the scheme `mup`.
        form: `relative` to the base width, or `absolute` powers of the fans; None: the scheme's.
        alignment: `full`, or `none` for rates without alignment of updates (arXiv 2407.05872).
        weight_decay: Convention; see `WEIGHT_DECAYS`. With the default a tensor loses the same
            share per step at every width (microsoft/mup, arXiv 2505.01618); torch's AdamW is
            `decoupled_lr`.
        decay_embeddings: Whether looked-up tables decay. Biases and gains never do.
        scale_eps: Whether Adam's ε scales with the gradients (arXiv 2203.03466, B.3).
        embedding_lr_exponent: x in (embedding rate) ∝ n^-x; 0 in μP, 1/2 in u-μP
            (arXiv 2407.17465) and for large vocabularies (arXiv 2506.15025). None: the scheme's.
        readout_init: `rule`; `zero` (recommended by arXiv 2203.03466, D.2); or `sp`, variance
            1/fan_in, found no worse in arXiv 2404.05728.
        query_init: `rule` or `zero` (arXiv 2203.03466, D.2).
        norm_gains: `train`, or `fix` (rate 0) for what multiplies a normalised activation: arXiv
            2404.05728 found no transfer with trained RMSNorm gains.
        attention: What to do if the head width grows and logits are not scaled by 1/d_head:
            `refuse` or `accept`.
        matrix_scope: What matrix optimizers (Muon, Shampoo, SOAP) train: `hidden` matrices, or
            `all` matrices but looked-up tables; AdamW trains the rest.
        depth: Number of residual blocks; needs `base_depth` and the scheme `completep`.
        base_depth: Number of blocks for which the hyperparameters were tuned.
        depth_exponent: α of arXiv 2505.01618: branches are multiplied by (depth ratio)^-α. 1 is
            CompleteP, 1/2 the older rule for blocks of one matrix.
        tuned: Hyperparameters per role, such as {"output": Tuned(lr=2)}.
    """

    gauge: str = "table3"
    form: Literal["relative", "absolute"] | None = None
    alignment: Alignment = "full"
    weight_decay: WeightDecay = "decoupled_lr_scaled"
    decay_embeddings: bool = True
    scale_eps: bool = True
    embedding_lr_exponent: float | None = None
    readout_init: Literal["rule", "zero", "sp"] = "rule"
    query_init: Literal["rule", "zero"] = "rule"
    norm_gains: Literal["train", "fix"] = "train"
    attention: Literal["refuse", "accept"] = "refuse"
    matrix_scope: Literal["hidden", "all"] = "hidden"
    depth: int | None = None
    base_depth: int | None = None
    depth_exponent: float = 1.0
    tuned: Mapping[str, Tuned] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            ParametrizationError: If one is not among those offered.
        """
        for name, allowed in _ALLOWED.items():
            value = getattr(self, name)
            if value not in allowed:
                names = ", ".join(map(str, allowed))
                raise ParametrizationError(f"{name}: got {value!r}, wanted one of {names}.")
        if unknown := set(self.tuned) - set(Role):
            raise ParametrizationError(
                f"tuned: got {sorted(unknown)}, wanted roles: {', '.join(Role)}."
            )
        if (self.depth is None) != (self.base_depth is None):
            raise ParametrizationError(
                f"depth: got depth={self.depth} and base_depth={self.base_depth}, wanted both or "
                "neither: rules for depth need the ratio of the two."
            )
        for name in ("depth", "base_depth"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int) and value >= 1):
                raise ParametrizationError(
                    f"{name}: got {value!r}, wanted a positive whole number."
                )
        for name in ("embedding_lr_exponent", "depth_exponent"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int | float) and math.isfinite(value)):
                raise ParametrizationError(f"{name}: got {value!r}, wanted a number.")

    @property
    def depth_ratio(self) -> float:
        """Depth over base depth; 1 if no depth is given."""
        if self.depth is None or self.base_depth is None:
            return 1.0
        return self.depth / self.base_depth


_ALLOWED: Mapping[str, tuple[Any, ...]] = {
    "gauge": tuple(GAUGES),
    "form": (None, "relative", "absolute"),
    "alignment": ("full", "none"),
    "weight_decay": tuple(WEIGHT_DECAYS),
    "decay_embeddings": (True, False),
    "scale_eps": (True, False),
    "readout_init": ("rule", "zero", "sp"),
    "query_init": ("rule", "zero"),
    "norm_gains": ("train", "fix"),
    "attention": ("refuse", "accept"),
    "matrix_scope": ("hidden", "all"),
}
