r"""Real roots of exact polynomials, each in an interval of its own.

Roots are isolated by the method of Vincent, Collins and Akritas: by Descartes' rule of signs the
polynomial p of degree D has at most as many roots in (0, 1) as there are changes of sign among the
coefficients of :math:`(1 + x)^D\, p(1 / (1 + x))`, and exactly as many if that number is 0 or 1; an
interval with more is halved. Enclosures shrink by the interval Newton method in ball arithmetic.

References:
    Collins, Akritas (1976). Polynomial real root isolation using Descartes' rule of signs.
    https://doi.org/10.1145/800205.806346
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import flint

from .budget import Deadline, OutOfBudgetError

PRECISION = 128  # first precision of balls in bits, doubled while they are too wide to decide
MAX_PRECISION = 1 << 17


@dataclass(frozen=True)
class RootInterval:
    """An interval that contains exactly one real root.

    Attributes:
        low: Lower end; the root itself if low = high.
        high: Upper end; the root lies strictly between otherwise.
    """

    low: flint.fmpq
    high: flint.fmpq


def square_free_part(p: flint.fmpq_poly) -> flint.fmpz_poly:
    """Return the integer polynomial with the same roots, all of them simple."""
    simple = p // p.gcd(p.derivative())
    return flint.fmpz_poly((simple * simple.denom()).numer())


def isolate(
    p: flint.fmpz_poly, low: flint.fmpq, high: flint.fmpq, *, deadline: Deadline
) -> Iterator[RootInterval]:
    """Yield the real roots in [low, high], the largest first.

    Arguments:
        p: Square-free polynomial.
        low: Lower end.
        high: Upper end, above `low`.
        deadline: End of the time budget.

    Yields:
        Disjoint intervals with one root each.

    Raises:
        OutOfBudgetError: Past the deadline.
    """
    if p(high) == 0:
        yield RootInterval(high, high)
    yield from _inside(_on_unit(p, low, high), low, high, deadline)
    if p(low) == 0:
        yield RootInterval(low, low)


def _inside(
    p: flint.fmpz_poly, low: flint.fmpq, high: flint.fmpq, deadline: Deadline
) -> Iterator[RootInterval]:
    """Yield the roots of p in (0, 1), mapped to (low, high), the largest first."""
    pieces = [(p, low, high)]
    while pieces:
        deadline.check()
        p, low, high = pieces.pop()
        if not p:
            yield RootInterval(low, low)
            continue
        changes = _changes(p)
        if changes == 1:
            yield RootInterval(low, high)
        elif changes > 1:
            middle = (low + high) / 2
            left, right = _halves(p)
            pieces.append((left, low, middle))
            if right[0] == 0:
                pieces.append((flint.fmpz_poly(0), middle, middle))
            pieces.append((right, middle, high))


def _changes(p: flint.fmpz_poly) -> int:
    """Return Descartes' bound on the number of roots in (0, 1)."""
    shifted = flint.fmpz_poly(p.coeffs()[::-1])(flint.fmpz_poly([1, 1]))
    signs = [c > 0 for c in shifted.coeffs() if c != 0]
    return sum(a != b for a, b in pairwise(signs))


def _halves(p: flint.fmpz_poly) -> tuple[flint.fmpz_poly, flint.fmpz_poly]:
    """Return 2^D p(x/2) and 2^D p((x + 1)/2)."""
    degree = p.degree()
    left = flint.fmpz_poly([c << (degree - j) for j, c in enumerate(p.coeffs())])
    return left, left(flint.fmpz_poly([1, 1]))


def _on_unit(p: flint.fmpz_poly, low: flint.fmpq, high: flint.fmpq) -> flint.fmpz_poly:
    """Return p(low + (high − low) x), multiplied by its common denominator."""
    q = flint.fmpq_poly(p)(flint.fmpq_poly([low, high - low]))
    return flint.fmpz_poly((q * q.denom()).numer())


def root_bound(p: flint.fmpz_poly) -> flint.fmpq:
    """Return a power of two above the absolute value of every root (Fujiwara's bound)."""
    degree, leading = p.degree(), int(p[p.degree()]).bit_length() - 1
    sizes = [(int(p[j]).bit_length() - leading, degree - j) for j in range(degree) if p[j] != 0]
    exponent = 1 + max((-(-bits // power) for bits, power in sizes), default=0)
    return flint.fmpq(2) ** exponent


def enclose(p: flint.fmpz_poly, root: RootInterval, *, bits: int, deadline: Deadline) -> flint.arb:
    """Return a ball of relative radius below 2^-bits around an isolated simple root.

    For roots close to 0 the radius is below 2^(-3 bits) times the length of the interval instead.

    Arguments:
        p: Square-free polynomial.
        root: Interval that contains one of its roots.
        bits: Precision of the ball.
        deadline: End of the time budget.

    Returns:
        A ball that contains the root.

    Raises:
        OutOfBudgetError: Past the deadline, or if MAX_PRECISION does not suffice.
    """
    precision = max(PRECISION, 4 * bits)
    while precision <= MAX_PRECISION:
        deadline.check()
        with flint.ctx.workprec(precision):
            if root.low == root.high:
                return flint.arb(root.low)
            ball = _newton(flint.arb_poly(p), root, bits, rises=_rises(p, root.high))
        if ball is not None:
            return ball
        precision *= 2
    raise OutOfBudgetError


def _rises(p: flint.fmpz_poly, high: flint.fmpq) -> int:
    """Return the sign of p just below `high`, exactly."""
    value = p(high) or -p.derivative()(high)
    return 1 if value > 0 else -1


def _newton(p: flint.arb_poly, root: RootInterval, bits: int, *, rises: int) -> flint.arb | None:
    """Shrink the interval by Newton's method, else by halving; None if balls are too wide."""
    slope = p.derivative()
    low, high = flint.arb(root.low), flint.arb(root.high)
    tiny = (high - low) / flint.arb(2) ** (3 * bits)
    while True:
        x = low.union(high)
        if x.rel_accuracy_bits() >= bits or x.rad() <= tiny:
            return x
        middle = flint.arb(x.mid())
        derivative = slope(x)
        if not derivative.contains(0):
            step = middle - p(middle) / derivative
            if step.rad() * 2 < x.rad():
                low, high = (step.intersection(x)).lower(), (step.intersection(x)).upper()
                continue
        value = p(middle)
        if value.is_zero():
            return middle
        if value.contains(0):
            return None
        low, high = (low, middle) if (value > 0) == (rises > 0) else (middle, high)
