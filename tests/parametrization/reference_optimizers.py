"""Optimizers in exact arithmetic (no bfloat16, no Newton-Schulz, no clamps), for tests of rules.

Each follows its paper's update for one tensor; weight decay is decoupled, W -= lr λ W, unless said
otherwise. Roots are square roots throughout, so that scaling by a power of four is exact.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch

Tensor = torch.Tensor


class Reference(torch.optim.Optimizer):
    """Step every tensor by `update`, which subclasses define."""

    def __init__(self, params: Iterable[Any], **settings: Any) -> None:
        defaults = {"lr": 1e-3, "weight_decay": 0.0, "eps": 0.0, "momentum": 0.9}
        super().__init__(params, defaults | settings)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    state = self.state[p]
                    state["step"] = state.get("step", 0) + 1
                    self.update(p, p.grad, state, group)

    def update(self, p: Tensor, g: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        raise NotImplementedError


def _decay(p: Tensor, group: dict[str, Any]) -> None:
    p.mul_(1 - group["lr"] * group["weight_decay"])


def _average(state: dict[str, Any], key: str, value: Tensor, beta: float) -> Tensor:
    """Keep an exponential moving average, from zero."""
    mean: Tensor = state.setdefault(key, torch.zeros_like(value))
    mean.mul_(beta).add_(value, alpha=1 - beta)
    return mean


def _adam_direction(g: Tensor, state: dict[str, Any], eps: float) -> Tensor:
    first = _average(state, "first", g, 0.9) / (1 - 0.9 ** state["step"])
    second = _average(state, "second", g * g, 0.99) / (1 - 0.99 ** state["step"])
    direction: Tensor = first / (second.sqrt() + eps)
    return direction


class SignSGD(Reference):
    """signSGD with momentum (arXiv 1802.04434)."""

    def update(self, p: Tensor, g: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        _decay(p, group)
        p.sub_(_average(state, "mean", g, group["momentum"]).sign(), alpha=group["lr"])


class Lion(Reference):
    """Lion (arXiv 2302.06675), β = (0.9, 0.99)."""

    def update(self, p: Tensor, g: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        mean = state.setdefault("mean", torch.zeros_like(g))
        _decay(p, group)
        p.sub_((0.9 * mean + 0.1 * g).sign(), alpha=group["lr"])
        _average(state, "mean", g, 0.99)


class Lamb(Reference):
    """LAMB (arXiv 1904.00962), algorithm 2: decay is inside the trust ratio."""

    def update(self, p: Tensor, g: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        u = _adam_direction(g, state, group["eps"]) + group["weight_decay"] * p
        p.sub_(u * (p.norm() / u.norm()), alpha=group["lr"])


class Lars(Reference):
    """LARS (arXiv 1708.03888): decay is added to the gradient."""

    def update(self, p: Tensor, g: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        rate = p.norm() / (g.norm() + group["weight_decay"] * p.norm())
        step = rate * (g + group["weight_decay"] * p)
        p.sub_(_average(state, "mean", step, group["momentum"]), alpha=group["lr"])


class Sophia(Reference):
    """Sophia (arXiv 2305.14342) with squared gradients for the diagonal of the Hessian."""

    def update(self, p: Tensor, g: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        mean = _average(state, "mean", g, 0.9)
        curvature = _average(state, "curvature", g * g, 0.99)
        _decay(p, group)
        newton = mean / (group["gamma"] * curvature).clamp(min=1e-300)
        p.sub_(newton.clamp(-1, 1), alpha=group["lr"])


_SHAPE_FACTORS: dict[str, Callable[[int, int], float]] = {
    "plain": lambda fan_out, fan_in: 1.0,
    "keller": lambda fan_out, fan_in: max(1.0, fan_out / fan_in) ** 0.5,
    "spectral": lambda fan_out, fan_in: (fan_out / fan_in) ** 0.5,
    "kimi": lambda fan_out, fan_in: 0.2 * max(fan_out, fan_in) ** 0.5,
}


class Muon(Reference):
    """Momentum, orthogonalised by a singular value decomposition, times a factor of the shape."""

    def update(self, p: Tensor, g: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        mean = _average(state, "mean", g, group["momentum"])
        left, _, right = torch.linalg.svd(mean, full_matrices=False)
        factor = _SHAPE_FACTORS[group["variant"]](*p.shape)
        _decay(p, group)
        p.sub_(left @ right, alpha=group["lr"] * factor)


def _inverse_root(statistics: Tensor, halvings: int, damping: float) -> Tensor:
    r"""Return :math:`(S + damping)^{-1/2^{halvings}}`."""
    values, vectors = torch.linalg.eigh(statistics)
    values = values.clamp(min=0) + damping
    for _ in range(halvings):
        values = values.sqrt()
    root: Tensor = (vectors / values) @ vectors.T
    return root


class Shampoo(Reference):
    """Shampoo (arXiv 1802.09568); exponents 1/2^halvings; `eps` is the damping."""

    def update(self, p: Tensor, g: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        left = state.setdefault("left", torch.zeros(2 * g.shape[:1], dtype=g.dtype))
        right = state.setdefault("right", torch.zeros(2 * g.shape[1:], dtype=g.dtype))
        left.add_(g @ g.T)
        right.add_(g.T @ g)
        roots = (_inverse_root(s, group["halvings"], group["eps"]) for s in (left, right))
        first, last = roots
        _decay(p, group)
        p.sub_(first @ g @ last, alpha=group["lr"])


class Soap(Reference):
    """SOAP (arXiv 2409.11321): Adam in the eigenbasis of Shampoo, renewed at every step."""

    def update(self, p: Tensor, g: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        left = _average(state, "left", g @ g.T, 0.95)
        right = _average(state, "right", g.T @ g, 0.95)
        rows, columns = torch.linalg.eigh(left)[1], torch.linalg.eigh(right)[1]
        mean = _average(state, "mean", g, 0.9) / (1 - 0.9 ** state["step"])
        rotated = rows.T @ g @ columns
        second = _average(state, "second", rotated * rotated, 0.99) / (1 - 0.99 ** state["step"])
        step = (rows.T @ mean @ columns) / (second.sqrt() + group["eps"])
        _decay(p, group)
        p.sub_(rows @ step @ columns.T, alpha=group["lr"])
