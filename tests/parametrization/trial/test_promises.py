"""Every promise of the rules that an optimizer can break is measured, and named in the message."""

import time
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from lrtransfer.errors import ParametrizationError
from lrtransfer.models.configs import MLPConfig
from lrtransfer.models.mlp import MLP
from lrtransfer.parametrization.recipe.recipe import Recipe

from ..measured import parametrize_measured_once
from . import strange_optimizers as strange

BASE, WIDTH = 16, 64
LR, DECAY = 2.0**-6, 0.125
build = partial(MLP, config=MLPConfig(inputs=5, outputs=3))


def make(cls: Any, follows: str = "lion") -> Recipe:
    return parametrize_measured_once(
        build, width=WIDTH, base_width=BASE, optimizer=cls, follows=follows
    )


def verify(
    cls: Any,
    follows: str = "lion",
    *,
    weight_decay: float = DECAY,
    test: bool | None = None,
    own: dict[str, Any] | None = None,
    **options: Any,
) -> None:
    recipe, model = make(cls, follows), build(WIDTH)
    groups = recipe.param_groups(model, lr=LR, weight_decay=weight_decay, eps=1e-8)
    if cls is strange.StepByEps:  # signs have no eps in the rules
        own = {"eps": 1e-8}
    recipe.verify(model, cls([g | (own or {}) for g in groups], **options), test=test)


@pytest.mark.parametrize(
    ("cls", "follows"),
    [
        (strange.Sign, "lion"),
        (strange.Sign, "adamw"),
        (strange.Proportional, "sgd"),
        (strange.Trust, "lamb"),
        (torch.optim.AdamW, "adamw"),
        (torch.optim.SGD, "sgd"),
    ],
)
def test_what_keeps_the_promises_passes(cls: Any, follows: str) -> None:
    verify(cls, follows, test=True)


BROKEN: dict[Any, str] = {
    strange.IgnoresRates: "steps as large at a quarter of the learning rate: it ignores the rates",
    strange.RefusesRates: r"raises an error where groups have unequal .*\(RuntimeError: different",
    strange.CapsRates: r"goes as the power 0\.50 of the learning rate",
    strange.RootOfRate: r"goes as the power 0\.67 of the learning rate",
    strange.Coupled: r"decay that is added to the gradient .* decoupled, or weight_decay=0\.",
    strange.FixedDecay: "weight decay that is independent of the group's learning rate",
    strange.SquaredDecay: r"weight decay that is as the power 2\.00 of the group's learning rate",
    strange.DividedDecay: r"divided by the constructor's .*, 0\.0001.*DividedDecay\(groups, lr=0",
    strange.NoDecay: "no weight decay in a step, although the groups have one",
    strange.DecayOfNormed: r"share of the weights 0\.06\d times as large with weights 16 times as",
    strange.DecayByGradient: r"share of the weights 16 times as large with gradients 16 times as",
    strange.StepByEps: r"a step that goes as the power 1\.00 of eps",
    strange.ByPlace: r"of equal tensors of one group that differ by a factor of 1\.23, by their",
    strange.Redraws: r"weights that move by \S+ of an ordinary step without a gradient",
    strange.Proportional: r"power 1\.00 of the gradient's size.*Its steps are those of .*'sgd'",
    strange.BySide: r"a step 0\.4\d times as large for a \(32, 32\).*those of .*'muon_plain'",
    strange.Trust: r"step 16 times as large with weights 16 .* wanted 1 .*follows='adafactor' or",
}
OF_NORM: dict[Any, str] = {
    strange.DecayOutside: "weight decay outside the trust ratio",
    strange.CappedTrust: r"a step 9\..* times as large with weights 16 .* wanted 16 .*at a fixed",
    strange.Sign: r"a step 1 times as large with weights 16 .* wanted 16 .*follows='adamw'",
}


@pytest.mark.parametrize(
    ("cls", "follows", "message"),
    [(cls, "lion", message) for cls, message in BROKEN.items()]
    + [(cls, "lamb", message) for cls, message in OF_NORM.items()],
)
def test_broken_promises_are_named(cls: Any, follows: str, message: str) -> None:
    with pytest.raises(ParametrizationError, match=rf"verify: .*{cls.__name__}.*{message}"):
        verify(cls, follows)
    verify(cls, follows, test=False)


WITHOUT = [strange.Coupled, strange.FixedDecay, strange.SquaredDecay, strange.DividedDecay]


@pytest.mark.parametrize("cls", [*WITHOUT, strange.NoDecay, strange.DecayOfNormed])
def test_decay_is_judged_only_where_there_is_one(cls: Any) -> None:
    verify(cls, weight_decay=0.0)


def test_decay_outside_the_trust_ratio_is_no_matter_without_decay() -> None:
    verify(strange.DecayOutside, "lamb", weight_decay=0.0)


def test_decay_divided_by_the_rate_tuned_is_right() -> None:
    verify(strange.DividedDecay, lr=LR)
    verify(strange.SquaredDecay, weight_decay=0.0)


def test_the_trial_sees_the_options_of_the_optimizer_and_of_its_groups() -> None:
    class Switched(strange.Sign):
        """Ignore the rates if an option of the constructor, or of the group, says so."""

        def __init__(self, params: Any, *, ignoring: bool = False, **settings: Any) -> None:
            super().__init__(params, **settings)
            self._told = ignoring

        def rate(self, group: dict[str, Any]) -> float:
            told = self._told or group.get("ignoring", False)
            return LR if told else float(group["lr"])

    verify(Switched)
    for options in ({"ignoring": True}, {"own": {"ignoring": True}}):
        with pytest.raises(ParametrizationError, match="it ignores the rates of its groups"):
            verify(Switched, **options)


def test_a_fixed_rank_is_a_caution_and_a_full_one_is_not() -> None:
    with pytest.warns(UserWarning, match=r"0\.4\d times .* a fixed rank.*Let the rank grow"):
        verify(strange.FixedRank, weight_decay=0.0, own={"rank": 2})
    verify(strange.FixedRank, weight_decay=0.0, own={"rank": WIDTH})


class Unmakeable(strange.Sign):
    """Whose steps need more than a copy has."""

    def update(self, p: Any, g: Any, group: Any, place: int) -> None:
        raise RuntimeError("where is my cluster?")


def test_what_cannot_be_tried_is_said() -> None:
    with pytest.warns(UserWarning, match=r"no copy could be tried \(RuntimeError: where is my"):
        verify(Unmakeable)
    with pytest.raises(ParametrizationError, match=r"no copy could be tried .* pass test=False"):
        verify(Unmakeable, test=True)
    verify(Unmakeable, test=False)


def test_a_trial_takes_well_under_a_second() -> None:
    verify(strange.Sign)
    start = time.process_time()
    verify(strange.Sign)
    assert time.process_time() - start < 0.5


def test_subclasses_of_known_classes_are_tried() -> None:
    class Late(torch.optim.AdamW):
        """AdamW whose decay is coupled all the same."""

        def step(self, closure: Any = None) -> Any:
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        p.grad = p.grad + group["weight_decay"] * p.detach()
            decays = [group["weight_decay"] for group in self.param_groups]
            for group in self.param_groups:
                group["weight_decay"] = 0.0
            super().step(closure)
            for group, decay in zip(self.param_groups, decays, strict=True):
                group["weight_decay"] = decay

    model = build(WIDTH)
    recipe = make(torch.optim.AdamW, "adamw")
    for cls, test in ((Late, None), (torch.optim.AdamW, True)):
        optimizer = cls(recipe.param_groups(model, lr=LR, weight_decay=DECAY, eps=1e-8))
        if cls is Late:
            with pytest.raises(ParametrizationError, match="added to the gradient"):
                recipe.verify(model, optimizer, test=test)
        else:
            recipe.verify(model, optimizer, test=test)


@pytest.mark.parametrize(
    ("cls", "follows", "options"),
    [
        (torch.optim.Adam, "adamw", {}),
        (torch.optim.Adam, "adamw", {"decoupled_weight_decay": False}),
        (torch.optim.NAdam, "adamw", {}),
        (type("Mine", (torch.optim.Adam,), {}), "adamw", {}),
        (type("Mine", (torch.optim.RMSprop,), {}), "adamw", {}),
        (torch.optim.Adagrad, "adamw", {}),
    ],
)
@pytest.mark.parametrize("test", [True, False])
def test_coupled_decay_of_torch_is_found_without_a_trial(
    cls: Any, follows: str, options: dict[str, Any], test: bool
) -> None:
    with pytest.raises(ParametrizationError, match=r"weight_decay: got 0\.\d+ for '\w+', which"):
        verify(cls, follows, test=test, **options)
    verify(cls, follows, test=test, weight_decay=0.0, **options)


def test_coupled_decay_of_gradient_descent_passes() -> None:
    class Plain(strange.Sign):
        """SGD that names the option of its decay."""

        def update(self, p: Any, g: Any, group: Any, place: int) -> None:
            p.sub_(g + group["weight_decay"] * p, alpha=group["lr"])

    verify(Plain, "sgd", decoupled_weight_decay=False)


@pytest.mark.parametrize("cls", [torch.optim.Adam, torch.optim.NAdam])
def test_decoupled_decay_of_adam_passes(cls: Any) -> None:
    verify(cls, "adamw", decoupled_weight_decay=True, test=True)


@pytest.mark.parametrize(
    ("cls", "follows", "families"),
    [
        (torch.optim.SGD, "adamw", "'sgd'"),
        (torch.optim.AdamW, "lamb", "'adamw'"),
        (torch.optim.Muon, "muon_plain", "'muon_keller' or 'muon_kimi'"),
        (torch.optim.Muon, "adamw", "'muon_keller' or 'muon_kimi'"),
    ],
)
def test_a_known_class_follows_its_own_family(cls: Any, follows: str, families: str) -> None:
    message = rf"follows: got '{follows}' for \S+, whose steps are those of {families}, wanted"
    with pytest.raises(ParametrizationError, match=message):
        make(cls, follows)


def test_the_optimizer_is_left_as_it_is() -> None:
    recipe, model = make(strange.Redraws), build(WIDTH)
    optimizer = strange.Redraws(recipe.param_groups(model, lr=LR, weight_decay=0.0))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 0.5)
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    optimizer.step()
    schedule.step()
    before = [p.detach().clone() for p in model.parameters()]
    state, random = dict(optimizer.state), torch.get_rng_state()
    groups = [dict(group) for group in optimizer.param_groups]
    with pytest.raises(ParametrizationError, match="without a gradient"):
        recipe.verify(model, optimizer)
    assert all(torch.equal(p, old) for p, old in zip(model.parameters(), before, strict=True))
    assert optimizer.state == state
    assert torch.equal(torch.get_rng_state(), random)
    assert [dict(group) for group in optimizer.param_groups] == groups


def test_messages_join_all_that_is_otherwise() -> None:
    class Both(strange.FixedDecay, strange.RootOfRate):
        pass

    message = r"got a step that goes as the power 0\.67.* Also: got weight decay that is indep"
    with pytest.raises(ParametrizationError, match=message) as caught:
        verify(Both)
    assert str(caught.value).count("Also: ") == 1


def test_two_kinds_of_groups_in_one_optimizer() -> None:
    """One class trains hidden matrices and, by a flag, all else, as Keller Jordan's does."""

    class Mixed(strange.Sign):
        def direction(self, p: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
            return g.sign()

        def update(self, p: Any, g: Any, group: Any, place: int) -> None:
            if not group["orthogonal"]:
                return super().update(p, g, group, place)
            left, _, right = torch.linalg.svd(g, full_matrices=False)
            p.sub_(p, alpha=self.decay(group))
            p.sub_(left @ right, alpha=group["lr"])
            return None

    recipe, model = make(Mixed, "muon_plain"), build(WIDTH)

    def optimizer(*, flags: tuple[bool, bool]) -> Mixed:
        return Mixed([
            group | {"orthogonal": flag}
            for kind, flag in zip(("muon_plain", "adamw"), flags, strict=True)
            for group in recipe.param_groups(
                model, lr=LR, weight_decay=DECAY, eps=1e-8, optimizer=kind
            )
        ])

    recipe.verify(model, optimizer(flags=(True, False)))
    with pytest.raises(ParametrizationError, match="copies of Mixed as 'muon_plain'"):
        recipe.verify(model, optimizer(flags=(False, False)))
    with pytest.raises(ParametrizationError, match="copies of Mixed as 'adamw'"):
        recipe.verify(model, optimizer(flags=(True, True)))
    assert isinstance(model, nn.Module)
