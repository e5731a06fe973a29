"""How a model initialises its tensors, measured once at the base width.

A recipe redraws every tensor from the distribution found here, with the scale its rule gives.
So the user's own choices (a zero readout, a small embedding) survive, and nothing has to be
declared.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import nn

from ..errors import ParametrizationError
from ..randomness import seed_of
from .roles import Build
from .sharding import BLOCK, fill_, local_part

# Models are built until every random tensor has given ENTRIES values (its std to about 1 %).
# A tensor of one entry stops at MOST_BUILDS values: its std is then known to 6 % if uniform.
ENTRIES = 4096
FEWEST_BUILDS, MOST_BUILDS = 4, 64

# Kurtosis is 9/5 for a uniform and 3 for a normal distribution; this is the middle. Few normal
# values pass for uniform by kurtosis alone (64: one time in seven), so the largest deviation, at
# most sqrt(3) std where uniform, must agree, with 10 % allowed for the errors of mean and std.
_KURTOSIS_SPLIT = 2.4
_UNIFORM_REACH = 1.1 * 3**0.5


@dataclass(frozen=True)
class InitialDistribution:
    """Describe the distribution of a tensor's entries; `std` is 0 for a constant tensor."""

    shape: Literal["normal", "uniform"]
    mean: float
    std: float

    def scaled(self, factor: float) -> "InitialDistribution":
        """Return the distribution with its standard deviation multiplied."""
        return replace(self, std=self.std * factor)

    def draw_(self, tensor: torch.Tensor, generator: torch.Generator) -> None:
        """Fill a tensor with independent draws, the same however it is spread over processes."""
        if self.std == 0:
            with torch.no_grad():
                local_part(tensor).values.fill_(self.mean)
        else:
            fill_(tensor, self._blocks(tensor.numel(), generator))

    def _blocks(self, entries: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
        """Yield draws in float32, in the order of the flattened tensor."""
        for start in range(0, entries, BLOCK):
            unit = torch.empty(min(BLOCK, entries - start), dtype=torch.float32)
            if self.shape == "normal":
                unit.normal_(generator=generator)
            else:
                unit.uniform_(-(3**0.5), 3**0.5, generator=generator)
            yield unit.mul_(self.std).add_(self.mean)


def measure(build: Build, base_width: int) -> dict[str, InitialDistribution]:
    """Return the initial distribution of every parameter of `build(base_width)`.

    The model is built 4 to 64 times from fixed seeds, more often the smaller its smallest random
    tensor; torch's global generator is left as it was.

    Raises:
        ParametrizationError: If a tensor starts from values that are neither random nor constant
            (a table of frequencies, say): redrawing would destroy it.
    """
    draws: dict[str, list[torch.Tensor]] = {}
    for i in range(MOST_BUILDS):
        short = {name for name, values in draws.items() if _is_short(values)}
        if i >= FEWEST_BUILDS and not short:
            break
        for name, value in _initial_values(build, base_width, seed_of("measure", i)).items():
            if i < FEWEST_BUILDS or name in short:
                draws.setdefault(name, []).append(value)
    return {name: _describe(name, values) for name, values in draws.items()}


def _is_short(values: Sequence[torch.Tensor]) -> bool:
    """Return whether a random tensor has given fewer values than wanted."""
    entries = sum(value.numel() for value in values)
    return entries < ENTRIES and any(not torch.equal(v, values[0]) for v in values)


def _initial_values(build: Build, width: int, seed: int) -> dict[str, torch.Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: nn.Module = build(width)
    return {n: p.detach().to("cpu", torch.float64) for n, p in model.named_parameters()}


def _describe(name: str, draws: Iterable[torch.Tensor]) -> InitialDistribution:
    values = torch.stack(list(draws))
    std = float(values.std(correction=0))
    if std == 0:
        return InitialDistribution("normal", mean=float(values.flatten()[0]), std=0.0)
    if bool((values == values[0]).all()):
        raise ParametrizationError(
            f"parametrize: got tensor {name!r} with the same varying values in every model built, "
            "wanted random or constant initial values. A structured tensor cannot be redrawn: "
            "register it as a buffer."
        )
    mean = float(values.mean())
    if abs(mean) < 5 * std / values.numel() ** 0.5:
        mean = 0.0  # within the error of its measurement
    deviations = (values - values.mean()) / std
    is_uniform = (
        float(deviations.pow(4).mean()) < _KURTOSIS_SPLIT
        and float(deviations.abs().max()) <= _UNIFORM_REACH
    )
    return InitialDistribution("uniform" if is_uniform else "normal", mean=mean, std=std)
