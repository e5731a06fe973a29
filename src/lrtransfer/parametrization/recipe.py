"""The rules applied to one model: how to initialise it and at which rates to train it.

A recipe is a table keyed by parameter name, outside the tensors: it survives deepcopy, pickle,
`load_state_dict`, `to_empty` and wrappers, all of which lose attributes set on parameters.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..errors import ParametrizationError
from ..randomness import seed_of
from .initial import InitialDistribution, measure
from .roles import Build, Layout, Shape, TensorRole, assign_roles
from .rules import OPTIMIZERS, RULES, SCHEMES, Role, Rule
from .sharding import local_part, standard_deviation

_SCALED = ("lr", "weight_decay", "eps")
_RATES = ("lr", "initial_lr", "max_lr", "min_lr")  # the latter three: what schedulers leave
_RESCALED = "_lrtransfer_rescaled"
_DATA_PARALLEL = (nn.parallel.DistributedDataParallel, nn.DataParallel)
_CLASSES: dict[str, type[torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
}


@dataclass(frozen=True)
class TensorRecipe:
    """State how one tensor is initialised and trained.

    Attributes:
        name: Name of the parameter.
        role: What the tensor does.
        shape: Its shape.
        initial: Distribution of its entries at the start.
        lr: Learning rate as a multiple of the one tuned.
        weight_decay: Weight decay as a multiple of the one given; 0 where the layer
            contracts nothing (biases, gains).
        eps: Adam's epsilon as a multiple of the one given.
    """

    name: str
    role: Role
    shape: Shape
    initial: InitialDistribution
    lr: float
    weight_decay: float
    eps: float


@dataclass(frozen=True, repr=False)
class Recipe:
    """Hold the recipe of one model at one width; made by `parametrize`."""

    scheme: str
    optimizer: str
    width: int
    base_width: int
    tensors: tuple[TensorRecipe, ...]

    def __repr__(self) -> str:
        """Say what the recipe is for."""
        return (
            f"Recipe({self.scheme}, {self.optimizer}, {self.base_width}->{self.width}, "
            f"{len(self.tensors)} tensors)"
        )

    def initialize(
        self, model: nn.Module, *, seed: int | None = None, keep: bool = False
    ) -> nn.Module:
        """Set the initial values of a model in place and return it.

        With `seed`, every tensor is redrawn from its own stream, named by (seed, width, tensor):
        doing it twice is doing it once, and it works after `to_empty`. With `keep`, the values
        already there are rescaled to the recipe's standard deviation instead. Buffers (running
        statistics, tables) are left alone: after `to_empty` they are the caller's to fill.

        Arguments:
            model: A model as `build(width)` makes it.
            seed: Names the random streams.
            keep: Rescale the present values; allowed once per model.

        Raises:
            ParametrizationError: If the model is not the recipe's or is on the meta device,
                neither or both of `seed` and `keep` are given, or `keep` is asked for twice.
                The model is then unchanged.
        """
        if keep == (seed is not None):
            raise ParametrizationError(
                f"initialize: got seed={seed} and keep={keep}, wanted exactly one of them: "
                "seed=0 redraws every tensor, keep=True rescales the present values."
            )
        pairs = self._pairs(model)
        _require_memory(pairs)
        # On the module, not on a tensor: the mark is copied and pickled along with the values.
        plain = _unwrapped(model)
        if keep and getattr(plain, _RESCALED, False):
            raise ParametrizationError(
                "initialize: got keep=True for a model already rescaled, wanted one rescaling. "
                "Use seed= to redraw it, or keep the model as it is."
            )
        for parameter, tensor in pairs:
            if seed is None:
                _rescale_(parameter, tensor.initial)
            else:
                generator = torch.Generator().manual_seed(seed_of(seed, self.width, tensor.name))
                tensor.initial.draw_(parameter, generator)
        if keep:
            setattr(plain, _RESCALED, True)
        return model

    def param_groups(
        self,
        model: nn.Module,
        *,
        lr: float | torch.Tensor,
        weight_decay: float,
        eps: float | None = None,
    ) -> list[dict[str, Any]]:
        """Return parameter groups for a torch optimizer; tensors with equal settings are merged.

        Each group carries `lr_mult`, its learning rate over the one tuned: schedulers that
        multiply keep the ratios, `keep_ratios` makes the others keep them, and `verify` finds out
        about those that did not.

        Arguments:
            model: The model to be trained.
            lr: The learning rate tuned (at the base width every tensor's own). A tensor gives
                every group a tensor of its own.
            weight_decay: Decoupled weight decay at the base width. Biases and gains are
                not decayed.
            eps: Adam's epsilon at the base width; by default the optimizer's own is left alone
                only where the rule leaves it alone, so a rule that scales it needs the value.

        Raises:
            ParametrizationError: If the model is not the recipe's, or `eps` is missing.
        """
        groups: dict[tuple[float, float, float], dict[str, Any]] = {}
        for parameter, tensor in self._pairs(model):
            group = groups.setdefault(
                (tensor.lr, tensor.weight_decay, tensor.eps),
                {
                    "params": [],
                    "name": tensor.role.value,
                    "lr": lr * tensor.lr,
                    "lr_mult": tensor.lr,
                    "weight_decay": weight_decay * tensor.weight_decay,
                }
                | self._epsilon(tensor, eps),
            )
            group["params"].append(parameter)
            if tensor.role.value not in group["name"].split("+"):
                group["name"] += f"+{tensor.role.value}"
        return list(groups.values())

    def scale(
        self,
        groups: Iterable[Any],
        model: nn.Module,
        *,
        lr: float | torch.Tensor,
        weight_decay: float,
        eps: float | None = None,
    ) -> list[dict[str, Any]]:
        """Return groups that the caller has, split by the recipe and scaled by its multiples.

        A group's own `lr`, `weight_decay` and `eps` are multiplied (a decay of 0 stays 0), as are
        the rates that a scheduler left in it; all other keys are copied. `lr_mult` is the rate
        over `lr`; the `own_` keys keep what the caller gave, for `verify`. The groups given are
        not changed. Frozen or left-out tensors may be missing from them.

        Arguments:
            groups: What a torch optimizer takes: groups, or parameters, named or not.
            model: The model to be trained: tells which parameter is which.
            lr: The learning rate tuned, of the groups that state none.
            weight_decay: Decay of the groups that state none.
            eps: Epsilon of the groups that state none; see `param_groups`.

        Raises:
            ParametrizationError: If a parameter is not the model's, the groups were scaled before,
                `lr` is not positive, or an epsilon is missing.

        Example:
            >>> def build(n: int) -> nn.Module:
            ...     return nn.Sequential(nn.Linear(3, n), nn.Linear(n, 1))
            >>> recipe, model = parametrize(build, width=64, base_width=16), build(64)
            >>> own = [{"params": model[0].parameters()}, {"params": model[1].weight, "lr": 0.02}]
            >>> groups = recipe.scale(own, model, lr=0.1, weight_decay=0, eps=1e-8)
            >>> [(len(group["params"]), group["lr"]) for group in groups]
            [(1, 0.1), (1, 0.1), (1, 0.005)]
        """
        if not lr > 0:
            raise ParametrizationError(f"scale: got lr={lr:g}, wanted a positive learning rate.")
        defaults = {"lr": lr, "weight_decay": weight_decay} | ({} if eps is None else {"eps": eps})
        tensors = {id(parameter): tensor for parameter, tensor in self._pairs(model)}
        return [
            self._scaled_part(part, tensor, float(lr))
            for group in _as_groups(groups)
            for part, tensor in _split(defaults | group, tensors)
        ]

    def verify(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Check that an optimizer trains every tensor once, as the recipe's family and ratios say.

        Raises:
            ParametrizationError: If the optimizer is of another class, a parameter that trains is
                missing or one occurs twice, or the learning rates, weight decays or (AdamW's)
                epsilons are not in the ratios of the recipe (a plain optimizer, or a scheduler
                that set all groups to one value). Where all rates are 0, as at the start of a
                warmup, the rates that the scheduler starts from are compared.
        """
        wanted_class = _CLASSES[self.optimizer]
        if not isinstance(optimizer, wanted_class):
            raise ParametrizationError(
                f"verify: got an optimizer of class {type(optimizer).__name__}, wanted "
                f"torch.optim.{wanted_class.__name__}, for which the recipe was made (Adam's decay "
                "is part of the gradient, AdamW's is not). Build that one from "
                "recipe.param_groups, or make the recipe for another optimizer."
            )
        groups: dict[int, dict[str, Any]] = {}
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if id(parameter) in groups:
                    raise ParametrizationError(
                        "verify: got a parameter that occurs twice in the optimizer's groups, "
                        "wanted each once. Build the groups with recipe.param_groups."
                    )
                groups[id(parameter)] = group
        pairs = self._pairs(model)
        if missing := [t.name for p, t in pairs if id(p) not in groups and p.requires_grad]:
            raise ParametrizationError(
                f"verify: got an optimizer without {missing[0]!r} ({len(missing)} of "
                f"{len(pairs)} tensors missing), wanted every tensor of the model. Build the "
                "groups with recipe.param_groups."
            )
        trained = [(t, groups[id(p)]) for p, t in pairs if id(p) in groups]
        all_zero = not any(float(group["lr"]) for _, group in trained)
        for key in ("lr", "weight_decay") + (("eps",) if self.optimizer == "adamw" else ()):
            source = "initial_lr" if key == "lr" and all_zero else key
            values = [(t, float(group.get(source, group[key])), group) for t, group in trained]
            _require_ratios(key, values)

    def _pairs(self, model: nn.Module) -> list[tuple[nn.Parameter, TensorRecipe]]:
        """Return each parameter with its recipe, after checking that the two sets agree."""
        parameters = dict(_unwrapped(model).named_parameters())
        shapes = {name: tuple(p.shape) for name, p in parameters.items()}
        wanted = {tensor.name: tensor.shape for tensor in self.tensors}
        if shapes != wanted:
            name = min(n for n in shapes | wanted if shapes.get(n) != wanted.get(n))
            raise ParametrizationError(
                f"recipe for width {self.width}: got {name!r} with shape {shapes.get(name)}, "
                f"wanted {wanted.get(name)}. Give it the model that build({self.width}) makes."
            )
        return [(parameters[tensor.name], tensor) for tensor in self.tensors]

    def _scaled_part(self, part: dict[str, Any], tensor: TensorRecipe, lr: float) -> dict[str, Any]:
        """Return a group, all of whose parameters are treated like one tensor, scaled."""
        own = {f"own_{key}": float(part[key]) for key in _SCALED if key in part}
        rates = {key: part[key] * tensor.lr for key in _RATES if key in part}
        return (
            part
            | rates
            | {"lr_mult": own["own_lr"] / lr * tensor.lr}
            | {"weight_decay": part["weight_decay"] * tensor.weight_decay}
            | self._epsilon(tensor, part.get("eps"))
            | own
        )

    def _epsilon(self, tensor: TensorRecipe, eps: float | None) -> dict[str, float]:
        if self.optimizer == "sgd":
            return {}
        if eps is None:
            if any(t.eps != 1 for t in self.tensors):
                raise ParametrizationError(
                    f"param_groups: got no eps, wanted the epsilon of {self.optimizer} at the "
                    f"base width, because {self.scheme} scales it. Pass eps=1e-8 (torch's own)."
                )
            return {}
        return {"eps": eps * tensor.eps}


def parametrize(
    build: Build,
    *,
    width: int,
    base_width: int,
    scheme: str = "mup",
    optimizer: str = "adamw",
    layouts: Mapping[str, Layout] | None = None,
) -> Recipe:
    """Return the recipe for training `build(width)` with hyperparameters of `build(base_width)`.

    Arguments:
        build: Maps a width to a model made of torch's standard layers.
        width: Width n of the model to be trained.
        base_width: Width n_0 at which the hyperparameters were tuned; every factor is 1 there.
        scheme: `mup` or `sp`.
        optimizer: `adamw` or `sgd`.
        layouts: Declares the sides of tensors that do not belong to a layer of torch's.

    References:
        Yang et al. (2021), Table 3 and Lemma J.1. https://arxiv.org/abs/2203.03466

    Raises:
        ParametrizationError: If an argument is unknown, or the model's tensors cannot be given
            roles (see `assign_roles`) or redrawn (see `measure`).

    Example:
        >>> def build(n: int) -> nn.Module:
        ...     return nn.Sequential(nn.Linear(3, n), nn.ReLU(), nn.Linear(n, 1, bias=False))
        >>> recipe = parametrize(build, width=64, base_width=16)
        >>> recipe
        Recipe(mup, adamw, 16->64, 3 tensors)
        >>> [(t.role.value, t.lr) for t in recipe.tensors]
        [('input', 1.0), ('vector', 1.0), ('output', 0.25)]
    """
    _require("scheme", scheme, SCHEMES)
    _require("optimizer", optimizer, OPTIMIZERS)
    for key, value in (("width", width), ("base_width", base_width)):
        if value < 1:
            raise ParametrizationError(f"{key}: got {value}, wanted a positive whole number.")
    roles = assign_roles(build, width=width, base_width=base_width, layouts=layouts)
    initial = measure(build, base_width)
    rules = RULES[scheme, optimizer]
    tensors = tuple(_apply(rules[role.role], role, initial[role.name]) for role in roles)
    return Recipe(scheme, optimizer, width, base_width, tensors)


def _apply(rule: Rule, role: TensorRole, initial: InitialDistribution) -> TensorRecipe:
    ratios = (role.ratio_in, role.ratio_out)
    return TensorRecipe(
        name=role.name,
        role=role.role,
        shape=role.shape,
        initial=initial.scaled(rule.init_std(*ratios)),
        lr=rule.lr(*ratios),
        weight_decay=rule.weight_decay(*ratios) if role.contracts else 0.0,
        eps=rule.eps(*ratios),
    )


def _require(key: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ParametrizationError(f"{key}: got {value!r}, wanted one of {', '.join(allowed)}.")


def _unwrapped(model: nn.Module) -> nn.Module:
    """Return the model inside torch.compile and data parallelism, nested in any order."""
    while True:
        if isinstance(model, _DATA_PARALLEL):
            model = model.module
        elif isinstance(inner := getattr(model, "_orig_mod", None), nn.Module):
            model = inner
        else:
            return model


def _require_memory(pairs: Sequence[tuple[nn.Parameter, TensorRecipe]]) -> None:
    if empty := [tensor.name for parameter, tensor in pairs if parameter.is_meta]:
        raise ParametrizationError(
            f"initialize: got {empty[0]!r} on the meta device ({len(empty)} of {len(pairs)} "
            "tensors), wanted tensors that hold values. Call model.to_empty(device=...) first."
        )


def _rescale_(parameter: nn.Parameter, initial: InitialDistribution) -> None:
    present = standard_deviation(parameter)
    with torch.no_grad():
        if initial.std > 0 and present > 0:
            values = local_part(parameter).values
            values.sub_(initial.mean).mul_(initial.std / present).add_(initial.mean)


def _require_ratios(
    key: str, values: Sequence[tuple[TensorRecipe, float, Mapping[str, Any]]]
) -> None:
    """Check the values of one setting against the recipe's multiples, relative to a nonzero one."""
    multiples = [
        float(getattr(tensor, key)) * float(group.get(f"own_{key}", 1.0))
        for tensor, _, group in values
    ]
    i = next((i for i, multiple in enumerate(multiples) if multiple != 0), 0)
    (first, first_value, _), unit = values[i], multiples[i] or 1.0
    for (tensor, value, _), multiple in zip(values, multiples, strict=True):
        if not math.isclose(value * unit, first_value * multiple, rel_tol=1e-6):
            raise ParametrizationError(
                f"verify: got {key}={value:g} for {tensor.name!r} beside {first_value:g} for "
                f"{first.name!r}, wanted the ratio {multiple / unit:g}. Build the optimizer "
                "from recipe.param_groups, and use schedulers that multiply (LambdaLR) or call "
                "keep_ratios(optimizer) before making the scheduler."
            )


def _as_groups(groups: Iterable[Any]) -> list[dict[str, Any]]:
    """Return what a torch optimizer takes as groups, each with a list of parameters."""
    entries = list(groups)
    if not all(isinstance(entry, dict) for entry in entries):
        entries = [{"params": entries}]
    return [
        group | {"params": [own] if isinstance(own := group["params"], torch.Tensor) else [*own]}
        for group in entries
    ]


def _split(
    group: dict[str, Any], tensors: Mapping[int, TensorRecipe]
) -> list[tuple[dict[str, Any], TensorRecipe]]:
    """Split a group into parts whose tensors have equal multiples, each with one of them."""
    if "lr_mult" in group:
        raise ParametrizationError(
            "scale: got a group that has lr_mult already, wanted groups that no recipe has "
            "scaled: the multiples would apply twice. Give it the groups as they were."
        )
    parts: dict[tuple[float, float, float], tuple[dict[str, Any], TensorRecipe]] = {}
    names = group.get("param_names")
    for i, entry in enumerate(group["params"]):
        tensor = _known(entry, tensors)
        empty = group | {"params": []} | ({} if names is None else {"param_names": []})
        part, _ = parts.setdefault((tensor.lr, tensor.weight_decay, tensor.eps), (empty, tensor))
        part["params"].append(entry)
        if names is not None:
            part["param_names"].append(names[i])
    return list(parts.values())


def _known(entry: Any, tensors: Mapping[int, TensorRecipe]) -> TensorRecipe:
    """Return the recipe of a parameter, or of a (name, parameter) pair."""
    parameter = entry[1] if isinstance(entry, tuple) else entry
    if id(parameter) not in tensors:
        raise ParametrizationError(
            f"scale: got a parameter of shape {tuple(parameter.shape)} that is not in the model, "
            "wanted parameters of the model given. Make the groups from it, after wrapping "
            "(fully_shard) and moving it."
        )
    return tensors[id(parameter)]
