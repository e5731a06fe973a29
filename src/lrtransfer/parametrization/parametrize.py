"""From a function that builds a model to the recipe for one width."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from typing import Any

from torch import nn

from ..errors import ParametrizationError
from .choices import WEIGHT_DECAYS, Choices, Tuned
from .optimizers import COMPANION, KINDS, Optimizer, OptimizerClass, find_optimizer
from .powers import Power
from .recipe.initial import InitialDistribution, measure_initial
from .recipe.multipliers import Multiplier, place_multiplier, require_affine
from .recipe.recipe import Recipe
from .recipe.tensor import TensorRecipe
from .roles.roles import Build, Layout, TensorRole, make_role_table
from .rules import (
    FAMILIES,
    GAUGES,
    SCHEMES,
    Role,
    Rule,
    Scheme,
    UpdateFamily,
    make_abc_scheme,
    rule,
)

Rows = Mapping[str, Mapping[str, float]]


def parametrize(
    build: Build,
    *,
    width: int,
    base_width: int,
    scheme: str | Scheme | Rows = "mup",
    optimizer: str | OptimizerClass = "adamw",
    example: Any = None,
    follows: str | None = None,
    layouts: Mapping[str, Layout] | None = None,
    roles: Mapping[str, str] | None = None,
    choices: Choices = Choices(),  # ruff: ignore[function-call-in-default-argument] (frozen)
) -> Recipe:
    """Return the recipe for training `build(width)` with hyperparameters of `build(base_width)`.

    Arguments:
        build: Maps a width to a model.
        width: Width n of the model to be trained.
        base_width: Width n_0 at which the hyperparameters were tuned; every factor of a relative
            scheme is 1 there.
        scheme: A name of `SCHEMES`, or rows of exponents of one's own (see `make_abc_scheme`).
        optimizer: A name of `KINDS`, or a class.
        example: What the model is called with; needed where its layers are not all torch's own.
        follows: The name whose rule an optimizer class of one's own follows.
        layouts: Declares the sides of tensors, by name or pattern.
        roles: Declares the role of tensors, by name or pattern.
        choices: Where the rules leave a choice.

    References:
        Yang et al. (2021), Table 3 and Lemma J.1. https://arxiv.org/abs/2203.03466

    Raises:
        ParametrizationError: If an argument is unknown, the model's tensors cannot be given roles
            (see `assign_roles`), or a depth is given for a model without residual branches.

    Example:
        >>> def build(n: int) -> nn.Module:
        ...     return nn.Sequential(nn.Linear(3, n), nn.ReLU(), nn.Linear(n, 1, bias=False))
        >>> recipe = parametrize(build, width=64, base_width=16)
        >>> recipe
        Recipe(mup, adamw, 16->64, 3 tensors)
        >>> [(t.role.value, t.lr) for t in recipe.tensors]
        [('input', 1.0), ('vector', 1.0), ('output', 0.25)]
    """
    for key, value in (("width", width), ("base_width", base_width)):
        if not (isinstance(value, int) and value >= 1):
            raise ParametrizationError(f"{key}: got {value!r}, wanted a positive whole number.")
    name, rules = _scheme(scheme, choices)
    found = find_optimizer(optimizer, follows=follows)
    _require_defined(name, rules, found)
    _require_depth(name, rules, choices)
    table = make_role_table(
        build,
        width=width,
        base_width=base_width,
        example=example,
        layouts=layouts,
        roles=roles,
        attention=choices.attention,
    )
    _require_query(table.tensors, choices)
    branches = find_branches(table.tensors)
    _require_branches(branches, choices)
    initial = measure_initial(build, base_width)
    setting = _Setting(rules, found, choices, branches)
    tensors = tuple(setting.tensor(role, initial[role.name]) for role in table.tensors)
    return Recipe(
        scheme=name,
        optimizer=found,
        width=width,
        base_width=base_width,
        choices=choices,
        tensors=tensors,
        multipliers=_multipliers(partial(build, base_width), table.tensors, tensors, setting),
        cautions=(*_same_width(width, base_width), *table.cautions),
    )


def _same_width(width: int, base_width: int) -> tuple[str, ...]:
    if width != base_width:
        return ()
    return (
        f"width and base width are both {width}: every factor is 1, as under SP. Give the width of "
        "the model that is to be trained",
    )


@dataclass(frozen=True)
class _Setting:
    """Hold what all tensors of a recipe share."""

    scheme: Scheme
    optimizer: Optimizer
    choices: Choices
    branches: frozenset[str] = frozenset()

    def tensor(self, role: TensorRole, initial: InitialDistribution) -> TensorRecipe:
        """Return the recipe of one tensor."""
        kind = self._kind(role)
        family = FAMILIES[KINDS[kind].family]
        law = rule(self.scheme, family, role.role, alignment=self.choices.alignment)
        tuned = self.choices.tuned.get(role.role, Tuned())
        at = partial(self.factor, role=role)
        start = self._initial(role, law, initial, tuned).at_shape(
            role.name, role.shape, role.base_shape
        )
        if role.parts and start.is_random:
            start = start.with_rows(self._parts(role, law))
        _require_norm(role, start, family)
        own = self._rate_factor(role, family, tuned, initial)
        lr, norm = at(law.lr) * own, 1.0
        if family.follows_weights:
            # Steps are relative to the tensor's norm, whatever the rule's; so is the decay.
            norm = at(self._std(role, law))
            lr *= at(law.init_std) / norm
        return TensorRecipe(
            name=role.name,
            role=role.role,
            shape=role.shape,
            initial=start,
            multiplier=at(law.multiplier) if role.contracts else 1.0,
            lr=lr,
            weight_decay=self._decay(role, rate=lr * norm, effective_lr=at(law.effective_lr) * own),
            eps=self._eps(role, law.eps),
            optimizer=kind,
            source=self.scheme.source if self.scheme.lr == "constant" else family.source,
        )

    def factor(self, power: Power, *, role: TensorRole) -> float:
        """Return a power of a tensor's sides in the form asked for."""
        if self.is_absolute:
            return power.absolute(role.fans)
        return power.relative(role.fans, base=role.base_fans)

    @property
    def is_absolute(self) -> bool:
        """Whether fans stand in place of their ratios."""
        form = self.choices.form
        return self.scheme.absolute if form is None else form == "absolute"

    def branch(self, power: float) -> float:
        """Return a power of the depth ratio; 1 for schemes without rules for depth."""
        return self.choices.depth_ratio**power if self.scheme.depth else 1.0

    def _kind(self, role: TensorRole) -> str:
        kind = self.optimizer.kind
        if not KINDS[kind].matrices_only:
            return kind
        scope = self.choices.matrix_scope
        wanted = (
            role.role is Role.HIDDEN if scope == "hidden" else role.contracts and not role.lookup
        )
        # Matrix optimizers take two dimensions: stacked experts and kernels are left to AdamW.
        return kind if wanted and len(role.shape) == 2 else COMPANION

    def _initial(
        self, role: TensorRole, law: Rule, initial: InitialDistribution, tuned: Tuned
    ) -> InitialDistribution:
        choices = self.choices
        if role.role is Role.OUTPUT and choices.readout_init == "zero":
            return InitialDistribution("normal", mean=0.0, std=0.0)
        if role.is_query and role.contracts and choices.query_init == "zero":
            return InitialDistribution("normal", mean=0.0, std=0.0)
        std = self.factor(self._std(role, law), role=role)
        if self.is_absolute and role.contracts and role.role in _MATRICES:
            return initial.with_std(std * tuned.init_std)
        return initial.scale(std * tuned.init_std)

    def _parts(self, role: TensorRole, law: Rule) -> tuple[tuple[int, int, float], ...]:
        """Return the scale of the parts of a fused tensor relative to the whole."""
        family = FAMILIES[KINDS[self._kind(role)].family]
        own = {
            part: rule(self.scheme, family, part, alignment=self.choices.alignment)
            for _, _, part in role.parts
        }
        if role.layout.produced != (0,) or any(law.lr != part.lr for part in own.values()):
            raise ParametrizationError(
                f"parametrize: got {role.name!r}, a fused tensor whose parts are "
                f"{', '.join(sorted(set(own)))} and want different rates, wanted one rate per "
                "tensor. Declare one role for the whole, such as "
                f"roles={{{role.name!r}: 'hidden'}}, or split the tensor."
            )
        whole = self.factor(law.init_std, role=role)
        return tuple(
            (first, stop, self.factor(own[part].init_std, role=role) / whole)
            for first, stop, part in role.parts
            if own[part].init_std != law.init_std
        )

    def _std(self, role: TensorRole, law: Rule) -> Power:
        """Return the power of the initial standard deviation, as chosen."""
        if role.role is Role.OUTPUT and self.choices.readout_init == "sp":
            return Power(fan_in=-0.5) * law.multiplier**-1
        return law.init_std

    def _rate_factor(
        self, role: TensorRole, family: UpdateFamily, tuned: Tuned, initial: InitialDistribution
    ) -> float:
        """Return the factors of the rate beside the rule's own."""
        is_gain = role.role is Role.VECTOR and initial.std == 0 and initial.mean != 0
        if is_gain and self.choices.norm_gains == "fix":
            return 0.0
        rate = tuned.lr
        exponent = self.choices.embedding_lr_exponent
        if role.lookup:
            exponent = self.scheme.embedding_lr if exponent is None else exponent
            rate *= self.factor(Power(fan_out=-exponent), role=role)
        if role.name in self.branches:
            # Branches multiplied by L^-α want updates ∝ L^(α-1) from gradients ∝ L^-α.
            alpha = self.choices.depth_exponent
            rate *= self.branch(alpha - 1 + alpha * family.gradient_power)
        return rate

    def _decay(self, role: TensorRole, *, rate: float, effective_lr: float) -> float:
        convention = WEIGHT_DECAYS[self.choices.weight_decay]
        decays = convention.decays and role.contracts and rate != 0
        if not decays or (role.lookup and not self.choices.decay_embeddings):
            return 0.0
        loss = effective_lr if convention.with_rule else 1.0
        if role.role in (Role.HIDDEN, Role.OUTPUT):
            loss *= self.factor(convention.width, role=role)
        return loss / rate

    def _eps(self, role: TensorRole, power: Power) -> float:
        """Return the factor of ε; ε is given at the base width, whatever the scheme's form."""
        if not self.choices.scale_eps:
            return 1.0
        branch = self.branch(-self.choices.depth_exponent) if role.name in self.branches else 1.0
        return power.relative(role.fans, base=role.base_fans) * branch


def find_branches(roles: tuple[TensorRole, ...]) -> frozenset[str]:
    """Return the tensors that belong to residual branches.

    Below the module that holds all blocks, these are all tensors of a module that also holds the
    end of a branch; embeddings, readout and final norm are beside that module.
    """
    ends = [role.name for role in roles if role.is_residual_output]
    top = min((_shared_depth(ends[0], end) for end in ends), default=0)
    return frozenset(
        role.name for role in roles if any(_shared_depth(role.name, end) > top for end in ends)
    )


def _shared_depth(one: str, two: str) -> int:
    """Return how many modules, from the root, two tensors have in common."""
    pairs = zip(one.split("."), two.split("."), strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))


_MATRICES = (Role.INPUT, Role.HIDDEN, Role.OUTPUT)


def _scheme(scheme: str | Scheme | Rows, choices: Choices) -> tuple[str, Scheme]:
    """Return name and rules of a scheme, in the gauge chosen."""
    if isinstance(scheme, Scheme):
        return "own", scheme
    if not isinstance(scheme, str):
        return "abc", make_abc_scheme(scheme)
    if scheme not in SCHEMES:
        names = ", ".join(SCHEMES)
        raise ParametrizationError(f"scheme: got {scheme!r}, wanted one of {names}.")
    if choices.gauge != "table3":
        if scheme != "mup":
            raise ParametrizationError(
                f"gauge: got {choices.gauge!r} for the scheme {scheme!r}, wanted it for 'mup' "
                "alone. Leave it out, or use scheme='mup'."
            )
        return f"{scheme} ({choices.gauge})", GAUGES[choices.gauge]
    return scheme, SCHEMES[scheme]


def _require_defined(name: str, scheme: Scheme, optimizer: Optimizer) -> None:
    family = KINDS[optimizer.kind].family
    if scheme.families and family not in scheme.families:
        known = [kind for kind, k in KINDS.items() if k.family in scheme.families]
        raise ParametrizationError(
            f"scheme: got {name!r} with the optimizer {optimizer.kind!r}, wanted one of "
            f"{', '.join(known)}: for others its source ({scheme.source}) gives no rates."
        )


def _require_depth(name: str, scheme: Scheme, choices: Choices) -> None:
    if choices.depth is not None and not scheme.depth:
        raise ParametrizationError(
            f"depth: got {choices.depth} with the scheme {name!r}, which has no rules for depth, "
            "wanted scheme='completep'. Leave depth and base_depth out to scale width alone."
        )


def _require_branches(branches: frozenset[str], choices: Choices) -> None:
    if choices.depth_ratio != 1 and not branches:
        raise ParametrizationError(
            f"depth: got {choices.depth} for base_depth={choices.base_depth}, but no residual "
            "branch was seen in the model, wanted branches that the rules for depth can scale. "
            "Pass example=, without which the forward is not known, or leave the depths out."
        )


def _require_query(roles: tuple[TensorRole, ...], choices: Choices) -> None:
    if choices.query_init == "zero" and not any(role.is_query for role in roles):
        raise ParametrizationError(
            "query_init: got 'zero', but no query of an attention was seen in the model, wanted "
            "one. Pass example=, without which the forward is not known, or leave query_init out."
        )


def _require_norm(role: TensorRole, start: InitialDistribution, family: UpdateFamily) -> None:
    """Check that a tensor has a norm if its steps are proportional to it."""
    if family.follows_weights and role.contracts and start.std == 0 and start.mean == 0:
        raise ParametrizationError(
            f"parametrize: got {role.name!r}, which starts from zero, with an optimizer whose "
            "steps are proportional to the tensor's norm, wanted a norm: it would never train, or "
            "train at the optimizer's own floor. Initialise it at random, or use adamw."
        )


def _multipliers(
    build_base: Callable[[], nn.Module],
    roles: tuple[TensorRole, ...],
    tensors: tuple[TensorRecipe, ...],
    setting: _Setting,
) -> tuple[Multiplier, ...]:
    """Return the hooks of the forward multipliers: weights', tied readouts', residual branches'."""
    wanted = [
        (role, tensor)
        for role, tensor in zip(roles, tensors, strict=True)
        if tensor.multiplier != 1 or role.tied_readouts or role.is_residual_output
    ]
    if not wanted:
        return ()
    model, branch = build_base(), setting.branch(-setting.choices.depth_exponent)
    hooks = []
    for role, tensor in wanted:
        if tensor.multiplier != 1:
            _require_untied(role)
            hooks.append(place_multiplier(model, role.name, tensor.multiplier))
        readout = _tied_factor(role, setting)
        if readout != 1:
            for module in role.tied_readouts:
                require_affine(model.get_submodule(module), role.name)
                hooks.append(Multiplier(module, "input", readout))
        if role.is_residual_output and branch != 1:
            require_affine(model.get_submodule(role.name.rpartition(".")[0]), role.name)
            hooks.append(Multiplier(role.name.rpartition(".")[0], "output", branch))
    return tuple(dict.fromkeys(hooks))


def _tied_factor(role: TensorRole, setting: _Setting) -> float:
    """Return the factor of the logits of a readout tied to a table of embeddings.

    Such a tensor has the gauge of TP5, Table 8 only: it is initialised and trained as an input, and
    the logits carry what the readout's weights would. Plain SP leaves the model as it is.
    """
    if setting.scheme is SCHEMES["sp"]:
        return 1.0
    return setting.factor(Power(fan_out=-setting.scheme.readout), role=role)


def _require_untied(role: TensorRole) -> None:
    if role.tied_readouts:
        raise ParametrizationError(
            f"parametrize: got {role.name!r} tied to the readout {role.tied_readouts[0]!r} in a "
            "gauge that multiplies embeddings, wanted gauge='table3' or 'table8': a shared tensor "
            "has one scale."
        )
