"""The rules applied to one model: how to initialise it and at which rates to train it.

A recipe is a table keyed by parameter name, outside the tensors: it survives deepcopy, pickle,
`load_state_dict`, `to_empty` and wrappers, all of which lose attributes set on parameters.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from ...errors import ParametrizationError
from ...randomness import seed_of
from ..choices import WEIGHT_DECAYS, Choices, Tuned
from ..optimizers import KINDS, Optimizer, unwrap_optimizer
from ..rules import FAMILIES
from .groups import (
    Group,
    merge_groups,
    require_decay_apart,
    require_kind,
    scale_groups,
)
from .initial import require_kept
from .multipliers import Multiplier, attach, require_attached
from .present import note_initialized, require_unlearnt
from .tensor import TensorRecipe, pair_parameters, unwrap
from .verification import verify_optimizers

_RESCALED = "_lrtransfer_rescaled"
_FORMAT = "lrtransfer.recipe/1"


@dataclass(frozen=True, repr=False)
class Recipe:
    """Recipe of one model at one width: how it is initialised and trained; made by `parametrize`.

    Attributes:
        scheme: Name of the scheme.
        optimizer: The optimizer that it was made for.
        width: Width n of the model to be trained.
        base_width: Width n_0 at which the hyperparameters were tuned.
        choices: What was chosen where the rules leave a choice.
        tensors: One entry per parameter.
        multipliers: Forward multipliers; none in the default gauge without tied embeddings.
        cautions: What a reader must know about this model, one line each.
    """

    scheme: str
    optimizer: Optimizer
    width: int
    base_width: int
    choices: Choices
    tensors: tuple[TensorRecipe, ...]
    multipliers: tuple[Multiplier, ...] = ()
    cautions: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Return what the recipe is for, in one line."""
        return (
            f"Recipe({self.scheme}, {self.optimizer.kind}, {self.base_width}->{self.width}, "
            f"{len(self.tensors)} tensors)"
        )

    @property
    def optimizers(self) -> tuple[str, ...]:
        """The names of the optimizers used: one, or a matrix optimizer and AdamW."""
        return tuple(dict.fromkeys(tensor.optimizer for tensor in self.tensors))

    def initialize(
        self,
        model: nn.Module,
        *,
        seed: int | None = None,
        keep: bool = False,
        overwrite: bool = False,
    ) -> nn.Module:
        """Set the initial values of a model in place, attach its multipliers and return it.

        With `seed`, every tensor is redrawn from its own stream, named by (seed, width, tensor):
        doing it twice is doing it once, and it works after `to_empty`. With `keep`, the values
        already there are rescaled to the recipe's standard deviation instead.

        Frozen tensors (`requires_grad=False`) and buffers are left alone: after `to_empty` they are
        the caller's to fill. Weights that were learnt, here or before they were loaded, are not
        overwritten, as far as they can be told from new ones.

        Arguments:
            model: A model as `build(width)` makes it.
            seed: Names the random streams.
            keep: Rescale the present values; allowed once per model.
            overwrite: Change frozen tensors and learnt weights, too.

        Raises:
            ParametrizationError: If the model is not the recipe's, is on the meta device or holds
                learnt weights, neither or both of `seed` and `keep` are given, `keep` is asked for
                twice, or a tensor whose values cannot be redrawn was not filled. The model is then
                unchanged.
        """
        if keep == (seed is not None):
            raise ParametrizationError(
                f"initialize: got seed={seed} and keep={keep}, wanted exactly one of them: "
                "seed=0 redraws every tensor, keep=True rescales the present values."
            )
        pairs = [(p, tensor) for p, tensor in self._pairs(model) if overwrite or p.requires_grad]
        _require_memory(pairs)
        for parameter, tensor in pairs:
            require_kept(tensor.name, tensor.initial, parameter)
        # On the module, not on a tensor: the mark is copied and pickled along with the values.
        plain = unwrap(model)
        if not overwrite:
            require_unlearnt(plain, pairs, by_hand=keep)
        if keep and getattr(plain, _RESCALED, False):
            raise ParametrizationError(
                "initialize: got keep=True for a model already rescaled, wanted one rescaling. "
                "Use seed= to redraw it, or keep the model as it is."
            )
        for parameter, tensor in pairs:
            if seed is None:
                tensor.initial.rescale_(parameter)
            else:
                generator = torch.Generator().manual_seed(seed_of(seed, self.width, tensor.name))
                tensor.initial.draw_(parameter, generator)
        if keep:
            setattr(plain, _RESCALED, True)
        note_initialized(plain, pairs)
        return self.attach(model)

    def attach(self, model: nn.Module) -> nn.Module:
        """Put the forward multipliers on a model in place and return it; twice is once.

        `initialize` does it; a model built anew to load a checkpoint needs it. Nothing is added if
        the recipe has no multipliers.

        Raises:
            ParametrizationError: If the model is not the recipe's.
        """
        self._pairs(model)
        attach(unwrap(model), self.multipliers)
        return model

    def param_groups(
        self,
        model: nn.Module,
        *,
        lr: float | torch.Tensor,
        weight_decay: float,
        eps: float | None = None,
        optimizer: str | None = None,
    ) -> list[Group]:
        """Return parameter groups for a torch optimizer; tensors with equal settings are merged.

        Each group carries `lr_mult`, its learning rate over the one tuned. Schedulers that multiply
        keep these ratios, `keep_ratios` makes the others keep them, and `verify` checks them.

        Arguments:
            model: The model to be trained.
            lr: The learning rate tuned (at the base width, that of every tensor). If it is a
                tensor, so are the rates of the groups, each another one.
            weight_decay: Weight decay at the base width, in the recipe's convention: τ in steps for
                `ema_timescale`, else λ. Biases and gains are not decayed.
            eps: Adam's epsilon at the base width. It may be left out if the rule does not scale it:
                the optimizer's default then holds.
            optimizer: Which optimizer the groups are for, if the recipe has two (Muon for the
                hidden matrices, AdamW for the rest).

        Returns:
            Dicts with `params`, `name` (the roles), `lr`, `lr_mult`, `weight_decay` and, for
            optimizers with one, `eps`.

        Raises:
            ParametrizationError: If the model is not the recipe's, `eps` is missing, one of two
                optimizers is not named, or the decay given has no rule.
        """
        kind = self._choose_kind(optimizer)
        require_decay_apart(kind, {"weight_decay": weight_decay})
        pairs = [(p, tensor) for p, tensor in self._pairs(model) if tensor.optimizer == kind]
        return merge_groups(
            pairs, lr=lr, weight_decay=self._decay(weight_decay, lr), eps=self._eps(kind, eps)
        )

    def scale(
        self,
        groups: Iterable[Any],
        model: nn.Module,
        *,
        lr: float | torch.Tensor,
        weight_decay: float,
        eps: float | None = None,
        optimizer: str | None = None,
    ) -> list[Group]:
        """Return the caller's groups, split by the recipe and scaled by its multiples.

        The `lr`, `weight_decay` and `eps` of a group are multiplied (a decay of 0 stays 0), as are
        the rates that a scheduler left in it; all other keys are copied. `lr_mult` is the rate
        over `lr`; the `own_` keys keep what the caller gave, for `verify`. The groups given are
        not changed. Tensors that do not train may be missing from them.

        Arguments:
            groups: What a torch optimizer takes: groups, or parameters, named or not.
            model: The model to be trained, which names the parameters.
            lr: The learning rate tuned, of the groups that state none.
            weight_decay: Decay of the groups that state none.
            eps: Epsilon of the groups that state none; see `param_groups`.
            optimizer: Which optimizer the groups are for, if the recipe has two.

        Returns:
            New groups, in the order of the given ones.

        Raises:
            ParametrizationError: If a parameter is not the model's or another optimizer's, the
                groups were scaled before, `lr` is not positive, or an epsilon is missing.

        Example:
            >>> def build(n: int) -> nn.Module:
            ...     return nn.Sequential(nn.Linear(3, n), nn.Linear(n, 1))
            >>> recipe, model = parametrize(build, width=64, base_width=16), build(64)
            >>> plain = [{"params": model[0].parameters()}, {"params": model[1].weight, "lr": 0.02}]
            >>> groups = recipe.scale(plain, model, lr=0.1, weight_decay=0, eps=1e-8)
            >>> [(len(group["params"]), group["lr"]) for group in groups]
            [(1, 0.1), (1, 0.1), (1, 0.005)]
        """
        if not lr > 0:
            raise ParametrizationError(f"scale: got lr={lr:g}, wanted a positive learning rate.")
        kind = self._choose_kind(optimizer)
        defaults = {"lr": lr, "weight_decay": weight_decay, "eps": eps}
        scaled = scale_groups(groups, self._pairs(model), defaults, decay=self._decay)
        for group, tensor in scaled:
            require_decay_apart(kind, {"weight_decay": group["weight_decay"]})
            require_kind(kind, [tensor])
            eps_given = self._eps(kind, group.pop("eps"))
            if eps_given is not None:
                group |= {"eps": eps_given * tensor.eps, "own_eps": eps_given}
        return [group for group, _ in scaled]

    def verify(
        self, model: nn.Module, *optimizers: torch.optim.Optimizer, test: bool | None = None
    ) -> None:
        """Check that optimizers train every tensor once, as the recipe's family and ratios say.

        Rates that `keep_ratios` will set at the next step are compared as they will be. With
        `test`, copies of the optimizer, with its options and tiny tensors of their own, are
        stepped, and what their steps and their weight decay depend on is measured; the optimizer
        and its state are left alone. What cannot be decided is a warning.

        Arguments:
            model: The model to be trained.
            *optimizers: One, or one for each of `optimizers`; Accelerate's and Lightning's
                wrappers are looked into.
            test: Whether copies are tried; by default those of classes that are not known.

        Raises:
            ParametrizationError: If an optimizer is of another class, a parameter that trains is
                missing or occurs twice, the learning rates, weight decays or (AdamW's) epsilons
                are not in the ratios of the recipe (a plain optimizer, or a scheduler that set all
                groups to one value), the weight decay is mixed into moments, the model lacks its
                multipliers, copies do otherwise than the family says, or none can be tried though
                `test` is set. Where all rates are 0, as at the start of a warmup, the rates that
                the scheduler starts from are compared.
        """
        pairs = self._pairs(model)
        require_attached(unwrap(model), self.multipliers)
        rules = {kind: self._optimizer(kind) for kind in self.optimizers}
        verify_optimizers(pairs, list(map(unwrap_optimizer, optimizers)), rules=rules, test=test)

    def to_json(self) -> str:
        """Return the recipe as a JSON document."""
        return json.dumps({"format": _FORMAT, **asdict(self)}, indent=1, allow_nan=False)

    @staticmethod
    def from_json(text: str) -> "Recipe":
        """Return the recipe that `to_json` wrote.

        Raises:
            ParametrizationError: If the text is no such document.
        """
        try:
            return _read_recipe(json.loads(text))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ParametrizationError(
                f"from_json: got a text that is no recipe ({error}), wanted what recipe.to_json() "
                f"writes, of format {_FORMAT!r}."
            ) from error

    def _optimizer(self, kind: str) -> Optimizer:
        return self.optimizer if kind == self.optimizer.kind else Optimizer(kind)

    def _choose_kind(self, optimizer: str | None) -> str:
        if optimizer is None and len(self.optimizers) == 1:
            return self.optimizers[0]
        if optimizer not in self.optimizers:
            names = " or ".join(map(repr, self.optimizers))
            raise ParametrizationError(
                f"param_groups: got optimizer={optimizer!r}, wanted {names}, which train different "
                "tensors of this recipe. Ask for the groups of each."
            )
        return optimizer

    def _decay(self, weight_decay: float, lr: float | torch.Tensor) -> float:
        """Return the decay to be multiplied by the recipe's factors."""
        convention = WEIGHT_DECAYS[self.choices.weight_decay]
        if convention.with_lr or not weight_decay:
            return weight_decay
        if not lr > 0:
            raise ParametrizationError(
                f"param_groups: got lr={lr:g} with weight decay {self.choices.weight_decay!r}, "
                "wanted lr > 0: the decay is divided by the rate that the optimizer multiplies it "
                "by. Give the peak rate and let the schedule warm up."
            )
        return (1 / weight_decay if convention.inverse else weight_decay) / float(lr)

    def _pairs(self, model: nn.Module) -> list[tuple[nn.Parameter, TensorRecipe]]:
        """Return each parameter with its recipe, after checking that the two sets agree."""
        return pair_parameters(model, self.tensors, self.width)

    def _eps(self, kind: str, eps: float | None) -> float | None:
        """Return the epsilon to be multiplied; None if the optimizer keeps its default."""
        if not FAMILIES[KINDS[kind].family].has_eps:
            return None
        if eps is None and any(t.eps != 1 for t in self.tensors if t.optimizer == kind):
            raise ParametrizationError(
                f"param_groups: got no eps, wanted the epsilon of {kind} at the "
                f"base width, because {self.scheme} scales it. Pass eps=1e-8 (torch's own)."
            )
        return eps


def _read_recipe(document: dict[str, Any]) -> Recipe:
    if document["format"] != _FORMAT:
        raise ValueError(f"of format {document['format']!r}")
    optimizer = Optimizer(**document["optimizer"])
    for kind in (optimizer.kind, *(tensor["optimizer"] for tensor in document["tensors"])):
        if kind not in KINDS:
            raise ValueError(f"optimizer {kind!r} is unknown")
    return Recipe(
        scheme=document["scheme"],
        optimizer=optimizer,
        width=document["width"],
        base_width=document["base_width"],
        choices=_read_choices(document["choices"]),
        tensors=tuple(map(TensorRecipe.from_document, document["tensors"])),
        multipliers=tuple(Multiplier(**m) for m in document["multipliers"]),
        cautions=tuple(document["cautions"]),
    )


def _read_choices(document: dict[str, Any]) -> Choices:
    tuned = {role: Tuned(**factors) for role, factors in document["tuned"].items()}
    return Choices(**document | {"tuned": tuned})


def _require_memory(pairs: Sequence[tuple[nn.Parameter, TensorRecipe]]) -> None:
    if empty := [tensor.name for parameter, tensor in pairs if parameter.is_meta]:
        raise ParametrizationError(
            f"initialize: got {empty[0]!r} on the meta device ({len(empty)} of {len(pairs)} "
            "tensors), wanted tensors that hold values. Call model.to_empty(device=...) first."
        )
