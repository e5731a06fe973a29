r"""The scaling rules, as data: scheme × optimizer family × role -> exponents.

Legend: n width, r_in = fan_in / base fan_in and r_out = fan_out / base fan_out the width ratios of
one tensor, A its forward multiplier, B its initial standard deviation, C its learning rate. A bias
or gain has fan_in = 1, hence r_in = 1.

A scheme says how A and B scale, and which rates it wants; a family says which rate makes the update
of a tensor maximal (every activation moves by Θ(1)) when A = 1. What a gauge with multipliers
needs follows from the exact symmetry of Lemma J.1 (TP5, arXiv 2203.03466): with A·θ, B/θ the same
functions are trained at C·θ^k, where k belongs to the family. So no rule is written twice.

In relative form every factor is 1 at the base width, and all schemes are the same there, bit for
bit. In absolute form the fans themselves take the place of their ratios.

References:
    Yang et al. (2022), Tensor Programs V: Tuning Large Neural Networks via Zero-Shot Hyperparameter
    Transfer (TP5). https://arxiv.org/abs/2203.03466

    Yang, Simon, Bernstein (2023), A Spectral Condition for Feature Learning.
    https://arxiv.org/abs/2310.17813

    Everett et al. (2024), Scaling Exponents Across Parameterizations and Optimizers.
    https://arxiv.org/abs/2407.05872

    Blake et al. (2024), u-μP: The Unit-Scaled Maximal Update Parametrization.
    https://arxiv.org/abs/2407.17465

    Dey et al. (2025), Don't be lazy: CompleteP enables compute-efficient deep transformers.
    https://arxiv.org/abs/2505.01618

    Every row names its own source.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from ..errors import ParametrizationError
from .powers import CONSTANT, Power


class Role(StrEnum):
    """What a tensor does, by which of its sides grow with width."""

    INPUT = "input"  # contracts a fixed side, produces a growing one: embeddings, first layer
    HIDDEN = "hidden"  # both sides grow
    OUTPUT = "output"  # contracts a growing side, produces a fixed one: readout, router
    VECTOR = "vector"  # one growing side, nothing growing contracted: biases, gains, depthwise
    SCALAR = "scalar"  # no side grows


PowersByRole = Mapping[Role, Power]


def powers_by_role(
    *,
    input: Power = CONSTANT,
    hidden: Power = CONSTANT,
    output: Power = CONSTANT,
    vector: Power = CONSTANT,
) -> PowersByRole:
    """Return a power for each role; scalars have none."""
    return MappingProxyType({
        Role.INPUT: input,
        Role.HIDDEN: hidden,
        Role.OUTPUT: output,
        Role.VECTOR: vector,
        Role.SCALAR: CONSTANT,
    })


_ONE = powers_by_role()


@dataclass(frozen=True)
class UpdateFamily:
    r"""Optimizers with the same kind of update, and the rates that they want.

    Attributes:
        lr: Rate of a maximal update under μP without forward multipliers.
        gradient_power: p, where the update grows as (size of the gradient)^p: 1 for SGD, 0 for
            optimizers that normalise it, 1 − 2e for Shampoo with exponents of sum e.
        follows_weights: Whether the step is proportional to the tensor's own norm (trust ratios).
        has_eps: Whether ε is added to a root of squared gradients, so that it must scale with them.
        source: Where the rates are from.
    """

    lr: PowersByRole
    gradient_power: float = 0.0
    follows_weights: bool = False
    has_eps: bool = False
    source: str = ""

    @property
    def lr_per_multiplier(self) -> float:
        """Exponent k of Lemma J.1: multiplying A by θ, with B/θ, multiplies C by θ^k."""
        return 0.0 if self.follows_weights else -1.0 - self.gradient_power


_NORMALISED = powers_by_role(hidden=Power(fan_in=-1), output=Power(fan_in=-1))
# ‖ΔW‖₂ = √(fan_out / fan_in) from an update whose singular values are all 1 (arXiv 2310.17813).
_ORTHOGONAL_ROOT = Power(fan_in=-0.5, fan_out=0.5)


def _orthogonal(built_in: Power = CONSTANT) -> PowersByRole:
    """Return the rates of an orthogonalised update, given the shape factor it has already."""
    factor = _ORTHOGONAL_ROOT * built_in**-1
    return powers_by_role(input=factor, hidden=factor, output=factor)


_TP5 = "arXiv 2203.03466, Table 3"
_SHAPES = "arXiv 2603.00541, appendix C"

FAMILIES: Mapping[str, UpdateFamily] = MappingProxyType({
    "gradient": UpdateFamily(
        # Where the two sides of a hidden tensor grow unequally: microsoft/mup.
        lr=powers_by_role(
            input=Power(fan_out=1),
            hidden=Power(fan_in=-1, fan_out=1),
            output=Power(fan_in=-1),
            vector=Power(fan_out=1),
        ),
        gradient_power=1,
        source=_TP5,
    ),
    "adaptive": UpdateFamily(lr=_NORMALISED, has_eps=True, source=_TP5),
    "sign": UpdateFamily(lr=_NORMALISED, source=_SHAPES),
    # Derived from "adaptive": the step is relative to the size of the weights, see
    # `_effective_rate`. TP5, appendix B.3 states the result: hidden n^-1/2, all else constant.
    "trust_ratio": UpdateFamily(
        lr=_NORMALISED, follows_weights=True, source="arXiv 2203.03466, appendix B.3"
    ),
    # The same for an update of full rank, as arXiv 2602.20937 is quoted: hidden Θ(1).
    "trust_ratio_spectral": UpdateFamily(
        lr=powers_by_role(hidden=Power(fan_in=-0.5), output=Power(fan_in=-1)),
        follows_weights=True,
        source="arXiv 2602.20937, as quoted",
    ),
    "muon_plain": UpdateFamily(lr=_orthogonal(), source=_SHAPES),
    # The shape factor is part of the optimizer: √max(1, out/in), √(out/in), 0.2·√max(out, in).
    "muon_keller": UpdateFamily(
        lr=_orthogonal(Power(fan_in=-0.5, larger=0.5)), source="KellerJordan/Muon"
    ),
    "muon_spectral": UpdateFamily(lr=_orthogonal(_ORTHOGONAL_ROOT), source="arXiv 2310.17813"),
    "muon_kimi": UpdateFamily(lr=_orthogonal(Power(larger=0.5)), source=_SHAPES),
    "shampoo": UpdateFamily(lr=_orthogonal(), source=_SHAPES),  # exponents 1/4, 1/4
    "shampoo_half": UpdateFamily(  # exponents 1/2, 1/2
        lr=_ONE, gradient_power=-1, source="arXiv 2512.05620, as quoted in 2603.00541"
    ),
    "soap": UpdateFamily(lr=_orthogonal(), source=_SHAPES),
})


@dataclass(frozen=True)
class Scheme:
    r"""A parametrization: how multipliers, initial values and rates scale.

    Attributes:
        init_std: B per role.
        multiplier: A per role.
        lr: `maximal` (the family's rates), `constant` (one rate for all tensors), or C per role
            for one optimizer, as powers stated by the user.
        readout: Exponent of 1/n in the readout's initial effective weights A·B, hence in the
            gradients of all tensors below it: 1 under μP and mean field, 1/2 under SP and NTP.
        absolute: Whether the fans stand where their ratios stand in other schemes; then the scheme
            sets the standard deviations itself and is not the user's model at the base width.
        embedding_lr: Exponent of 1/fan_out in the rate of looked-up tables.
        families: Families for which the scheme is defined; empty for all.
        scales_eps: Whether ε follows the size of the gradient.
        depth: Whether residual branches are scaled by depth.
        source: Where it is from.
    """

    init_std: PowersByRole = field(default_factory=lambda: _ONE)
    multiplier: PowersByRole = field(default_factory=lambda: _ONE)
    lr: Literal["maximal", "constant"] | PowersByRole = "maximal"
    readout: float = 1.0
    absolute: bool = False
    embedding_lr: float = 0.0
    families: tuple[str, ...] = ()
    scales_eps: bool = True
    depth: bool = False
    source: str = ""


_ROOT_IN = Power(fan_in=-0.5)
# The fan_in of inputs does not grow: their power of it is a constant that absolute forms see alone.
_SP_INIT = powers_by_role(input=_ROOT_IN, hidden=_ROOT_IN, output=_ROOT_IN)
_MUP_INIT = powers_by_role(input=_ROOT_IN, hidden=_ROOT_IN, output=Power(fan_in=-1))
_INPUT_INIT = powers_by_role(input=_ROOT_IN)
_SP_FORWARD = powers_by_role(hidden=_ROOT_IN, output=_ROOT_IN)
_MUP_FORWARD = powers_by_role(hidden=_ROOT_IN, output=Power(fan_in=-1))
_SPECTRAL = Power(fan_in=-0.5, fan_out=0.5, larger=-0.5)  # min(1, √(out/in)) / √in
_EXPONENTS = "arXiv 2407.05872"

# μP in the three gauges of TP5. A bias or gain keeps A = 1 in all of them: the symmetry holds
# tensor by tensor, and no module offers a place for a multiplier of its bias alone.
GAUGES: Mapping[str, Scheme] = MappingProxyType({
    "table3": Scheme(init_std=_MUP_INIT, source=_TP5),
    "table8": Scheme(
        init_std=powers_by_role(input=_ROOT_IN, hidden=_ROOT_IN),
        multiplier=powers_by_role(output=Power(fan_in=-1)),
        source="arXiv 2203.03466, Table 8",
    ),
    "table9": Scheme(
        init_std=powers_by_role(
            input=Power(fan_in=-0.5, fan_out=-0.5), hidden=_ROOT_IN, output=_ROOT_IN
        ),
        multiplier=powers_by_role(input=Power(fan_out=0.5), output=_ROOT_IN),
        source="arXiv 2203.03466, Table 9",
    ),
})

SCHEMES: Mapping[str, Scheme] = MappingProxyType({
    "sp": Scheme(init_std=_SP_INIT, lr="constant", readout=0.5, source="one rate for all tensors"),
    "sp_per_layer": Scheme(init_std=_SP_INIT, readout=0.5, source=_EXPONENTS),
    "ntp": Scheme(
        init_std=_INPUT_INIT,
        multiplier=_SP_FORWARD,
        lr="constant",
        readout=0.5,
        absolute=True,
        source="textbook NTP: unit normal weights, 1/sqrt(fan_in) forward, one rate",
    ),
    "ntp_per_layer": Scheme(
        init_std=_INPUT_INIT, multiplier=_SP_FORWARD, readout=0.5, source=_EXPONENTS
    ),
    "mup": GAUGES["table3"],
    "mean_field": Scheme(init_std=_INPUT_INIT, multiplier=_MUP_FORWARD, source=_EXPONENTS),
    # Its unit-scaled activations and backward factors belong to the model and are not added here;
    # optimizers that normalise the gradient do not see the backward factors.
    "u_mup": Scheme(
        init_std=_INPUT_INIT,
        multiplier=_MUP_FORWARD,
        absolute=True,
        embedding_lr=0.5,
        families=("adaptive", "sign"),
        scales_eps=False,
        source="arXiv 2407.17465",
    ),
    "spectral": Scheme(
        init_std=powers_by_role(input=_SPECTRAL, hidden=_SPECTRAL, output=_SPECTRAL),
        absolute=True,
        families=("gradient", "adaptive", "sign"),
        source="arXiv 2310.17813",
    ),
    "completep": Scheme(init_std=_MUP_INIT, depth=True, source="arXiv 2505.01618 and 2512.22382"),
})

# Those that are one and the same at the base width.
RELATIVE_SCHEMES = tuple(name for name, scheme in SCHEMES.items() if not scheme.absolute)

# Rates if updates and activations are not aligned (arXiv 2407.05872): normalised gradients only.
_NO_ALIGNMENT = powers_by_role(hidden=_ROOT_IN, output=_ROOT_IN)
Alignment = Literal["full", "none"]


@dataclass(frozen=True)
class Rule:
    """Scaling of one role under a scheme and a family of optimizers.

    Attributes:
        init_std: Standard deviation B of the initial values.
        multiplier: Forward multiplier A.
        lr: Learning rate C.
        eps: Epsilon of optimizers that have one.
        effective_lr: The rate in the gauge A = 1, which the shrinkage by weight decay refers to.
    """

    init_std: Power
    multiplier: Power
    lr: Power
    eps: Power
    effective_lr: Power


def rule(
    scheme: Scheme, family: UpdateFamily, role: Role, *, alignment: Alignment = "full"
) -> Rule:
    """Return the rule of a role: the scheme's powers, and the rate moved to its gauge.

    Arguments:
        scheme: The parametrization.
        family: The family of the optimizer.
        role: The role of the tensor.
        alignment: `full`: updates are aligned with the activations that they meet; `none`: rates
            for updates that are not (Everett et al. 2024).

    Raises:
        ParametrizationError: If rates without alignment are asked for with a family that follows
            the size of the gradient or of the weights: none are known.

    Example:
        >>> rule(SCHEMES["mup"], FAMILIES["adaptive"], Role.HIDDEN).lr
        Power(fan_in=-1.0, fan_out=0.0, larger=0.0)
    """
    multiplier, init_std = scheme.multiplier[role], scheme.init_std[role]
    gauge = multiplier**family.lr_per_multiplier
    if isinstance(scheme.lr, Mapping):
        lr = scheme.lr[role]
        effective_lr = lr * gauge**-1
    else:
        effective_lr = _effective_rate(scheme, family, role, alignment)
        lr = effective_lr * gauge if scheme.lr == "maximal" else CONSTANT
    return Rule(
        init_std=init_std,
        multiplier=multiplier,
        lr=lr,
        eps=_epsilon(scheme, role) if family.has_eps else CONSTANT,
        effective_lr=effective_lr,
    )


def _effective_rate(
    scheme: Scheme, family: UpdateFamily, role: Role, alignment: Alignment
) -> Power:
    """Return the rate in the gauge without multipliers."""
    if scheme.lr == "constant":
        return scheme.multiplier[role] ** -family.lr_per_multiplier
    rate = family.lr[role]
    if alignment == "none":
        if family.follows_weights or family.gradient_power or rate != _NORMALISED[role]:
            raise ParametrizationError(
                "alignment: got 'none' for an optimizer whose update follows the size of the "
                "gradient, the weights or the shape, wanted an Adam-like one: no other rates are "
                "known (arXiv 2407.05872). Use alignment='full'."
            )
        rate = _NO_ALIGNMENT[role]
    if family.follows_weights and role is not Role.VECTOR:
        rate *= (scheme.init_std[role] * scheme.multiplier[role]) ** -1
    if role in _BELOW_READOUT:
        # Gradients larger by n^(1 - readout) than under μP want rates smaller by their power p.
        rate *= Power(fan_out=-family.gradient_power * (1 - scheme.readout))
    return rate


_BELOW_READOUT = (Role.INPUT, Role.HIDDEN, Role.VECTOR)


def _epsilon(scheme: Scheme, role: Role) -> Power:
    """Return ε, which follows the size of a tensor's gradient.

    TP5, appendix B.3 states it for Table 8 (1/width for every tensor); in the gauge A = 1 the
    output tensor's is constant. With one rate for all tensors, or rates given, nothing is scaled.
    """
    if scheme.lr != "maximal" or not scheme.scales_eps:
        return CONSTANT
    if role is Role.HIDDEN:
        gradient = Power(fan_in=-scheme.readout)
    else:
        gradient = Power(fan_out=-scheme.readout) if role in _BELOW_READOUT else CONSTANT
    return gradient * scheme.multiplier[role]
