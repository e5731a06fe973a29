"""The scaling rules, as data: scheme x optimizer family x role -> exponents.

Every entry is a power of the tensor's own width ratios, r_in = fan_in / base fan_in and
r_out = fan_out / base fan_out, so that each factor is 1 at the base width and all schemes are
the same there, bit for bit. A bias or gain has fan_in = 1, hence r_in = 1.

The gauge is the one without forward multipliers (TP5, arXiv 2203.03466, Table 3); the epsilon
of Adam follows it by the symmetry of Lemma J.1 (appendix B.3 states it for the gauge of
Table 8: 1/width for every tensor; moved to Table 3, the output tensor's is constant).

Weight decay is decoupled and multiplied by the learning rate, as torch's AdamW does it. Under μP
it is scaled so that the shrinkage per step, lr x decay, does not depend on width (microsoft/mup;
CompleteP, arXiv 2505.01618, Table 1). Tensors that contract nothing (biases, gains) are not decayed
under any rule; that follows from the layer, not from the role, and is no entry here.
"""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Role(StrEnum):
    """Name what a tensor does, by which of its sides grow with width."""

    INPUT = "input"  # contracts a fixed side, produces a growing one: embeddings, first layer
    HIDDEN = "hidden"  # both sides grow
    OUTPUT = "output"  # contracts a growing side, produces a fixed one: readout
    VECTOR = "vector"  # one growing side, nothing contracted: biases and gains
    SCALAR = "scalar"  # no side grows


@dataclass(frozen=True)
class Power:
    r"""Express a factor :math:`r_{in}^{a} r_{out}^{b}` of the two width ratios."""

    fan_in: float = 0.0
    fan_out: float = 0.0

    def __call__(self, ratio_in: float, ratio_out: float) -> float:
        """Return the factor at these width ratios."""
        return float(ratio_in**self.fan_in * ratio_out**self.fan_out)


CONSTANT = Power()


@dataclass(frozen=True)
class Rule:
    """State how one role's quantities scale."""

    init_std: Power = CONSTANT
    lr: Power = CONSTANT
    weight_decay: Power = CONSTANT
    eps: Power = CONSTANT


_SP = {
    Role.INPUT: Rule(),
    Role.HIDDEN: Rule(init_std=Power(fan_in=-0.5)),
    Role.OUTPUT: Rule(init_std=Power(fan_in=-0.5)),
    Role.VECTOR: Rule(),
    Role.SCALAR: Rule(),
}

RULES = MappingProxyType({
    ("sp", "sgd"): _SP,
    ("sp", "adamw"): _SP,
    # TP5 Table 3, row "SGD LR", and microsoft/mup where the two sides of a hidden tensor grow
    # unequally; decay inverse to the rate keeps lr x decay constant.
    ("mup", "sgd"): {
        Role.INPUT: Rule(lr=Power(fan_out=1), weight_decay=Power(fan_out=-1)),
        Role.HIDDEN: Rule(
            init_std=Power(fan_in=-0.5),
            lr=Power(fan_in=-1, fan_out=1),
            weight_decay=Power(fan_in=1, fan_out=-1),
        ),
        Role.OUTPUT: Rule(
            init_std=Power(fan_in=-1), lr=Power(fan_in=-1), weight_decay=Power(fan_in=1)
        ),
        Role.VECTOR: Rule(lr=Power(fan_out=1)),
        Role.SCALAR: Rule(),
    },
    # TP5 Table 3, row "Adam LR".
    ("mup", "adamw"): {
        Role.INPUT: Rule(eps=Power(fan_out=-1)),
        Role.HIDDEN: Rule(
            init_std=Power(fan_in=-0.5),
            lr=Power(fan_in=-1),
            weight_decay=Power(fan_in=1),
            eps=Power(fan_in=-1),
        ),
        Role.OUTPUT: Rule(
            init_std=Power(fan_in=-1), lr=Power(fan_in=-1), weight_decay=Power(fan_in=1)
        ),
        Role.VECTOR: Rule(eps=Power(fan_out=-1)),
        Role.SCALAR: Rule(),
    },
})

SCHEMES = tuple(dict.fromkeys(scheme for scheme, _ in RULES))
OPTIMIZERS = tuple(dict.fromkeys(optimizer for _, optimizer in RULES))
