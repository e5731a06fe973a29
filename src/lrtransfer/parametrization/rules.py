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
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from ..errors import ParametrizationError
from .powers import CONSTANT, Power


class Role(StrEnum):
    """Name what a tensor does, by which of its sides grow with width."""

    INPUT = "input"  # contracts a fixed side, produces a growing one: embeddings, first layer
    HIDDEN = "hidden"  # both sides grow
    OUTPUT = "output"  # contracts a growing side, produces a fixed one: readout, router
    VECTOR = "vector"  # one growing side, nothing growing contracted: biases, gains, depthwise
    SCALAR = "scalar"  # no side grows


RolePowers = Mapping[Role, Power]


def _powers(
    *,
    input: Power = CONSTANT,
    hidden: Power = CONSTANT,
    output: Power = CONSTANT,
    vector: Power = CONSTANT,
) -> RolePowers:
    return MappingProxyType({
        Role.INPUT: input,
        Role.HIDDEN: hidden,
        Role.OUTPUT: output,
        Role.VECTOR: vector,
        Role.SCALAR: CONSTANT,
    })


_ONE = _powers()


@dataclass(frozen=True)
class UpdateFamily:
    r"""State what optimizers with the same kind of update have in common.

    Attributes:
        lr: Rate of a maximal update under μP without forward multipliers.
        gradient_power: p, where the update grows as (size of the gradient)^p: 1 for SGD, 0 for
            optimizers that normalise it, 1 − 2e for Shampoo with exponents of sum e.
        follows_weights: Whether the step is proportional to the tensor's own norm (trust ratios).
        has_eps: Whether ε is added to a root of squared gradients, so that it must scale with them.
        source: Where the rates are from.
    """

    lr: RolePowers
    gradient_power: float = 0.0
    follows_weights: bool = False
    has_eps: bool = False
    source: str = ""

    @property
    def lr_per_multiplier(self) -> float:
        """K of Lemma J.1: multiplying A by θ, with B/θ, multiplies C by θ^k."""
        return 0.0 if self.follows_weights else -1.0 - self.gradient_power


_NORMALISED = _powers(hidden=Power(fan_in=-1), output=Power(fan_in=-1))
# ‖ΔW‖₂ = √(fan_out / fan_in) from an update whose singular values are all 1 (arXiv 2310.17813).
_ORTHOGONAL_ROOT = Power(fan_in=-0.5, fan_out=0.5)


def _orthogonal(built_in: Power = CONSTANT) -> RolePowers:
    """Return the rates of an orthogonalised update, given the shape factor it has already."""
    factor = _ORTHOGONAL_ROOT * built_in**-1
    return _powers(input=factor, hidden=factor, output=factor)


_TP5 = "arXiv 2203.03466, Table 3"
_SHAPES = "arXiv 2603.00541, appendix C"

FAMILIES: Mapping[str, UpdateFamily] = MappingProxyType({
    "gradient": UpdateFamily(
        # Where the two sides of a hidden tensor grow unequally: microsoft/mup.
        lr=_powers(
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
    # Derived from "adaptive": the step is relative to the weights' own size, see `_rate`. TP5,
    # appendix B.3 states the result: hidden n^-1/2, all else constant.
    "trust_ratio": UpdateFamily(
        lr=_NORMALISED, follows_weights=True, source="arXiv 2203.03466, appendix B.3"
    ),
    # The same for an update of full rank, as arXiv 2602.20937 is quoted: hidden Θ(1).
    "trust_ratio_spectral": UpdateFamily(
        lr=_powers(hidden=Power(fan_in=-0.5), output=Power(fan_in=-1)),
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
    r"""State how a parametrization scales multipliers, initial values and rates.

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

    init_std: RolePowers = field(default_factory=lambda: _ONE)
    multiplier: RolePowers = field(default_factory=lambda: _ONE)
    lr: Literal["maximal", "constant"] | RolePowers = "maximal"
    readout: float = 1.0
    absolute: bool = False
    embedding_lr: float = 0.0
    families: tuple[str, ...] = ()
    scales_eps: bool = True
    depth: bool = False
    source: str = ""


_ROOT_IN = Power(fan_in=-0.5)
# The fan_in of inputs does not grow: their power of it is a constant that absolute forms see alone.
_SP_INIT = _powers(input=_ROOT_IN, hidden=_ROOT_IN, output=_ROOT_IN)
_MUP_INIT = _powers(input=_ROOT_IN, hidden=_ROOT_IN, output=Power(fan_in=-1))
_INPUT_INIT = _powers(input=_ROOT_IN)
_SP_FORWARD = _powers(hidden=_ROOT_IN, output=_ROOT_IN)
_MUP_FORWARD = _powers(hidden=_ROOT_IN, output=Power(fan_in=-1))
_SPECTRAL = Power(fan_in=-0.5, fan_out=0.5, larger=-0.5)  # min(1, √(out/in)) / √in
_EXPONENTS = "arXiv 2407.05872"

# μP in the three gauges of TP5. A bias or gain keeps A = 1 in all of them: the symmetry holds
# tensor by tensor, and no module offers a place for a multiplier of its bias alone.
GAUGES: Mapping[str, Scheme] = MappingProxyType({
    "table3": Scheme(init_std=_MUP_INIT, source=_TP5),
    "table8": Scheme(
        init_std=_powers(input=_ROOT_IN, hidden=_ROOT_IN),
        multiplier=_powers(output=Power(fan_in=-1)),
        source="arXiv 2203.03466, Table 8",
    ),
    "table9": Scheme(
        init_std=_powers(input=Power(fan_in=-0.5, fan_out=-0.5), hidden=_ROOT_IN, output=_ROOT_IN),
        multiplier=_powers(input=Power(fan_out=0.5), output=_ROOT_IN),
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
        init_std=_powers(input=_SPECTRAL, hidden=_SPECTRAL, output=_SPECTRAL),
        absolute=True,
        families=("gradient", "adaptive", "sign"),
        source="arXiv 2310.17813",
    ),
    "completep": Scheme(init_std=_MUP_INIT, depth=True, source="arXiv 2505.01618 and 2512.22382"),
})

# Those that are one and the same at the base width.
RELATIVE_SCHEMES = tuple(name for name, scheme in SCHEMES.items() if not scheme.absolute)

# Rates if updates and activations are not aligned (arXiv 2407.05872): normalised gradients only.
_NO_ALIGNMENT = _powers(hidden=_ROOT_IN, output=_ROOT_IN)
Alignment = Literal["full", "none"]


@dataclass(frozen=True)
class Rule:
    """State how the quantities of one role scale under a scheme and a family.

    Attributes:
        init_std: B.
        multiplier: A.
        lr: C.
        eps: ε of optimizers that have one.
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
    """Return the rule of a role.

    Raises:
        ParametrizationError: If rates without alignment are wanted of a family that follows the
            size of the gradient or of the weights: none are known.

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


def make_abc_scheme(rows: Mapping[str, Mapping[str, float]]) -> Scheme:
    """Return the scheme with these exponents: multiplier n^-a, standard deviation n^-b, rate n^-c.

    n is the ratio of the side that grows: fan_in where it does, else fan_out. The rates c are those
    of the optimizer that the recipe is made for.

    Arguments:
        rows: By role, such as {"hidden": {"a": 0, "b": 0.5, "c": 1}}; what is left out is 0.

    Raises:
        ParametrizationError: If a role or an exponent is unknown, or a vector has a multiplier.

    Example:
        >>> make_abc_scheme({"hidden": {"b": 0.5, "c": 1}}).lr[Role.HIDDEN]
        Power(fan_in=-1, fan_out=0.0, larger=0.0)
    """
    if unknown := set(rows) - set(Role):
        raise ParametrizationError(
            f"scheme: got rows for {sorted(unknown)}, wanted roles: {', '.join(Role)}."
        )
    for role, row in rows.items():
        if unknown := set(row) - {"a", "b", "c"}:
            raise ParametrizationError(
                f"scheme: got {sorted(unknown)} for {role}, wanted the exponents a (multiplier), "
                "b (standard deviation) and c (learning rate)."
            )
    if rows.get(Role.VECTOR, {}).get("a", 0):
        raise ParametrizationError(
            "scheme: got a multiplier for vectors, wanted a = 0: no module offers a place for a "
            "multiplier of its bias alone. By the symmetry, b - a and a rate moved with it do the "
            "same."
        )

    def powers(exponent: str) -> RolePowers:
        values = {role: -rows.get(role, {}).get(exponent, 0.0) for role in Role}
        return _powers(
            input=Power(fan_out=values[Role.INPUT]),
            hidden=Power(fan_in=values[Role.HIDDEN]),
            output=Power(fan_in=values[Role.OUTPUT]),
            vector=Power(fan_out=values[Role.VECTOR]),
        )

    output = rows.get(Role.OUTPUT, {})
    return Scheme(
        init_std=powers("b"),
        multiplier=powers("a"),
        lr=powers("c"),
        readout=output.get("a", 0.0) + output.get("b", 0.0),
        source="exponents given",
    )


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
