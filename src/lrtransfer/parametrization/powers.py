"""How a factor depends on the sides of one tensor: a tiny algebra of powers.

Legend: in is the number of entries that one output sums over (fan_in), out the number of outputs
(fan_out), each as itself or as a ratio over the base width.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fans:
    """Count what one entry of a tensor's output sums over, and how many outputs there are."""

    fan_in: float
    fan_out: float


@dataclass(frozen=True)
class Power:
    r"""Express a factor :math:`in^{a}\, out^{b} \max(in, out)^{c}` of a tensor's sides.

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

    def absolute(self, sides: Fans) -> float:
        """Return the factor of the fans themselves."""
        return self.relative(sides, base=Fans(1.0, 1.0))

    def relative(self, sides: Fans, *, base: Fans) -> float:
        """Return the factor of the ratios over the base shape; 1 at the base shape."""
        ratio_in, ratio_out = sides.fan_in / base.fan_in, sides.fan_out / base.fan_out
        larger = max(sides.fan_in, sides.fan_out) / max(base.fan_in, base.fan_out)
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
