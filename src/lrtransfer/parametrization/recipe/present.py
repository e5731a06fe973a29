r"""What a model holds before it is initialised: values of a new model, or what was learnt since.

Weights that were trained or loaded are not to be lost without a word. They show in

- a mark that `transformers` leaves on every tensor that `from_pretrained` reads;
- a gain or a bias that has left the value with which it starts in every new model;
- an entry beyond the bounds of a tensor that starts uniform;
- a singular value beyond those of independent entries: training adds much along few directions.

A few small steps from random values leave no such trace. Memory that nobody has written to (after
`to_empty`) holds anything: torch counts the writes to a tensor, and a count of 0 says so.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from ...errors import ParametrizationError
from ..rules import Role
from .initial import InitialDistribution
from .sharding import take_local_part
from .spectrum import relative_norm
from .tensor import TensorRecipe

_LOADED = "_is_hf_initialized"  # on a parameter: set by transformers 5 where it read a checkpoint
_WRITES = "_lrtransfer_writes"

# Relative errors allowed for: that of a type of 16 bits, and SIGMAS times that of the measured
# standard deviation of N uniform values, ((9/5 - 1) / 4N)^1/2. In 200,000 draws of 256 and more
# values the largest was 5.6 times that. Fewer than FEWEST say too little.
_ROUNDING, _SIGMAS, _STD_ERROR = 0.01, 9.0, 0.45
_FEWEST = 256


def require_unlearnt(
    model: nn.Module, pairs: Sequence[tuple[nn.Parameter, TensorRecipe]], *, by_hand: bool
) -> None:
    """Refuse to change a model that holds other values than a new one.

    Arguments:
        model: The model, unwrapped.
        pairs: The parameters that would be changed.
        by_hand: Whether random values may have been drawn by hand, from any distribution.

    Raises:
        ParametrizationError: If they were learnt or loaded.
    """
    if _count_all(pairs) == getattr(model, _WRITES, None):
        return  # as this library initialised it
    changed = [
        tensor.name
        for parameter, tensor in pairs
        if getattr(parameter, _LOADED, False)
        or (_count(parameter) and _has_changed(parameter, tensor, by_hand=by_hand))
    ]
    if changed:
        raise ParametrizationError(
            f"initialize: got values that no new model has ({len(changed)} of {len(pairs)} "
            f"tensors, such as {changed[0]!r}): learnt, loaded or set by hand, wanted a model as "
            "build makes it. To train on from them, call recipe.attach(model) instead; to "
            "overwrite them, pass overwrite=True; to keep some, freeze these (requires_grad)."
        )


def note_initialized(model: nn.Module, pairs: Sequence[tuple[nn.Parameter, TensorRecipe]]) -> None:
    """Note that a model holds what was just drawn, so that it can be drawn again."""
    setattr(model, _WRITES, _count_all(pairs))


def _count_all(pairs: Sequence[tuple[nn.Parameter, TensorRecipe]]) -> Mapping[str, int]:
    return {tensor.name: _count(parameter) for parameter, tensor in pairs}


def _count(parameter: nn.Parameter) -> int:
    """Return how often torch has seen a tensor being written to; 1 where it does not count."""
    return 1 if parameter.is_inference() else parameter._version


def _has_changed(parameter: nn.Parameter, tensor: TensorRecipe, *, by_hand: bool) -> bool:
    values = take_local_part(parameter.detach()).values
    if tensor.initial.is_random:
        return not by_hand and _is_beyond(values, tensor.initial)
    is_constant = tensor.initial.pattern is None and tensor.initial.shape != "kept"
    if not is_constant or tensor.role not in (Role.VECTOR, Role.SCALAR):
        return False  # other constants may be a choice of the recipe, such as a zero readout
    start = torch.full_like(values, tensor.initial.mean)
    return not torch.equal(values, start)


def _is_beyond(values: torch.Tensor, initial: InitialDistribution) -> bool:
    """Return whether values lie beyond what the distribution gives, at any scale."""
    largest = max((1.0, *(factor for _, _, factor in initial.rows)))
    if relative_norm(values) > largest * max(1.0, initial.norm * (1 + _ROUNDING)):
        return True
    is_bounded = initial.shape == "uniform" and initial.mean == 0 and not initial.rows
    if not is_bounded or values.numel() < _FEWEST:
        return False
    bound = math.sqrt(3 * float(values.double().square().mean()))
    slack = _ROUNDING + _SIGMAS * _STD_ERROR / math.sqrt(values.numel())
    return float(values.abs().max()) > bound * (1 + slack)
