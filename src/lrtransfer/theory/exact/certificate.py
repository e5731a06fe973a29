"""All global minimisers of an exact polynomial on an interval, with proof.

A minimiser is an end of the interval or a zero of the derivative. Candidates that cannot be lowest
are ruled out in ball arithmetic: numbers with rigorous error bounds. Whether the remaining ones
have equal values is decided exactly.

References:
    Johansson (2017). Arb: efficient arbitrary-precision midpoint-radius interval arithmetic.
    https://doi.org/10.1109/TC.2017.2690633
"""

from dataclasses import dataclass

import flint

from .budget import Deadline
from .real_roots import RootInterval, enclose, isolate, square_free_part

BITS = (60, 240, 960)  # precisions of the enclosures, tried while several could be lowest
MAX_TIE_DEGREE = 40  # up to which equality of values that are not rational is decided


@dataclass(frozen=True)
class Enclosure:
    """A ball that contains one global minimiser, and a ball that contains its loss."""

    lr: flint.arb
    loss: flint.arb


@dataclass(frozen=True)
class Certificate:
    """Proof of where the global minimisers lie.

    Attributes:
        minimisers: Enclosures that together contain all global minimisers, in order.
        unique: Whether there is only one; None if several remain and no proof tells.
    """

    minimisers: tuple[Enclosure, ...]
    unique: bool | None


@dataclass(frozen=True)
class _Candidate:
    root: RootInterval
    polynomial: flint.fmpz_poly  # with this root

    def enclosure(self, loss: flint.fmpq_poly, bits: int, deadline: Deadline) -> Enclosure:
        lr = enclose(self.polynomial, self.root, bits=bits, deadline=deadline)
        with flint.ctx.workprec(2 * bits + 64 * (loss.degree() + 2)):
            return Enclosure(lr, _value(loss, lr))


def _value(loss: flint.fmpq_poly, lr: flint.arb) -> flint.arb:
    """Return a ball around the loss by Taylor's formula of order two, narrow at a minimum."""
    p, middle = flint.arb_poly(loss), flint.arb(lr.mid())
    slope, step = p.derivative(), lr - middle
    return p(middle) + slope(middle) * step + slope.derivative()(lr) * step * step / 2


def certify(
    loss: flint.fmpq_poly,
    low: flint.fmpq,
    high: flint.fmpq,
    *,
    floor: flint.fmpq,
    deadline: Deadline,
) -> Certificate:
    """Return the global minimisers of a polynomial on [low, high].

    Arguments:
        loss: Polynomial, not constant.
        low: Lower end.
        high: Upper end.
        floor: A value that the loss is never below.
        deadline: End of the time budget.

    Returns:
        An enclosure of every global minimiser.

    Raises:
        OutOfBudgetError: Past the deadline.

    Example:
        >>> x, q = flint.fmpq_poly([0, 1]), flint.fmpq
        >>> double = certify((x**2 - 2) ** 2, q(-2), q(2), floor=q(0), deadline=Deadline())
        >>> double.unique, [round(float(m.lr), 12) for m in double.minimisers]
        (False, [-1.414213562373, 1.414213562373])
    """
    slope = square_free_part(loss.derivative())
    candidates = [_Candidate(root, slope) for root in isolate(slope, low, high, deadline=deadline)]
    ends = [end for end in (low, high) if slope(end) != 0]
    candidates += [_Candidate(RootInterval(end, end), slope) for end in ends]
    lowest: list[tuple[_Candidate, Enclosure]] = []
    unique = None
    for bits in BITS:
        enclosures = [(c, c.enclosure(loss, bits, deadline)) for c in candidates]
        with flint.ctx.workprec(4 * bits):  # the ends of balls are rounded to this precision
            bound = min((e.loss.upper() for _, e in enclosures), key=lambda upper: upper.mid())
            lowest = [(c, e) for c, e in enclosures if not e.loss > bound]
        candidates = [c for c, _ in lowest]
        if len(lowest) == 1:
            unique = True
        elif _touch(loss, candidates, floor, deadline) or (
            loss.degree() <= MAX_TIE_DEGREE and _tie(loss, slope, ends, lowest, bits, deadline)
        ):
            unique = False
        if unique is not None:
            break
    lowest.sort(key=lambda pair: float(pair[1].lr.mid()))
    return Certificate(tuple(e for _, e in lowest), unique)


def _touch(
    loss: flint.fmpq_poly, candidates: list[_Candidate], floor: flint.fmpq, deadline: Deadline
) -> bool:
    """Return whether every candidate is a zero of loss − floor."""
    zeros = (loss - floor).gcd(loss.derivative())
    if zeros.degree() < 1:
        return False
    simple = square_free_part(zeros)
    return all(_has_root(simple, candidate.root, deadline) for candidate in candidates)


def _has_root(p: flint.fmpz_poly, root: RootInterval, deadline: Deadline) -> bool:
    """Return whether p, whose roots are among the isolated ones, has this one."""
    if root.low == root.high:
        return bool(p(root.low) == 0)
    roots = isolate(p, root.low, root.high, deadline=deadline)
    return any(r.low < root.high and r.high > root.low for r in roots)


def _tie(
    loss: flint.fmpq_poly,
    slope: flint.fmpz_poly,
    ends: list[flint.fmpq],
    lowest: list[tuple[_Candidate, Enclosure]],
    bits: int,
    deadline: Deadline,
) -> bool:
    """Return whether the union of all balls contains exactly one critical value."""
    values = square_free_part(_critical_values(loss, slope, ends))
    with flint.ctx.workprec(4 * bits):
        low = min((e.loss.lower() for _, e in lowest), key=lambda x: x.mid())
        high = max((e.loss.upper() for _, e in lowest), key=lambda x: x.mid())
    ball = (_exact(low), _exact(high))
    if ball[0] == ball[1]:
        return True
    return len(list(isolate(values, *ball, deadline=deadline))) == 1


def _critical_values(
    loss: flint.fmpq_poly, slope: flint.fmpz_poly, ends: list[flint.fmpq]
) -> flint.fmpq_poly:
    """Return the polynomial whose roots are the losses at the zeros of the slope and at the ends.

    It is the characteristic polynomial of multiplication by the loss modulo the slope.
    """
    modulus, size = flint.fmpq_poly(slope), slope.degree()
    columns = [flint.fmpq_poly([0] * i + [1]) * loss % modulus for i in range(size)]
    matrix = flint.fmpq_mat(size, size, [column[j] for column in columns for j in range(size)])
    values = flint.fmpq_poly(matrix.charpoly())
    for end in ends:
        values *= flint.fmpq_poly([-loss(end), 1])
    return values


def _exact(x: flint.arb) -> flint.fmpq:
    mantissa, exponent = x.mid().man_exp()
    return flint.fmpq(mantissa) * flint.fmpq(2) ** int(exponent)
