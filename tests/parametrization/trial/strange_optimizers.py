"""Optimizers that each break one promise of the rules, as public packages do.

Each names a package that does so. All of them are signSGD but for that one thing.
"""

from collections.abc import Iterable
from typing import Any

import torch

Tensor = torch.Tensor
Group = dict[str, Any]


class Sign(torch.optim.Optimizer):
    """signSGD with decay lr · λ · W: what all others are made from."""

    def __init__(self, params: Iterable[Any], lr: float = 1e-4, **settings: Any) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": 0.0} | settings)
        self.constructor_lr = lr

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for i, p in enumerate(group["params"]):
                if p.grad is not None:
                    self.update(p, p.grad, group, i)

    def update(self, p: Tensor, g: Tensor, group: Group, place: int) -> None:
        p.sub_(p, alpha=self.decay(group))
        p.sub_(self.direction(p, g), alpha=self.rate(group))

    def rate(self, group: Group) -> float:
        return float(group["lr"])

    def decay(self, group: Group) -> float:
        return float(group["lr"] * group["weight_decay"])

    def direction(self, p: Tensor, g: Tensor) -> Tensor:
        return g.sign()


class IgnoresRates(Sign):
    """As Prodigy of pytorch-optimizer 4.1."""

    def rate(self, group: Group) -> float:
        return float(self.param_groups[0]["lr"])


class RefusesRates(Sign):
    """As prodigyopt 1.1 and dadaptation 3.2."""

    def update(self, p: Tensor, g: Tensor, group: Group, place: int) -> None:
        if len({float(own["lr"]) for own in self.param_groups}) > 1:
            raise RuntimeError("different lr values in different parameter groups")
        super().update(p, g, group, place)


class CapsRates(Sign):
    """Take no rate above 2^-7."""

    def rate(self, group: Group) -> float:
        return min(float(group["lr"]), 2.0**-7)


class RootOfRate(Sign):
    """As MADGRAD: its step goes as lr^(2/3)."""

    def rate(self, group: Group) -> float:
        return float(group["lr"] ** (2 / 3))


class Coupled(Sign):
    """As ADOPT of pytorch-optimizer 4.1: the decay is added to the gradient."""

    def update(self, p: Tensor, g: Tensor, group: Group, place: int) -> None:
        p.sub_((g + group["weight_decay"] * p).sign(), alpha=group["lr"])


class FixedDecay(Sign):
    """As `fixed_decay=True` of pytorch-optimizer 4.1."""

    def decay(self, group: Group) -> float:
        return float(group["weight_decay"])


class SquaredDecay(Sign):
    """As AdamC of heavyball 3.2.1: the decay goes as the square of the rate."""

    def decay(self, group: Group) -> float:
        return float(group["lr"] ** 2 * group["weight_decay"] / 0.01)


class DividedDecay(Sign):
    """As the decoupled decay of lion-pytorch 0.2.5: divided by the constructor's rate."""

    def decay(self, group: Group) -> float:
        return super().decay(group) / self.constructor_lr


class NoDecay(Sign):
    """Know decay under another name."""

    def decay(self, group: Group) -> float:
        return 0.0


class DecayOfNormed(Sign):
    """Take a share that falls with the norm, as FAdam of pytorch-optimizer 4.1."""

    def update(self, p: Tensor, g: Tensor, group: Group, place: int) -> None:
        p.sub_(p / p.norm(), alpha=self.decay(group))
        p.sub_(g.sign(), alpha=group["lr"])


class DecayByGradient(Sign):
    """Take a share that grows with the gradient, as AdamS of pytorch-optimizer 4.1."""

    def update(self, p: Tensor, g: Tensor, group: Group, place: int) -> None:
        p.sub_(p * g.abs().mean(), alpha=self.decay(group))
        p.sub_(g.sign(), alpha=group["lr"])


class StepByEps(Sign):
    """As AdaDelta: what is to keep a root from 0 sets the size of the step."""

    def rate(self, group: Group) -> float:
        return float(group["lr"] * group["eps"] * 1e8)


class ByPlace(Sign):
    """As GrokAdamW 0.1.2: the step depends on the place in the group."""

    def update(self, p: Tensor, g: Tensor, group: Group, place: int) -> None:
        p.sub_(g.sign(), alpha=group["lr"] * 0.9**place)


class Redraws(Sign):
    """As Scion of heavyball 3.2.1: new weights at the first step."""

    def update(self, p: Tensor, g: Tensor, group: Group, place: int) -> None:
        if not self.state[p]:
            self.state[p]["begun"] = True
            torch.nn.init.orthogonal_(p)
        super().update(p, g, group, place)


class Proportional(Sign):
    """Follow the size of the gradient, as SGD."""

    def direction(self, p: Tensor, g: Tensor) -> Tensor:
        return g


class BySide(Sign):
    """Smaller steps for larger matrices: 0.2 / √larger in place of 1."""

    def direction(self, p: Tensor, g: Tensor) -> Tensor:
        return g.sign().mul(0.2 / max(p.shape) ** 0.5)


class Trust(Sign):
    """A trust ratio; the decay is inside, as in LAMB."""

    def update(self, p: Tensor, g: Tensor, group: Group, place: int) -> None:
        u = g.sign() + group["weight_decay"] * p
        p.sub_(u, alpha=float(group["lr"] * self.norm(p) / u.norm()))

    def norm(self, p: Tensor) -> float:
        return float(p.norm())


class DecayOutside(Trust):
    """As LAMB of bitsandbytes 0.50: the decay is outside the trust ratio."""

    def update(self, p: Tensor, g: Tensor, group: Group, place: int) -> None:
        p.sub_(p, alpha=self.decay(group))
        p.sub_(g.sign(), alpha=float(group["lr"] * self.norm(p) / p.numel() ** 0.5))


class CappedTrust(Trust):
    """As LAMB of pytorch-optimizer 4.1 and torch-optimizer 0.3: no norm counts above 10."""

    def norm(self, p: Tensor) -> float:
        return min(float(p.norm()), 10.0)


class FixedRank(Sign):
    """As GaLore at a fixed rank: the step has rank `rank`, of singular values √side."""

    def update(self, p: Tensor, g: Tensor, group: Group, place: int) -> None:
        left, _, right = torch.linalg.svd(g, full_matrices=False)
        rank = group["rank"]
        step = left[:, :rank] @ right[:rank] * max(p.shape) ** 0.5
        p.sub_(step, alpha=group["lr"])
