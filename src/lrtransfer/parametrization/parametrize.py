"""From a function that builds a model to the recipe for one width."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from itertools import takewhile
from typing import Any

from torch import nn

from ..errors import ParametrizationError
from .choices import Choices
from .exponents import Rows, make_abc_scheme
from .optimizers import KINDS, Optimizer, OptimizerClass, find_optimizer
from .powers import Power
from .recipe.initial import measure_initial
from .recipe.multipliers import (
    Multiplier,
    is_affine,
    is_lookup,
    place_multiplier,
    require_affine,
)
from .recipe.recipe import Recipe
from .recipe.tensor import TensorRecipe
from .recipe.tensor_rules import TensorRules
from .roles.roles import Build, Layout, TensorRole, make_role_table
from .rules import GAUGES, SCHEMES, Scheme


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
        scheme: A name of `SCHEMES`, or rows of the user's exponents (see `make_abc_scheme`).
        optimizer: A name of `KINDS`, or a class.
        example: What the model is called with; needed where its layers are not all torch's own.
        follows: The name whose rule an optimizer class of the user's follows.
        layouts: Declares the sides of tensors, by name or pattern.
        roles: Declares the role of tensors, by name or pattern.
        choices: Where the rules leave a choice.

    References:
        Yang et al. (2022), Tensor Programs V: Tuning Large Neural Networks via Zero-Shot
        Hyperparameter Transfer, Table 3 and Lemma J.1. https://arxiv.org/abs/2203.03466

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
    name, rules = _find_scheme(scheme, choices)
    rule_of_optimizer = find_optimizer(optimizer, follows=follows)
    _require_defined(name, rules, rule_of_optimizer)
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
    rules_of_tensors = TensorRules(
        rules, rule_of_optimizer, choices, branches, find_directions(table.tensors)
    )
    multiplied = _find_multiplied(partial(build, base_width), table.tensors, rules_of_tensors)
    rules_of_tensors = replace(rules_of_tensors, multiplied=multiplied)
    tensors = tuple(rules_of_tensors.make(role, initial[role.name]) for role in table.tensors)
    return Recipe(
        scheme=name,
        optimizer=rule_of_optimizer,
        width=width,
        base_width=base_width,
        choices=choices,
        tensors=tensors,
        multipliers=_place_multipliers(
            partial(build, base_width), table.tensors, tensors, rules_of_tensors
        ),
        cautions=(*_caution_of_equal_widths(width, base_width), *table.cautions),
    )


def _caution_of_equal_widths(width: int, base_width: int) -> tuple[str, ...]:
    if width != base_width:
        return ()
    return (
        f"width and base width are both {width}: every factor is 1, as under SP. Give the width of "
        "the model that is to be trained",
    )


def find_branches(roles: tuple[TensorRole, ...]) -> frozenset[str]:
    """Return the names of the tensors that belong to residual branches.

    The module deepest in the model that holds the ends of all branches holds the blocks. Of its
    children, those with such an end are blocks, and all their tensors count; embeddings, readout
    and final norm are elsewhere.
    """
    ends = [role.name for role in roles if role.is_residual_output]
    top = min((_shared_depth(ends[0], end) for end in ends), default=0)
    return frozenset(
        role.name for role in roles if any(_shared_depth(role.name, end) > top for end in ends)
    )


def _shared_depth(one: str, two: str) -> int:
    """Return how many names of modules, from the root, two tensors have in common."""
    pairs = zip(one.split("."), two.split("."), strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))


def _find_scheme(scheme: str | Scheme | Rows, choices: Choices) -> tuple[str, Scheme]:
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
        kinds = [kind for kind, row in KINDS.items() if row.family in scheme.families]
        raise ParametrizationError(
            f"scheme: got {name!r} with the optimizer {optimizer.kind!r}, wanted one of "
            f"{', '.join(kinds)}: for others its source ({scheme.source}) gives no rates."
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


def _place_multipliers(
    build_base: Callable[[], nn.Module],
    roles: tuple[TensorRole, ...],
    tensors: tuple[TensorRecipe, ...],
    rules: TensorRules,
) -> tuple[Multiplier, ...]:
    """Return the hooks of the forward multipliers: weights', tied readouts', residual branches'."""
    pairs = [
        (role, tensor)
        for role, tensor in zip(roles, tensors, strict=True)
        if tensor.multiplier != 1 or role.tied_readouts or role.is_residual_output
    ]
    if not pairs:
        return ()
    model, branch = build_base(), rules.branch(-rules.choices.depth_exponent)
    hooks = []
    for role, tensor in pairs:
        at_lookup = rules.multiplied.get(role.name, 1.0)
        if tensor.multiplier != at_lookup:
            _require_untied(role)
            hooks.append(place_multiplier(model, role.name, tensor.multiplier))
        if at_lookup != 1:
            hooks += [Multiplier(module, "output", at_lookup) for module in role.lookups]
        elif (readout := _tied_factor(role, rules)) != 1:
            hooks += [Multiplier(module, "input", readout) for module in role.tied_readouts]
        if role.is_residual_output and branch != 1:
            require_affine(model.get_submodule(role.name.rpartition(".")[0]), role.name)
            hooks.append(Multiplier(role.name.rpartition(".")[0], "output", branch))
    return tuple(dict.fromkeys(hooks))


def _tied_factor(role: TensorRole, rules: TensorRules) -> float:
    """Return the factor of the logits of a readout tied to a table of embeddings.

    Such a tensor has the gauge of TP5, Table 8 only: it is initialised and trained as an input, and
    the logits carry what the readout's weights would. Plain SP leaves the model as it is.
    """
    if rules.scheme is SCHEMES["sp"]:
        return 1.0
    return rules.factor(Power(fan_out=-rules.scheme.readout), role=role)


def _find_multiplied(
    build_base: Callable[[], nn.Module], roles: tuple[TensorRole, ...], rules: TensorRules
) -> dict[str, float]:
    """Return the multipliers of tables that are tied to a readout which is no module of its own.

    `F.linear(h, table.weight)` has no place for a factor of the logits. The same function is
    trained if the table's values have the factor, and its lookups are divided by it (Lemma J.1).
    """
    tied = [role for role in roles if role.tied_readouts and _tied_factor(role, rules) != 1]
    if not tied:
        return {}
    model = build_base()
    return {
        role.name: 1 / _tied_factor(role, rules)
        for role in tied
        if not all(_owns(model, module, role.name, is_affine) for module in role.tied_readouts)
        and _require_lookups(model, role)
    }


def _owns(model: nn.Module, module: str, name: str, is_kind: Callable[[nn.Module], bool]) -> bool:
    """Return whether a module of a kind has a tensor as a parameter of its own."""
    owner, tensor = model.get_submodule(module), model.get_parameter(name)
    return any(own is tensor for own in owner.parameters(recurse=False)) and is_kind(owner)


def _require_lookups(model: nn.Module, role: TensorRole) -> bool:
    """Check that all lookups of a table are modules, which have a place for a factor."""
    if not (role.lookups and all(_owns(model, m, role.name, is_lookup) for m in role.lookups)):
        readout = role.tied_readouts[0]
        raise ParametrizationError(
            f"parametrize: got {role.name!r}, looked up and used again as the readout in the "
            f"forward of {readout or 'the model'!r}, where neither is a module with a place for "
            "the factor of the logits, wanted one: look its rows up with nn.Embedding, or make the "
            "readout an nn.Linear with that weight."
        )
    return True


def find_directions(roles: tuple[TensorRole, ...]) -> dict[str, TensorRole]:
    """Return the role of the weight whose direction a gain multiplies, by the gain's name."""
    by_name = {role.name: role for role in roles}
    return {role.name: by_name[role.direction.name] for role in roles if role.direction is not None}


def _require_untied(role: TensorRole) -> None:
    if role.tied_readouts:
        raise ParametrizationError(
            f"parametrize: got {role.name!r} tied to the readout {role.tied_readouts[0]!r} in a "
            "gauge that multiplies embeddings, wanted gauge='table3' or 'table8': a shared tensor "
            "has one scale."
        )
