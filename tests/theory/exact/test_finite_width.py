"""Structured gradient descent against the plain loop of autograd."""

from typing import Any

import numpy as np
import pytest
import torch

from lrtransfer.errors import UserError
from lrtransfer.theory.exact.deep_linear import Problem
from lrtransfer.theory.exact.finite_width import Weights, draw_weights, finite_losses

from ..problems import ALL, SETTINGS, problem


def plain_loop(problem: Problem, weights: Weights, lr: float, steps: int, sets: Any) -> list[float]:
    """Train multipliers times weights with torch's SGD, in float64."""
    n, d = weights.width, problem.data.dimension
    x, y = torch.tensor(problem.data.inputs), torch.tensor(problem.data.targets)
    tensors, groups, factors = [], [], []
    for layer, draw in enumerate((weights.input, *weights.hidden, weights.output)):
        row = problem.scheme[problem.role(layer)]
        std = n**-row.b / (d**0.5 if layer == 0 else 1)
        tensors.append(torch.tensor(draw.astype(np.float64) * std, requires_grad=True))
        factors.append(float(n) ** -row.a)
        if problem.is_trained(layer):
            rate = lr * float(n) ** -row.c
            # One step shrinks a tensor by lr × decay, whatever its c.
            decay = problem.weight_decay * lr / rate
            groups.append({"params": [tensors[-1]], "lr": rate, "weight_decay": decay})
    optimizer = torch.optim.SGD(groups, momentum=problem.momentum)

    def loss(samples: Any) -> torch.Tensor:
        h = x[samples].T
        for factor, tensor in zip(factors, tensors, strict=True):
            h = factor * (tensor @ h)
        return ((h.T - y[samples]) ** 2).sum() / (2 * h.shape[1])

    losses = []
    for step in range(steps + 1):
        losses.append(float(loss(slice(None)).detach()))
        optimizer.zero_grad()
        loss(slice(None) if sets is None else sets[step % 20]).backward()
        optimizer.step()
    return losses


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
@pytest.mark.parametrize("name", SETTINGS)
def test_equals_the_plain_loop(name: str, depth: int) -> None:
    setting = problem(depth=depth, **SETTINGS[name])
    weights = draw_weights(setting, width=32, seed=depth)
    lrs = np.array([0.03, 0.1])
    sets = SETTINGS[name].get("batches")
    expected = [plain_loop(setting, weights, lr, 20, sets) for lr in lrs.tolist()]
    np.testing.assert_allclose(finite_losses(setting, weights, lrs, steps=20), expected, rtol=1e-10)


@pytest.mark.parametrize("exponent", [99, -99])
def test_factors_out_of_range_are_refused(exponent: float) -> None:
    setting = problem(depth=1, scheme={"hidden": {"c": exponent}})
    weights = draw_weights(setting, width=256, seed=0)
    with pytest.raises(UserError, match=f"got a factor n\\^{-exponent} at width 256"):
        finite_losses(setting, weights, np.array([0.1]), steps=1)


@pytest.mark.parametrize("scheme", ["sp", "ntp", {"hidden": {"a": 0.2, "b": 0.4, "c": 0.3}}])
@pytest.mark.parametrize("trained", [ALL, ("hidden",)])
def test_equals_the_plain_loop_under_every_scheme(
    scheme: str | dict[str, dict[str, float]], trained: tuple[str, ...]
) -> None:
    setting = problem(depth=2, scheme=scheme, trained=trained, weight_decay=0.1)
    weights = draw_weights(setting, width=32, seed=0)
    expected = plain_loop(setting, weights, 1e-3, 20, None)
    losses = finite_losses(setting, weights, np.array([1e-3]), steps=20)
    np.testing.assert_allclose(losses, [expected], rtol=1e-10)


def test_a_complex_step_gives_the_derivative() -> None:
    setting = problem(depth=3)
    weights = draw_weights(setting, width=32, seed=0)
    low, high = finite_losses(setting, weights, np.array([0.1 - 1e-5, 0.1 + 1e-5]), steps=3)[:, -1]
    slope = finite_losses(setting, weights, np.array([0.1 + 1e-30j]), steps=3)[0, -1].imag / 1e-30
    assert slope == pytest.approx((high - low) / 2e-5, rel=1e-6)


def test_single_precision_storage_loses_nothing() -> None:
    setting = problem(depth=2)
    weights = draw_weights(setting, width=1100, seed=0)
    stored = Weights(
        weights.input, tuple(w.astype(np.float32) for w in weights.hidden), weights.output
    )
    lrs = np.array([0.1])
    np.testing.assert_allclose(
        finite_losses(setting, stored, lrs, steps=3),
        finite_losses(setting, weights, lrs, steps=3),
        rtol=1e-13,
    )


def test_divergence_is_data() -> None:
    setting = problem(depth=3)
    weights = draw_weights(setting, width=32, seed=0)
    losses = finite_losses(setting, weights, np.array([0.1, 1e3]), steps=20)
    assert np.isfinite(losses[0]).all()
    assert not np.isfinite(losses[1, -1])


def test_negative_steps_are_refused() -> None:
    setting = problem(depth=1)
    with pytest.raises(UserError, match="steps: got -1"):
        finite_losses(setting, draw_weights(setting, width=4, seed=0), np.ones(1), steps=-1)
