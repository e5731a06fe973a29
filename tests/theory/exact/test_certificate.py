"""Certified minimisers of polynomials whose minimisers are known."""

import math
from fractions import Fraction

import flint
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrtransfer.theory.exact.budget import Deadline, OutOfBudgetError
from lrtransfer.theory.exact.certificate import Certificate, certify
from lrtransfer.theory.exact.real_roots import (
    enclose,
    isolate,
    root_bound,
    square_free_part,
)

X = flint.fmpq_poly([0, 1])
SIMPLE_RANGE = st.integers(-40, 40)


def certified(loss: flint.fmpq_poly, low: int = -4, high: int = 4) -> Certificate:
    return certify(
        loss, flint.fmpq(low), flint.fmpq(high), floor=flint.fmpq(-9), deadline=Deadline()
    )


def contains(certificate: Certificate, truths: list[float]) -> bool:
    """Return whether the enclosures hold the truths, one each, and are tight."""
    return len(certificate.minimisers) == len(truths) and all(
        abs(float(m.lr.mid()) - truth) <= 1e-15 * abs(truth) and float(m.lr.rad()) < 1e-15
        for m, truth in zip(certificate.minimisers, truths, strict=True)
    )


@pytest.mark.parametrize(
    ("loss", "truths", "unique"),
    [
        ((3 * X - 1) ** 2, [1 / 3], True),
        ((X**2 - 2) ** 2, [-math.sqrt(2), math.sqrt(2)], False),
        ((X**2 - 2) ** 2 + X / 10**30, [-math.sqrt(2)], True),
        ((3 * X - 1) ** 8, [1 / 3], True),  # flat
        (((X - 1) * (X + 2) * (2 * X - 1)) ** 4, [-2, 0.5, 1], False),  # flat and thrice
        (X**2 * (X - 1) ** 2 + flint.fmpq(1, 7), [0, 1], False),
        (X**4 - 10 * X**2, [-math.sqrt(5), math.sqrt(5)], False),  # values tie off the floor
        (X**3 - 3 * X, [-4], True),  # an end
        (X**2 * (X**2 - 16), [-math.sqrt(8), math.sqrt(8)], False),
        (-(X**2), [-4, 4], False),  # both ends
        (-X, [4], True),
    ],
)
def test_known_minimisers(loss: flint.fmpq_poly, truths: list[float], unique: bool) -> None:
    certificate = certified(loss)
    assert contains(certificate, truths)
    assert certificate.unique is unique


@pytest.mark.parametrize("level", [flint.fmpq(0), flint.fmpq(1, 7)])
def test_values_that_differ_by_little_do_not_tie(level: flint.fmpq) -> None:
    # From both minima of (x² − 2)² the tilt moves the values apart by 10^-200.
    certificate = certified((X**2 - 2) ** 2 + X / 10**200 + level)
    assert contains(certificate, [-math.sqrt(2)])
    assert certificate.unique is True


def test_ties_of_high_degree_stay_open_off_the_floor() -> None:
    certificate = certified((X**2 - 2) ** 2 * (1 + X**2) ** 20)
    assert len(certificate.minimisers) == 2
    assert certificate.unique is None


def test_a_deadline_is_kept() -> None:
    with pytest.raises(OutOfBudgetError):
        certify(X**2, flint.fmpq(-1), flint.fmpq(1), floor=flint.fmpq(0), deadline=Deadline(0))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(SIMPLE_RANGE, st.integers(1, 9)), min_size=1, max_size=8, unique=True))
def test_all_real_roots_are_isolated(parts: list[tuple[int, int]]) -> None:
    roots = sorted({Fraction(p, q) for p, q in parts})
    poly = flint.fmpq_poly([1, 0, 1])  # two that are not real
    for root in roots:
        poly *= flint.fmpq_poly([-root.numerator, root.denominator]) ** (1 + root.numerator % 3)
    simple = square_free_part(poly)
    bound = root_bound(simple)
    intervals = list(isolate(simple, -bound, bound, deadline=Deadline()))[::-1]
    assert len(intervals) == len(roots)
    for interval, root in zip(intervals, roots, strict=True):
        ball = enclose(simple, interval, bits=60, deadline=Deadline())
        with flint.ctx.workprec(1000):
            assert ball.overlaps(flint.arb(flint.fmpq(root.numerator, root.denominator)))
        assert float(ball.rad()) <= 1e-17 * abs(float(root)) + 1e-40


def test_roots_of_a_high_degree() -> None:
    # Chebyshev's polynomial has all its roots cos((2k + 1)π / 2D) in (−1, 1).
    degree = 60
    poly = flint.fmpz_poly.chebyshev_t(degree)
    intervals = list(isolate(poly, flint.fmpq(-1), flint.fmpq(1), deadline=Deadline()))
    balls = [enclose(poly, root, bits=60, deadline=Deadline()) for root in intervals]
    expected = np.cos(np.pi * (2 * np.arange(degree) + 1) / (2 * degree))
    assert [float(ball.mid()) for ball in balls] == pytest.approx(expected, rel=1e-13)
