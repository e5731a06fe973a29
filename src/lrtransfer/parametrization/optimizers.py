"""Which family of rules an optimizer belongs to, and which optimizers have none.

An optimizer is given by the short name of a rule (`adamw`), by a class of torch's, or by any class
together with the name of the rule that it follows.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch

from ..errors import ParametrizationError
from .rules import FAMILIES, UpdateFamily

OptimizerClass = type[torch.optim.Optimizer]


@dataclass(frozen=True)
class OptimizerKind:
    """Optimizer with a rule: its family, its classes, and how its weight decay enters.

    Attributes:
        family: Key of its family in `FAMILIES`.
        classes: Qualified names of the classes known to be it.
        matrices_only: Whether it trains matrices alone and leaves all else to AdamW.
        l2: Whether its weight decay is added to the gradient.
    """

    family: str
    classes: tuple[str, ...] = ()
    matrices_only: bool = False
    l2: bool = False


# The qualified name is where torch defines the class, not where it is imported from.
KINDS: Mapping[str, OptimizerKind] = MappingProxyType({
    "sgd": OptimizerKind("gradient", ("torch.optim.sgd.SGD",), l2=True),
    "adamw": OptimizerKind("adaptive", ("torch.optim.adamw.AdamW",)),
    "adam": OptimizerKind("adaptive", ("torch.optim.adam.Adam",), l2=True),
    "nadam": OptimizerKind("adaptive", ("torch.optim.nadam.NAdam",), l2=True),
    "adamax": OptimizerKind("adaptive", ("torch.optim.adamax.Adamax",), l2=True),
    "rmsprop": OptimizerKind("adaptive", ("torch.optim.rmsprop.RMSprop",), l2=True),
    "adagrad": OptimizerKind("adaptive", ("torch.optim.adagrad.Adagrad",), l2=True),
    "lion": OptimizerKind("sign"),
    "sign_sgd": OptimizerKind("sign"),
    "adafactor": OptimizerKind("trust_ratio", ("transformers.optimization.Adafactor",)),
    "lamb": OptimizerKind("trust_ratio"),
    "lamb_spectral": OptimizerKind("trust_ratio_spectral"),
    "lars": OptimizerKind("trust_ratio", l2=True),
    "muon_plain": OptimizerKind("muon_plain", matrices_only=True),
    "muon_keller": OptimizerKind("muon_keller", ("torch.optim.Muon",), matrices_only=True),
    "muon_spectral": OptimizerKind("muon_spectral", matrices_only=True),
    "muon_kimi": OptimizerKind("muon_kimi", ("torch.optim.Muon",), matrices_only=True),
    "shampoo": OptimizerKind("shampoo", matrices_only=True),
    "shampoo_half": OptimizerKind("shampoo_half", matrices_only=True),
    "soap": OptimizerKind("soap", matrices_only=True),
})
COMPANION = "adamw"  # trains what a matrix optimizer leaves

# Optimizers for which no rule can hold, with the reason.
REFUSED: Mapping[str, str] = MappingProxyType({
    "torch.optim.lbfgs.LBFGS": "its step comes from a line search, not from a learning rate",
    "torch.optim.adadelta.Adadelta": "its step is in units of its own earlier steps, whatever "
    "the learning rate of the tensor",
    "torch.optim.radam.RAdam": "its first steps follow the size of the gradient, the later ones "
    "do not: no one rate fits both",
    "torch.optim.rprop.Rprop": "its step sizes grow and shrink by themselves",
    "torch.optim.Adafactor": "it clips the learning rate of every tensor to "
    "1/sqrt(step), which breaks their ratios; use transformers.Adafactor with "
    "relative_step=False",
})
_SHORT_REFUSED = {name.rsplit(".", 1)[1].lower(): name for name in REFUSED}


@dataclass(frozen=True)
class Optimizer:
    """The optimizer of a recipe.

    Attributes:
        kind: Key of `KINDS`: the rule.
        class_name: Qualified name of the class that the user assigned to it, or None.
    """

    kind: str
    class_name: str | None = None

    @property
    def family(self) -> UpdateFamily:
        """The family whose rates hold."""
        return FAMILIES[KINDS[self.kind].family]

    @property
    def matrices_only(self) -> bool:
        """Whether AdamW trains all but the hidden matrices."""
        return KINDS[self.kind].matrices_only


def find_optimizer(optimizer: str | OptimizerClass, *, follows: str | None = None) -> Optimizer:
    """Return the rule that an optimizer follows.

    Arguments:
        optimizer: A name of `KINDS`, or a class.
        follows: The name whose rule a class of the user's follows.

    Raises:
        ParametrizationError: If the optimizer is unknown, or breaks every rule.

    Example:
        >>> find_optimizer(torch.optim.AdamW).kind
        'adamw'
    """
    if isinstance(optimizer, str):
        if follows is not None:
            raise ParametrizationError(
                f"follows: got {follows!r} beside the name {optimizer!r}, wanted it with a class "
                "alone. Name the rule once: optimizer='adamw', or optimizer=Class, "
                "follows='adamw'."
            )
        return Optimizer(_check_kind(optimizer, key="optimizer"))
    if not isinstance(optimizer, type):
        raise ParametrizationError(
            f"optimizer: got {type(optimizer).__name__}, an object, wanted a name such as 'adamw', "
            "or a class. Give the class; its settings belong where it is made."
        )
    name = qualify(optimizer)
    _refuse(name)
    kinds = [kind for kind, row in KINDS.items() if name in row.classes]
    if follows is not None:
        kind = _check_kind(follows, key="follows")
        _require_family(kind, name, kinds)
        return Optimizer(kind, class_name=name)
    if len(kinds) != 1:
        raise ParametrizationError(
            f"optimizer: got the class {name}, wanted "
            + (f"its variant: one of {', '.join(kinds)}" if kinds else "a class that is known")
            + ". Say which rule it follows: follows='adamw', for one of "
            f"{', '.join(KINDS)}."
        )
    return Optimizer(kinds[0])


# Wrappers that hand each step on as it is; all have the optimizer in `optimizer`.
_WRAPPERS = (
    "accelerate.optimizer.AcceleratedOptimizer",
    "lightning.fabric.wrappers._FabricOptimizer",
    "lightning.pytorch.core.optimizer.LightningOptimizer",
    "lightning_fabric.wrappers._FabricOptimizer",
    "pytorch_lightning.core.optimizer.LightningOptimizer",
)


def unwrap_optimizer(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """Return the optimizer inside Accelerate's and Lightning's wrappers, nested in any order."""
    while any(name in _WRAPPERS for name in list_ancestors(optimizer)):
        optimizer = optimizer.optimizer  # type: ignore[attr-defined]
    return optimizer


def list_ancestors(optimizer: torch.optim.Optimizer) -> list[str]:
    """Return the qualified names of the class of an optimizer and of those that it is made from."""
    return [qualify(cls) for cls in type(optimizer).__mro__]


def is_known(optimizer: torch.optim.Optimizer) -> bool:
    """Whether the class itself, not one that it is made from, is among those known."""
    return any(qualify(type(optimizer)) in row.classes for row in KINDS.values())


def find_l2(optimizer: torch.optim.Optimizer) -> str | None:
    """Return the kind of a known class, or its nearest such ancestor, if its decay is L2."""
    for name in list_ancestors(optimizer):
        for kind, row in KINDS.items():
            if name in row.classes:
                return kind if row.l2 else None
    return None


def require_class(expected: Optimizer, optimizer: torch.optim.Optimizer) -> None:
    """Check that an optimizer is of a class to which the rule applies.

    Raises:
        ParametrizationError: If it is of another class, or breaks every rule.
    """
    ancestors = list_ancestors(optimizer)
    for name in ancestors:
        _refuse(name)
    accepted = KINDS[expected.kind].classes
    if expected.class_name is not None:
        accepted = (expected.class_name,)
    if not set(accepted) & set(ancestors):
        raise ParametrizationError(
            f"verify: got an optimizer of class {type(optimizer).__name__}, wanted "
            f"{_describe_classes(accepted, expected.kind)}, for which the recipe was made. Build "
            "that one from recipe.param_groups, or make the recipe for another: "
            f"optimizer={type(optimizer).__name__}, follows='...'."
        )


def qualify(cls: type) -> str:
    """Return module and name of a class."""
    return f"{cls.__module__}.{cls.__qualname__}"


def _describe_classes(classes: tuple[str, ...], kind: str) -> str:
    return " or ".join(classes) or f"the class that follows {kind!r}"


def _require_family(kind: str, class_name: str, known: Sequence[str]) -> None:
    """Check that a class that is known is not said to follow another family's rule."""
    families = {KINDS[own].family for own in known}
    if families and KINDS[kind].family not in families:
        raise ParametrizationError(
            f"follows: got {kind!r} for {class_name}, whose steps are those of "
            f"{' or '.join(map(repr, known))}, wanted such a rule. Leave follows out"
            + (", or name one of them." if len(known) > 1 else ".")
        )


def _check_kind(name: str, *, key: str) -> str:
    if name in KINDS:
        return name
    if name.lower() in _SHORT_REFUSED:
        _refuse(_SHORT_REFUSED[name.lower()])
    close = difflib.get_close_matches(name, KINDS, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ParametrizationError(f"{key}: got {name!r}, wanted one of {', '.join(KINDS)}.{hint}")


def _refuse(name: str) -> None:
    if name in REFUSED:
        raise ParametrizationError(
            f"optimizer: got {name}, wanted one whose steps scale with its learning rate: "
            f"{REFUSED[name]}."
        )
