"""Whether `build` gives a new model at every call: of the same form, with new draws."""

from collections.abc import Mapping

import torch
from torch import nn

from ...errors import ParametrizationError
from .spectrum import relative_norm

_FEWEST, _MOST = 64, 2**16  # entries by which draws are told from a table, and looked at
_KURTOSIS = 4.0  # above that of a normal distribution


def require_new(first: nn.Module, second: nn.Module) -> None:
    """Check that two builds gave two models of the same form.

    Raises:
        ParametrizationError: If they are one, or have different parameters.
    """
    if first is second:
        raise ParametrizationError(
            "build: got the same model from two calls, wanted a new one at every call. Make it "
            "inside the function, without a cache."
        )
    shapes = [{n: tuple(p.shape) for n, p in m.named_parameters()} for m in (first, second)]
    if differing := sorted(dict(shapes[0].items() ^ shapes[1].items())):
        raise ParametrizationError(
            f"build: got {differing[0]!r} with shape {shapes[0].get(differing[0])} from one call "
            f"and {shapes[1].get(differing[0])} from the next, of the same width, wanted equal "
            "parameters at every call. Depth and options must not be drawn at random."
        )


def require_no_draws(values: Mapping[str, torch.Tensor]) -> None:
    """Check that a model without a random tensor has none that was drawn from a fixed seed.

    Such a tensor would pass for a table that the model needs as it is, and keep its values.

    Arguments:
        values: Those that are equal in two models of one width, by name.

    Raises:
        ParametrizationError: If it has.
    """
    drawn = [name for name, value in values.items() if _looks_drawn(value)]
    if drawn:
        raise ParametrizationError(
            f"build: got the same values in {drawn[0]!r} ({len(drawn)} of {len(values)} tensors) "
            "from two calls after different seeds of torch, wanted new draws at every call: their "
            "scale could not be told from that of a fixed table. Leave torch.manual_seed and "
            "loaded weights out of build; initialize(seed=...) names the draws."
        )


def _looks_drawn(values: torch.Tensor) -> bool:
    """Return whether a matrix could be of independent draws: not a table, an identity or zeros."""
    if values.ndim < 2 or not values.is_floating_point() or values.numel() < _FEWEST:
        return False
    flat = values.flatten()
    sample = flat[:: -(-len(flat) // _MOST)].to(torch.float64)
    deviations = (sample - sample.mean()) / sample.std()
    is_continuous = len(sample.unique()) > len(sample) / 2
    has_no_tails = float(deviations.pow(4).mean()) < _KURTOSIS
    return is_continuous and has_no_tails and relative_norm(values) < 1
