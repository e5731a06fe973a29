"""All global minimisers of an exact polynomial on an interval, with proof.

A minimiser is an end of the interval or a zero of the derivative. Those that cannot be lowest are
ruled out in ball arithmetic; whether the rest share one value is decided exactly.
"""

from dataclasses import dataclass

import flint

from .budget import Deadline
from .real_roots import Isolated, enclose, isolate, square_free

BITS = (60, 240, 960)  # precision of the enclosures, raised while several could be lowest
LARGEST_TIE = 40  # degree up to which equality of values that are not rational is decided


@dataclass(frozen=True)
class Enclosure:
    """Hold a ball around one global minimiser, and one around its loss."""

    lr: flint.arb
    loss: flint.arb


@dataclass(frozen=True)
class Certified:
    """Hold the outcome.

    Attributes:
        minimisers: Enclosures that together contain all global minimisers, in order.
        unique: Whether there is one only; None if several remain and it is not decided.
    """

    minimisers: tuple[Enclosure, ...]
    unique: bool | None


@dataclass(frozen=True)
class _Candidate:
    root: Isolated
    of: flint.fmpz_poly

    def enclosure(self, loss: flint.fmpq_poly, bits: int, deadline: Deadline) -> Enclosure:
        lr = enclose(self.of, self.root, bits=bits, deadline=deadline)
        with flint.ctx.workprec(2 * bits + 64 * (loss.degree() + 2)):
            return Enclosure(lr, _value(loss, lr))


def _value(loss: flint.fmpq_poly, lr: flint.arb) -> flint.arb:
    """Return the loss by Taylor's formula of order two, which is tight at a minimum."""
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
) -> Certified:
    """Return the global minimisers of a polynomial on [low, high].

    Arguments:
        loss: Polynomial, not constant.
        low: Lower end.
        high: Upper end.
        floor: A value that the loss is never below.
        deadline: When to give up.

    Raises:
        OutOfBudgetError: Past the deadline.

    Example:
        >>> x, q = flint.fmpq_poly([0, 1]), flint.fmpq
        >>> double = certify((x**2 - 2) ** 2, q(-2), q(2), floor=q(0), deadline=Deadline())
        >>> double.unique, [round(float(m.lr), 12) for m in double.minimisers]
        (False, [-1.414213562373, 1.414213562373])
    """
    slope = square_free(loss.derivative())
    candidates = [_Candidate(root, slope) for root in isolate(slope, low, high, deadline=deadline)]
    ends = [end for end in (low, high) if slope(end) != 0]
    candidates += [_Candidate(Isolated(end, end), slope) for end in ends]
    found: list[tuple[_Candidate, Enclosure]] = []
    unique = None
    for bits in BITS:
        found = [(c, c.enclosure(loss, bits, deadline)) for c in candidates]
        with flint.ctx.workprec(4 * bits):  # the ends of balls are rounded to this precision
            lowest = min((e.loss.upper() for _, e in found), key=lambda upper: upper.mid())
            found = [(c, e) for c, e in found if not e.loss > lowest]
        candidates = [c for c, _ in found]
        if len(found) == 1:
            unique = True
        elif _touch(loss, candidates, floor, deadline) or (
            loss.degree() <= LARGEST_TIE and _tie(loss, slope, ends, found, bits, deadline)
        ):
            unique = False
        if unique is not None:
            break
    found.sort(key=lambda pair: float(pair[1].lr.mid()))
    return Certified(tuple(e for _, e in found), unique)


def _touch(
    loss: flint.fmpq_poly, candidates: list[_Candidate], floor: flint.fmpq, deadline: Deadline
) -> bool:
    """Return whether every candidate is a zero of loss − floor."""
    zeros = (loss - floor).gcd(loss.derivative())
    if zeros.degree() < 1:
        return False
    simple = square_free(zeros)
    return all(_has_root(simple, candidate.root, deadline) for candidate in candidates)


def _has_root(p: flint.fmpz_poly, root: Isolated, deadline: Deadline) -> bool:
    """Return whether p, whose roots are among those isolated, has this one."""
    if root.low == root.high:
        return bool(p(root.low) == 0)
    roots = isolate(p, root.low, root.high, deadline=deadline)
    return any(r.low < root.high and r.high > root.low for r in roots)


def _tie(
    loss: flint.fmpq_poly,
    slope: flint.fmpz_poly,
    ends: list[flint.fmpq],
    found: list[tuple[_Candidate, Enclosure]],
    bits: int,
    deadline: Deadline,
) -> bool:
    """Return whether the balls of all values hold the same one critical value and no other."""
    values = square_free(_critical_values(loss, slope, ends))
    with flint.ctx.workprec(4 * bits):
        low = min((e.loss.lower() for _, e in found), key=lambda x: x.mid())
        high = max((e.loss.upper() for _, e in found), key=lambda x: x.mid())
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
