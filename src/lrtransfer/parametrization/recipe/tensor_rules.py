"""From the role of a tensor to its recipe: a scheme, an optimizer and choices, applied to one.

The scheme and the optimizer's family give powers of the fans (`rules`); here they become numbers,
and the choices beside the rules (`choices`) are made.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from ...errors import ParametrizationError
from ..choices import WEIGHT_DECAYS, Choices, Tuned
from ..optimizers import COMPANION, KINDS, Optimizer
from ..powers import Power
from ..roles.directions import DirectionRole
from ..roles.roles import TensorRole
from ..rules import FAMILIES, Role, Rule, Scheme, UpdateFamily, rule
from .initial import InitialDistribution
from .tensor import TensorRecipe

_MATRICES = (Role.INPUT, Role.HIDDEN, Role.OUTPUT)


@dataclass(frozen=True)
class TensorRules:
    """What all tensors of a recipe share, and how the recipe of each follows from it.

    Attributes:
        scheme: The rules.
        optimizer: The optimizer that they are applied for.
        choices: Where they leave a choice.
        branches: Names of the tensors in residual branches.
        directions: For gains of weights that are divided by their norm, the weight's own role.
        multiplied: Forward multipliers beside the rules' own, by name: the values of such a tensor
            are divided by it, and its rate is moved, so that the same function is trained.
    """

    scheme: Scheme
    optimizer: Optimizer
    choices: Choices
    branches: frozenset[str] = frozenset()
    directions: Mapping[str, TensorRole] = field(default_factory=dict)
    multiplied: Mapping[str, float] = field(default_factory=dict)

    def make(self, role: TensorRole, initial: InitialDistribution) -> TensorRecipe:
        """Return the recipe of one tensor."""
        recipe = self._make(role, initial)
        family = FAMILIES[KINDS[recipe.optimizer].family]
        if role.direction is not None and role.name in self.directions:
            return self._lengthen(recipe, role, role.direction, family)
        if (factor := self.multiplied.get(role.name, 1.0)) != 1:
            return move_values(recipe, 1 / factor, family, multiplier=factor)
        return recipe

    def _make(self, role: TensorRole, initial: InitialDistribution) -> TensorRecipe:
        """Return the recipe of one tensor by the rule of its role."""
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
        beside = self._rate_factor(role, family, tuned)
        lr, norm = at(law.lr) * beside, 1.0
        if family.follows_weights:
            # Steps are relative to the norm that the tensor starts with, and so is the decay.
            norm = at(self._std(role, law))
            lr *= at(law.init_std) / norm
        return TensorRecipe(
            name=role.name,
            role=role.role,
            shape=role.shape,
            initial=start,
            multiplier=at(law.multiplier) if role.contracts else 1.0,
            lr=lr,
            weight_decay=self._decay(
                role, rate=lr * norm, effective_lr=at(law.effective_lr) * beside
            ),
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
        in_scope = (
            role.role is Role.HIDDEN if scope == "hidden" else role.contracts and not role.lookup
        )
        # Matrix optimizers take two dimensions: stacked experts and kernels are left to AdamW.
        return kind if in_scope and len(role.shape) == 2 else COMPANION

    def _initial(
        self, role: TensorRole, law: Rule, initial: InitialDistribution, tuned: Tuned
    ) -> InitialDistribution:
        choices = self.choices
        is_direction = role.name in {direction.name for direction in self.directions.values()}
        if self._starts_from_zero(role) and not is_direction:
            return InitialDistribution("normal", mean=0.0, std=0.0)
        if role.is_query and role.contracts and choices.query_init == "zero":
            return InitialDistribution("normal", mean=0.0, std=0.0)
        std = self.factor(self._std(role, law), role=role)
        if self.is_absolute and role.contracts and role.role in _MATRICES:
            return initial.with_std(std * tuned.init_std)
        return initial.scale(std * tuned.init_std)

    def _starts_from_zero(self, role: TensorRole) -> bool:
        return role.role is Role.OUTPUT and self.choices.readout_init == "zero"

    def _lengthen(
        self, recipe: TensorRecipe, role: TensorRole, unit: DirectionRole, family: UpdateFamily
    ) -> TensorRecipe:
        """Return the recipe of a gain that gives a direction the scale that its rule asks for."""
        direction = self.directions[role.name]
        if self._starts_from_zero(direction):
            return replace(recipe, initial=InitialDistribution("normal", mean=0.0, std=0.0))
        law = rule(
            self.scheme,
            FAMILIES[KINDS[self._kind(direction)].family],
            direction.role,
            alignment=self.choices.alignment,
        )
        std = self._std(direction, law)
        tuned = self.choices.tuned.get(direction.role, Tuned()).init_std
        factor = std.relative(direction.fans, base=direction.base_fans)
        factor *= tuned * unit.base_size / unit.size
        if self.is_absolute and recipe.initial.mean:
            length = self.factor(std, role=direction) * tuned / unit.size
            recipe = replace(
                recipe, initial=recipe.initial.multiply(length / recipe.initial.mean / factor)
            )
        if self.scheme.lr != "maximal":
            return replace(recipe, initial=recipe.initial.multiply(factor))
        moved = move_values(recipe, factor, family)
        return moved if self.choices.scale_eps else replace(moved, eps=recipe.eps)

    def _parts(self, role: TensorRole, law: Rule) -> tuple[tuple[int, int, float], ...]:
        """Return the scale of the parts of a fused tensor relative to the whole."""
        family = FAMILIES[KINDS[self._kind(role)].family]
        laws = {
            part: rule(self.scheme, family, part, alignment=self.choices.alignment)
            for _, _, part in role.parts
        }
        if role.layout.produced != (0,) or any(law.lr != part.lr for part in laws.values()):
            raise ParametrizationError(
                f"parametrize: got {role.name!r}, a fused tensor whose parts are "
                f"{', '.join(sorted(set(laws)))} and want different rates, wanted one rate per "
                "tensor. Declare one role for the whole, such as "
                f"roles={{{role.name!r}: 'hidden'}}, or split the tensor."
            )
        whole = self.factor(law.init_std, role=role)
        return tuple(
            (first, stop, self.factor(laws[part].init_std, role=role) / whole)
            for first, stop, part in role.parts
            if laws[part].init_std != law.init_std
        )

    def _std(self, role: TensorRole, law: Rule) -> Power:
        """Return the power of the initial standard deviation, as chosen."""
        if role.role is Role.OUTPUT and self.choices.readout_init == "sp":
            return Power(fan_in=-0.5) * law.multiplier**-1
        return law.init_std

    def _rate_factor(self, role: TensorRole, family: UpdateFamily, tuned: Tuned) -> float:
        """Return the factors of the rate beside the rule's own."""
        if role.is_norm_gain and self.choices.norm_gains == "fix":
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
        share = effective_lr if convention.with_rule else 1.0
        if role.role in (Role.HIDDEN, Role.OUTPUT):
            share *= self.factor(convention.width, role=role)
        return share / rate

    def _eps(self, role: TensorRole, power: Power) -> float:
        """Return the factor of ε; ε is given at the base width, whatever the scheme's form."""
        if not self.choices.scale_eps:
            return 1.0
        branch = self.branch(-self.choices.depth_exponent) if role.name in self.branches else 1.0
        return power.relative(role.fans, base=role.base_fans) * branch


def move_values(
    recipe: TensorRecipe, factor: float, family: UpdateFamily, *, multiplier: float = 1.0
) -> TensorRecipe:
    """Return a recipe for values `factor` times as large, which moves as much of itself per step.

    With a multiplier of 1/factor in the forward, the same function is trained (Lemma J.1).
    """
    rate: float = factor**-family.lr_per_multiplier
    share = factor if family.follows_weights else rate  # of a step, in the unit of the values
    return replace(
        recipe,
        initial=recipe.initial.multiply(factor),
        multiplier=recipe.multiplier * multiplier,
        lr=recipe.lr * rate,
        weight_decay=recipe.weight_decay / share,
        eps=recipe.eps / factor if family.has_eps else recipe.eps,
    )


def _require_norm(role: TensorRole, start: InitialDistribution, family: UpdateFamily) -> None:
    """Check that a tensor has a norm if its steps are proportional to it."""
    if family.follows_weights and role.contracts and start.std == 0 and start.mean == 0:
        raise ParametrizationError(
            f"parametrize: got {role.name!r}, which starts from zero, with an optimizer whose "
            "steps are proportional to the tensor's norm, wanted a norm: it would never train, or "
            "train at the optimizer's own floor. Initialise it at random, or use adamw."
        )
