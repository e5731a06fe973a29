"""The exact symmetry behind the rules: A·θ, B/θ, C·θ^k train the same function.

Lemma J.1 of arXiv 2203.03466, with ε·θ and the loss by weight decay per step kept.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from itertools import cycle
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import transformers
from torch import nn

from lrtransfer.errors import ParametrizationError
from lrtransfer.parametrization.choices import Choices
from lrtransfer.parametrization.optimizers import KINDS
from lrtransfer.parametrization.parametrize import parametrize
from lrtransfer.parametrization.recipe.multipliers import place_multiplier
from lrtransfer.parametrization.recipe.recipe import Recipe
from lrtransfer.parametrization.recipe.tensor import TensorRecipe
from lrtransfer.parametrization.rules import FAMILIES, GAUGES, SCHEMES

from .measured import parametrize_measured_once
from .reference_optimizers import Lamb, Lars, Lion, Muon, Shampoo, SignSGD, Soap, Sophia

BASE, WIDTH, STEPS = 4, 16, 20
POWERS_OF_TWO = (4.0, 2.0**-6, 2.0**8)
ANY = (3.0, 0.7, 1 / 3)
annotated: Any = transformers
Groups = list[dict[str, Any]]
Make = Callable[[Groups], torch.optim.Optimizer]


@dataclass(frozen=True)
class Case:
    """An optimizer to be tried.

    `eps` is Adam's, moved by the recipe; `settings` are moved here, by θ to the power given.
    `rtol` is the measured error of the decompositions, with a margin; `decay` whether its decay is
    apart from the gradient's moments.
    """

    kind: str
    make: Make
    eps: float | None = None
    decay: float = 0.0
    lr: float = 2.0**-6
    rtol: float = 1e-12
    damping: float = 0.0
    moves: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def adafactor(groups: Groups) -> torch.optim.Optimizer:
    found: torch.optim.Optimizer = annotated.Adafactor(
        groups, relative_step=False, scale_parameter=True, eps=(1e-200, 1e-200)
    )
    return found


ADAM: Mapping[str, Any] = {"eps": 1e-3}
DECAY = 2.0**-3
CASES = {
    "sgd": Case("sgd", torch.optim.SGD, decay=DECAY),
    "momentum": Case("sgd", partial(torch.optim.SGD, momentum=0.9), decay=DECAY),
    "nesterov": Case("sgd", partial(torch.optim.SGD, momentum=0.9, nesterov=True), decay=DECAY),
    "adamw": Case("adamw", torch.optim.AdamW, decay=DECAY, **ADAM),
    "adam": Case("adam", torch.optim.Adam, **ADAM),
    "nadam": Case("nadam", torch.optim.NAdam, **ADAM),
    "adamax": Case("adamax", torch.optim.Adamax, **ADAM),
    "rmsprop": Case("rmsprop", torch.optim.RMSprop, **ADAM),
    "adagrad": Case("adagrad", torch.optim.Adagrad, **ADAM),
    "lion": Case("lion", Lion, decay=DECAY),
    "sign_sgd": Case("sign_sgd", SignSGD, decay=DECAY),
    "adafactor": Case("adafactor", adafactor, decay=DECAY),
    "lamb": Case("lamb", Lamb, decay=DECAY, moves={"eps": (1e-4, 1)}),
    "lars": Case("lars", Lars),
    "muon_plain": Case("muon_plain", partial(Muon, variant="plain"), decay=DECAY),
    "muon_keller": Case("muon_keller", partial(Muon, variant="keller"), decay=DECAY),
    "muon_spectral": Case(
        "muon_spectral", partial(Muon, variant="spectral"), decay=DECAY, rtol=1e-11
    ),
    "muon_kimi": Case("muon_kimi", partial(Muon, variant="kimi"), decay=DECAY),
    "shampoo": Case(
        "shampoo", partial(Shampoo, halvings=2), decay=DECAY, rtol=1e-11, moves={"eps": (1e-4, 2)}
    ),
    "shampoo_half": Case(
        "shampoo_half",
        partial(Shampoo, halvings=1),
        decay=DECAY,
        rtol=1e-11,
        moves={"eps": (1e-4, 2)},
    ),
    "soap": Case("soap", Soap, decay=DECAY, rtol=1e-10, moves={"eps": (1e-4, 1)}),
}


class Network(nn.Module):
    """An MLP with biases, from vectors or (`tokens`) from looked-up rows.

    There are more inputs than its width, so that gradients have full rank: the orthogonalised
    update of another is not determined.
    """

    def __init__(self, width: int, *, tokens: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(24, width) if tokens else nn.Linear(5, width)
        self.hidden = nn.Linear(width, width)
        self.readout = nn.Linear(width, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.tanh(self.hidden(torch.tanh(self.embed(x))))
        logits: torch.Tensor = self.readout(h)
        return logits


BUILDS = {tokens: partial(Network, tokens=tokens) for tokens in (False, True)}


def data(*, tokens: bool) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(3, (32,), generator=generator)
    if tokens:
        return torch.randint(24, (32,), generator=generator), y
    return torch.randn(32, 5, generator=generator, dtype=torch.float64), y


@cache
def recipe_of(scheme: str, kind: str, *, tokens: bool, width: int = WIDTH) -> Recipe:
    """Return a recipe; a gauge stands for μP in that gauge."""
    return parametrize_measured_once(
        BUILDS[tokens],
        width=width,
        base_width=BASE,
        scheme="mup" if scheme in GAUGES else scheme,
        optimizer=kind,
        choices=Choices(gauge=scheme if scheme in GAUGES else "table3"),
    )


def start(recipe: Recipe, *, tokens: bool) -> nn.Module:
    model = Network(recipe.width, tokens=tokens).double()
    return recipe.initialize(model, seed=1)


def groups_of(recipe: Recipe, model: nn.Module, case: Case, kind: str) -> Groups:
    own = kind == case.kind
    return recipe.param_groups(
        model,
        lr=case.lr,
        weight_decay=case.decay if own else DECAY,
        eps=case.eps if own else 1e-3,
        optimizer=kind,
    )


def train(
    recipe: Recipe,
    model: nn.Module,
    case: Case,
    *,
    tokens: bool,
    thetas: Mapping[str, float] | None = None,
    each_step: Callable[[nn.Module], object] = lambda model: None,
    samples: int = 32,
) -> torch.Tensor:
    """Return the outputs before and after each of 20 steps."""
    x, y = (values[:samples] for values in data(tokens=tokens))
    optimizers = [
        case.make(moved_settings(groups, case, model, thetas or {}))
        if kind == case.kind
        else torch.optim.AdamW(groups)
        for kind in recipe.optimizers
        for groups in [groups_of(recipe, model, case, kind)]
    ]
    outputs = []
    for _ in range(STEPS):
        model.zero_grad()
        logits = model(x)
        F.cross_entropy(logits, y).backward()
        each_step(model)
        for optimizer in optimizers:
            optimizer.step()
        outputs.append(logits.detach())
    outputs.append(model(x).detach())
    return torch.stack(outputs)


def moved_settings(
    groups: Groups, case: Case, model: nn.Module, thetas: Mapping[str, float]
) -> Groups:
    """Return groups of one tensor each, with the settings that no recipe moves."""
    if not case.moves:
        return groups
    names = {id(p): name for name, p in model.named_parameters()}
    return [
        group
        | {"params": [p]}
        | {
            key: value * thetas.get(names[id(p)], 1.0) ** power
            for key, (value, power) in case.moves.items()
        }
        for group in groups
        for p in group["params"]
    ]


def moved(recipe: Recipe, model: nn.Module, thetas: Mapping[str, float]) -> Recipe:
    """Return the recipe with each weight in another gauge."""
    tensors = tuple(move(t, thetas[t.name]) if t.name in thetas else t for t in recipe.tensors)
    return replace(recipe, tensors=tensors, multipliers=hooks(model, tensors))


def move(tensor: TensorRecipe, theta: float) -> TensorRecipe:
    family = FAMILIES[KINDS[tensor.optimizer].family]
    k = family.lr_per_multiplier
    return replace(
        tensor,
        multiplier=tensor.multiplier * theta,
        initial=tensor.initial.scale(1 / theta),
        lr=tensor.lr * theta**k,
        eps=tensor.eps * theta,
        # Steps relative to the tensor's norm shrink with it.
        weight_decay=tensor.weight_decay * (theta if family.follows_weights else theta**-k),
    )


def hooks(model: nn.Module, tensors: Iterable[TensorRecipe]) -> tuple[Any, ...]:
    return tuple(
        place_multiplier(model, t.name, t.multiplier) for t in tensors if t.multiplier != 1
    )


def rescaled(model: nn.Module, factors: Mapping[str, float]) -> nn.Module:
    with torch.no_grad():
        for name, factor in factors.items():
            model.get_parameter(name).mul_(factor)
    return model


def in_another_gauge(
    recipe: Recipe, case: Case, values: tuple[float, ...], *, tokens: bool, **options: Any
) -> torch.Tensor:
    """Return the outputs of training with every weight in a gauge of its own."""
    model = start(recipe, tokens=tokens)
    weights = [name for name, p in model.named_parameters() if p.ndim == 2]
    thetas = dict(zip(weights, cycle(values), strict=False))
    there = moved(recipe, model, thetas)
    there.attach(rescaled(model, {name: 1 / theta for name, theta in thetas.items()}))
    return train(there, model, case, tokens=tokens, thetas=thetas, **options)


def error(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((found - wanted).norm() / wanted.norm())


def is_defined(scheme: str, case: Case) -> bool:
    families = SCHEMES["mup" if scheme in GAUGES else scheme].families
    return not families or KINDS[case.kind].family in families


# CompleteP without a depth is μP, which Table 3 stands for.
NAMES = (*(name for name in SCHEMES if name not in {"mup", "completep"}), *GAUGES)
PAIRS = [
    (scheme, name, tokens)
    for scheme in NAMES
    for name, case in CASES.items()
    for tokens in (False, True)
    if is_defined(scheme, case) and (not tokens or scheme in {"ntp", "table3", "table9"})
]


@pytest.mark.parametrize(("scheme", "name", "tokens"), PAIRS)
def test_every_gauge_trains_the_same_function(scheme: str, name: str, tokens: bool) -> None:
    case = CASES[name]
    recipe = recipe_of(scheme, case.kind, tokens=tokens)
    plain = train(recipe, start(recipe, tokens=tokens), case, tokens=tokens)
    assert plain.isfinite().all()
    assert not torch.allclose(plain[-1], plain[0], rtol=1e-2)  # it does train
    assert torch.equal(in_another_gauge(recipe, case, POWERS_OF_TWO, tokens=tokens), plain)
    assert error(in_another_gauge(recipe, case, ANY, tokens=tokens), plain) < case.rtol


def test_completep_without_depth_is_mup() -> None:
    assert (
        recipe_of("completep", "adamw", tokens=False).tensors
        == recipe_of("mup", "adamw", tokens=False).tensors
    )


# Recipes for one function in different gauges, from corresponding initial values.
SAME = [
    ("table3", "table8"),
    ("table3", "table9"),
    ("sp_per_layer", "ntp_per_layer"),
    ("mup", "mean_field"),
]


@pytest.mark.parametrize("pair", SAME, ids="-".join)
@pytest.mark.parametrize("name", CASES)
def test_recipes_of_one_function_train_it(pair: tuple[str, str], name: str) -> None:
    # 12 / 4 = 3: no factor is a power of two.
    first, second = (recipe_of(s, CASES[name].kind, tokens=False, width=12) for s in pair)
    factors = {a.name: a.multiplier / b.multiplier for a, b in zip_tensors(first, second)}
    assert any(factor != 1 for factor in factors.values())
    for a, b in zip_tensors(first, second):
        assert b.initial.std == pytest.approx(a.initial.std * factors[a.name], rel=1e-12)
    outputs = train(first, start(first, tokens=False), CASES[name], tokens=False)
    other = second.attach(rescaled(start(first, tokens=False), factors))
    assert first.multipliers != second.multipliers
    found = train(second, other, CASES[name], tokens=False, thetas=inverse(factors))
    assert error(found, outputs) < CASES[name].rtol


def zip_tensors(first: Recipe, second: Recipe) -> list[tuple[TensorRecipe, TensorRecipe]]:
    return list(zip(first.tensors, second.tensors, strict=True))


def inverse(factors: Mapping[str, float]) -> dict[str, float]:
    return {name: 1 / factor for name, factor in factors.items()}


def changed(case: Case, **options: Any) -> float:
    """Return by how much another gauge changes training, which it should not."""
    recipe = recipe_of("mup", case.kind, tokens=False)
    plain = train(recipe, start(recipe, tokens=False), case, tokens=False, **options)
    other = in_another_gauge(recipe, case, ANY, tokens=False, **options)
    return error(other, plain)


def clip(model: nn.Module) -> None:
    nn.utils.clip_grad_norm_(model.parameters(), 0.01)


def fixed_floor(groups: Groups) -> torch.optim.Optimizer:
    found: torch.optim.Optimizer = annotated.Adafactor(
        groups, relative_step=False, scale_parameter=True, eps=(1e-30, 0.2)
    )
    return found


def unscaled_eps(groups: Groups) -> torch.optim.Optimizer:
    return torch.optim.AdamW([group | {"eps": 1e-2} for group in groups])


# Where the symmetry does not hold; docs/reference/roles-and-rules.md has the table.
BROKEN = {
    "fixed epsilon": Case("adamw", unscaled_eps, eps=1e-2),
    "norm floor": Case("adafactor", fixed_floor),
    "decay inside LARS": Case(
        "lars", lambda groups: Lars([g | {"weight_decay": 0.1} for g in groups])
    ),
    "Sophia": Case("lion", partial(Sophia, gamma=1e2)),
    "bfloat16": Case("muon_keller", torch.optim.Muon, decay=DECAY),
}


@pytest.mark.parametrize("name", BROKEN)
def test_where_the_symmetry_does_not_hold(name: str) -> None:
    assert changed(BROKEN[name]) > 1e-4


def test_orthogonalised_updates_are_not_determined_where_gradients_have_no_rank() -> None:
    assert changed(CASES["muon_plain"], samples=WIDTH // 2) > 1e-6
    assert changed(CASES["muon_plain"]) < 1e-12


def test_clipping_by_the_global_norm_depends_on_the_gauge() -> None:
    assert changed(CASES["sgd"]) < 1e-12
    assert changed(CASES["sgd"], each_step=clip) > 1e-3


def test_one_rate_for_all_tensors_is_another_function_in_another_gauge() -> None:
    # Textbook NTP, and SP from the same effective values.
    sp, ntp = (recipe_of(scheme, "sgd", tokens=False) for scheme in ("sp", "ntp"))
    outputs = train(ntp, start(ntp, tokens=False), CASES["sgd"], tokens=False)
    factors = {t.name: t.multiplier for t in ntp.tensors}
    model = sp.attach(rescaled(start(ntp, tokens=False), factors))
    found = train(sp, model, CASES["sgd"], tokens=False)
    assert error(found[0], outputs[0]) < 1e-12
    assert error(found[-1], outputs[-1]) > 1e-3


def test_steps_relative_to_a_norm_need_one() -> None:
    def build(n: int) -> nn.Module:
        model = nn.Sequential(nn.Linear(3, n), nn.Linear(n, 2))
        nn.init.zeros_(model[1].weight)  # type: ignore[arg-type]
        return model

    with pytest.raises(ParametrizationError, match=r"got '1.weight', which starts from zero"):
        parametrize(build, width=WIDTH, base_width=BASE, optimizer="lamb")
