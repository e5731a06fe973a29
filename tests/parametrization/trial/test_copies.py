"""Copies have the class and the options of an optimizer, and nothing of its tensors and state."""

from typing import Any

import pytest
import torch

from lrtransfer.parametrization.trial.behaviour import Case, Untried, measure_behaviour
from lrtransfer.parametrization.trial.copies import COPIERS, Copier, rebuild, strip

from . import strange_optimizers as strange


def parameters() -> list[torch.nn.Parameter]:
    p = torch.nn.Parameter(torch.ones(3, 3))
    p.grad = torch.ones(3, 3)
    return [p]


def groups() -> list[dict[str, Any]]:
    return [{"params": parameters(), "lr": 0.5, "weight_decay": 0.0}]


class Holding(strange.Sign):
    """Keep an option under another name, and its tensors in an attribute."""

    def __init__(self, params: Any, lr: float = 1e-4, *, slowed: bool = False) -> None:
        super().__init__(params, lr=lr)
        self.slow, self.steps_made, self.history = slowed, 0, [[0.0]]
        self.trained = [p for group in self.param_groups for p in group["params"]]

    def rate(self, group: dict[str, Any]) -> float:
        self.history[0].append(1.0)
        return super().rate(group) / (2 if self.slow else 1)


@pytest.mark.parametrize("copier", COPIERS)
def test_a_copy_steps_its_own_tensors_as_the_optimizer_would(copier: Copier) -> None:
    own = parameters()
    optimizer = Holding([{"params": own, "lr": 0.5}], slowed=True)
    torch.optim.lr_scheduler.StepLR(optimizer, 1)  # wraps `step`
    optimizer.register_step_pre_hook(lambda *_: pytest.fail("a hook of the optimizer"))
    optimizer.state[own[0]]["begun"] = True
    tried = groups()
    copied = copier(optimizer, tried)
    copied.step()
    assert torch.equal(tried[0]["params"][0], torch.full((3, 3), 0.75))
    assert torch.equal(own[0], torch.ones(3, 3))
    assert optimizer.history == [[0.0]]
    assert isinstance(copied, Holding)
    assert not copied.state


def test_options_of_the_constructor_are_found_by_their_names() -> None:
    class Named(strange.Sign):
        def __init__(self, params: Any, lr: float, gain: float, *, _depth: int) -> None:
            super().__init__(params, lr=lr)
            self._gain, self._depth = gain, _depth

    optimizer = Named(groups(), 0.5, 3.0, _depth=4)
    copied = rebuild(optimizer, groups())
    assert isinstance(copied, Named)
    assert (copied._gain, copied._depth, copied.constructor_lr) == (3.0, 4, 0.5)


def test_state_made_by_the_constructor_is_made_again() -> None:
    class Early(strange.Sign):
        def __init__(self, params: Any, lr: float = 0.5) -> None:
            super().__init__(params, lr=lr)
            for group in self.param_groups:
                for p in group["params"]:
                    self.state[p]["sum"] = torch.zeros_like(p)

        def direction(self, p: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
            self.state[p]["sum"] += g
            return g.sign()

    optimizer, tried = Early(groups()), groups()
    rebuild(optimizer, tried).step()
    assert not optimizer.state[optimizer.param_groups[0]["params"][0]]["sum"].any()
    with pytest.raises(KeyError, match="sum"):
        strip(optimizer, tried).step()


def test_optimizers_inside_others_are_stripped_along() -> None:
    class Around(torch.optim.Optimizer):
        """As SAM and Lookahead: made from another optimizer."""

        def __init__(self, inside: torch.optim.Optimizer) -> None:
            self.inside, self.defaults = inside, inside.defaults
            self.param_groups, self.state = inside.param_groups, inside.state

        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            self.inside.step()

    own = parameters()
    around = Around(strange.Sign([{"params": own, "lr": 0.5}]))
    measured = measure_behaviour(Case(around, {}, lr=0.01, decays=False))
    assert not isinstance(measured, Untried)
    assert measured.lr_power == pytest.approx(1)
    assert torch.equal(own[0], torch.ones(3, 3))


def test_nothing_large_is_copied() -> None:
    class Once(torch.Tensor):
        def __deepcopy__(self, memo: Any) -> Any:
            raise AssertionError("a tensor of the user's is copied")

    own = torch.ones(3, 3).as_subclass(Once)
    optimizer = strange.Sign([torch.nn.Parameter(own)])
    for copier in COPIERS:
        copier(optimizer, groups()).step()


def test_a_closure_is_given_where_it_is_wanted() -> None:
    class Closing(strange.Sign):
        def step(self, closure: Any) -> None:  # type: ignore[override]
            closure()
            super().step()

    measured = measure_behaviour(Case(Closing(groups()), {}, lr=0.01, decays=False))
    assert not isinstance(measured, Untried)
    assert measured.gradient_power == 0
