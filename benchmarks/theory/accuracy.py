"""Errors of the theory beside independent computations."""

import flint
import numpy as np
import torch

from lrtransfer.scaling import FloatArray
from lrtransfer.theory.exact.deep_linear import Problem
from lrtransfer.theory.exact.exact_loss import to_rational
from lrtransfer.theory.exact.finite_width import (
    Weights,
    draw_weights,
    finite_losses,
    finite_trajectory,
)
from lrtransfer.theory.exact.first_step import first_step_rate
from lrtransfer.theory.exact.limit import chain_of, limit_losses, trajectory
from lrtransfer.theory.regression import Numbers, Regression, draw_regression

from .section import Row, Section

DEPTHS = (1, 2, 3, 5)
STEPS = 20
DIGITS = 50


def data_sets() -> dict[str, Regression]:
    """Return isotropic, anisotropic, one-dimensional and wide data."""
    rng = np.random.default_rng(0)
    anisotropic = rng.standard_normal((60, 6)) * np.arange(1, 7) ** -0.5
    teacher = rng.standard_normal(6)
    noise = 0.1 * rng.standard_normal(60)
    return {
        "isotropic": draw_regression(count=100, dimension=10, noise=0.1, seed=1),
        "anisotropic": Regression(anisotropic, anisotropic @ teacher + noise),
        "one input": draw_regression(count=30, dimension=1, noise=0.1, seed=2),
        "more inputs than samples": draw_regression(count=8, dimension=20, noise=0.1, seed=3),
    }


def measure() -> Section:
    """Compare with autograd, with the closed form and with 50 digits."""
    one_step = [
        abs(_first_step(Problem(data, depth=depth)))
        for data in data_sets().values()
        for depth in DEPTHS
    ]
    digits = [
        _fifty_digits(Problem(data, depth=depth))
        for data in data_sets().values()
        for depth in DEPTHS
    ]
    rows = (
        Row(
            "finite width against autograd in float64, largest relative error of the loss "
            f"(t ≤ {STEPS}, L = 1, 2, 3, 5, four data sets, three schemes, n = 64)",
            f"{_against_autograd():.1e}",
            "≤ 1e-10",
        ),
        Row("limit at t = 1 against the closed form", f"{max(one_step):.1e}", "≤ 1e-12"),
        Row(
            f"limit at t ≤ {STEPS} against the recursion in {DIGITS} digits",
            f"{max(digits):.1e}",
            "≤ 1e-12",
        ),
    )
    return Section("Accuracy", rows, "")


def _against_autograd() -> float:
    worst = 0.0
    for data in data_sets().values():
        for depth in DEPTHS:
            for scheme in ("mup", "sp", "ntp"):
                problem = Problem(data, depth=depth, scheme=scheme)
                weights = draw_weights(problem, width=64, seed=depth)
                lrs = 0.3 * _stable(problem, weights) * np.array([0.3, 1.0])
                losses = finite_losses(problem, weights, lrs, steps=STEPS)
                plain = np.array([plain_loop(problem, weights, lr, STEPS) for lr in lrs.tolist()])
                worst = max(worst, float(np.abs(losses / plain - 1).max()))
    return worst


def _stable(problem: Problem, weights: Weights) -> float:
    """Return the largest of a few rates at which the loss never rises."""
    first = first_step_rate(problem, lambda lrs: finite_trajectory(problem, weights, lrs, steps=1))
    rates = first * 2.0 ** -np.arange(8)
    losses = finite_losses(problem, weights, rates, steps=STEPS)
    return float(rates[(np.diff(losses) <= 0).all(axis=1)].max(initial=rates[-1]))


def plain_loop(problem: Problem, weights: Weights, lr: float, steps: int) -> list[float]:
    """Return the losses of plain gradient descent in float64, with torch's autograd."""
    n, d = weights.width, problem.data.dimension
    x, y = torch.tensor(problem.data.inputs), torch.tensor(problem.data.targets)
    first = weights.input.astype(np.float64) / d**0.5
    hidden = [torch.tensor(w.astype(np.float64)) for w in weights.hidden]
    head = torch.tensor(weights.output.astype(np.float64))
    row_h, row_o = problem.scheme.hidden, problem.scheme.output
    for w in hidden:
        w.mul_(n**-row_h.b).requires_grad_()
    h0 = x @ torch.tensor(first).T
    losses = []
    for step in range(steps + 1):
        h = h0
        for w in hidden:
            h = n**-row_h.a * (h @ w.T)
        output = h @ (n**-row_o.spread * head).T
        loss = ((output - y) ** 2).sum() / (2 * len(x))
        losses.append(loss.item())
        if step < steps:
            for w, gradient in zip(hidden, torch.autograd.grad(loss, hidden), strict=True):
                w.data -= lr * n**-row_h.c * gradient
    return losses


def _first_step(problem: Problem) -> float:
    data = problem.data
    lrs = np.linspace(0.1, 2, 8)
    shares = lrs[:, None, None] * problem.depth / data.count * data.pull - data.targets
    expected = (shares**2).sum(axis=(1, 2)) / (2 * data.count)
    losses = limit_losses(problem, lrs, steps=1)[:, 1]
    return float(np.abs(losses / expected - 1).max())


class _FiftyDigits:
    """The samples in ball arithmetic, in the coordinates of the inputs."""

    def __init__(self, data: Regression) -> None:
        def ball(values: FloatArray) -> Numbers:
            balls: Numbers = np.vectorize(lambda v: flint.arb(to_rational(v)), otypes=[object])(
                values
            )
            return balls

        self.x, self.y = ball(data.inputs), ball(data.targets)

    def gradient(self, step: int, phi: Numbers) -> Numbers:
        """Return the gradient of the loss of all samples."""
        gradient: Numbers = self.x.T @ (self.x @ phi - self.y) / len(self.x)
        return gradient

    def losses(self, phi: Numbers) -> Numbers:
        """Return the loss."""
        loss: Numbers = ((self.x @ phi - self.y) ** 2).sum(axis=(-2, -1)) / (2 * len(self.x))
        return loss


def _fifty_digits(problem: Problem) -> float:
    weights = draw_weights(problem, width=256, seed=0)
    lr = 0.3 * _stable(problem, weights)
    with flint.ctx.workprec(int(DIGITS * 3.33) + 64):
        samples = _FiftyDigits(problem.data)
        chain = chain_of(
            problem, features=problem.data.dimension, number=lambda v: flint.arb(to_rational(v))
        )
        rates = np.empty(1, object)
        rates[0] = flint.arb(to_rational(lr))
        losses = samples.losses(trajectory(chain, samples, rates, steps=STEPS))[:, 0]
        assert all(loss.rel_accuracy_bits() > DIGITS * 3.33 for loss in losses)
    float64_losses = limit_losses(problem, np.array([lr]), steps=STEPS)[0]
    return float(np.abs(float64_losses / losses.astype(float) - 1).max())
