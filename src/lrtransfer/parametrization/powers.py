"""How a factor depends on the sides of one tensor: a tiny algebra of powers.

Legend: in is the number of entries that one output sums over (fan_in), out the number of outputs
(fan_out), each as itself or as a ratio over the base width.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fans:
    """Sizes of a tensor's two sides.

    Attributes:
        fan_in: Number of entries that one output sums over.
        fan_out: Number of outputs.
    """

    fan_in: float
    fan_out: float


@dataclass(frozen=True)
class Power:
    r"""Factor :math:`in^{a}\, out^{b} \max(in, out)^{c}` of a tensor's fans, by its exponents.

    Attributes:
        fan_in: Exponent a.
        fan_out: Exponent b.
        larger: Exponent c.

    Example:
        >>> hidden_std = Power(fan_in=-0.5)
        >>> hidden_std.relative(Fans(64, 64), base=Fans(16, 16))
        0.5
        >>> (hidden_std * hidden_std).absolute(Fans(64, 64))
        0.015625
    """

    fan_in: float = 0.0
    fan_out: float = 0.0
    larger: float = 0.0

    def absolute(self, fans: Fans) -> float:
        """Return the factor for the fans themselves."""
        return self.relative(fans, base=Fans(1.0, 1.0))

    def relative(self, fans: Fans, *, base: Fans) -> float:
        """Return the factor for their ratios over the base fans; 1 at the base fans."""
        ratio_in, ratio_out = fans.fan_in / base.fan_in, fans.fan_out / base.fan_out
        larger = max(fans.fan_in, fans.fan_out) / max(base.fan_in, base.fan_out)
        return float(ratio_in**self.fan_in * ratio_out**self.fan_out * larger**self.larger)

    def __mul__(self, other: "Power") -> "Power":
        """Multiply two factors."""
        return Power(
            self.fan_in + other.fan_in, self.fan_out + other.fan_out, self.larger + other.larger
        )

    def __pow__(self, exponent: float) -> "Power":
        """Raise the factor to a power."""
        return Power(self.fan_in * exponent, self.fan_out * exponent, self.larger * exponent)


CONSTANT = Power()
