"""How a model initialises its tensors, measured once at the base width.

A recipe redraws every tensor from the distribution measured here, with the scale its rule gives.
So the choices of the model's author (a zero readout, a small embedding) survive, and nothing has to
be declared.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import nn

from ...errors import ParametrizationError
from ...randomness import seed_of
from ..roles.growth import Build
from .builds import require_new, require_no_draws
from .sharding import BLOCK, fill_, gather_values, mean, standard_deviation, take_local_part
from .spectrum import relative_norm

# Models are built until every random tensor has given ENTRIES values (its std to about 1 %).
# A tensor of one entry stops at MOST_BUILDS values: its std is then known to 6 % if uniform.
ENTRIES = 4096
FEWEST_BUILDS, MOST_BUILDS = 4, 64
MOST_ENTRIES = 2**16  # looked at per tensor and build, evenly spread
MOST_PATTERN = 4096  # entries of a fixed pattern that a recipe carries

# Kurtosis is 9/5 for a uniform and 3 for a normal distribution; this is the middle. Few normal
# values pass for uniform by kurtosis alone (64: one time in seven), so the largest deviation, at
# most sqrt(3) std where uniform, must agree, with 10 % allowed for the errors of mean and std.
_KURTOSIS_SPLIT = 2.4
_UNIFORM_REACH = 1.1 * 3**0.5


@dataclass(frozen=True)
class Pattern:
    """Values that are the same in every model, broadcast along sides of size 1.

    Attributes:
        shape: Their shape.
        values: The values, flattened.
    """

    shape: tuple[int, ...]
    values: tuple[float, ...]

    def tensor(self) -> torch.Tensor:
        """Return the values as a tensor of the pattern's shape."""
        return torch.tensor(self.values).reshape(self.shape)

    def begins(self, tensor: torch.Tensor) -> bool:
        """Return whether a tensor begins with these values, repeated along sides of size 1."""
        for dim, size in enumerate(self.shape):
            tensor = tensor.narrow(dim, 0, size if size > 1 else tensor.shape[dim])
        return bool((tensor.cpu().float() == self.tensor()).all())


@dataclass(frozen=True)
class InitialDistribution:
    """Distribution of a tensor's entries at the start.

    Attributes:
        shape: `normal` or `uniform`; `kept` for values that vary along a growing side and are the
            same in every model (a table of frequencies): they stay as the model made them.
        mean: Mean of the entries.
        std: Their standard deviation; 0 for a constant tensor.
        rows: Rows (dimension 0) of another scale: first, stop and factor. 0 for rows that start
            from zero in every model, such as an embedding's padding.
        pattern: Values of a tensor that is the same in every model: all of them if it does not
            vary along its growing sides; those with which it begins at every width, if `kept`.
        low: Smallest value seen of a tensor that is the same in every model.
        high: Largest value seen of it.
        norm: Largest singular value of a random tensor in new models, over that of independent
            entries (see `relative_norm`).
    """

    shape: Literal["normal", "uniform", "kept"]
    mean: float
    std: float
    rows: tuple[tuple[int, int, float], ...] = ()
    pattern: Pattern | None = None
    low: float = 0.0
    high: float = 0.0
    norm: float = 1.0

    @property
    def is_random(self) -> bool:
        """Whether two models differ in this tensor."""
        return self.std > 0 and self.shape != "kept" and self.pattern is None

    def scale(self, factor: float) -> "InitialDistribution":
        """Return the distribution with its standard deviation multiplied."""
        return replace(self, std=self.std * factor) if self.is_random else self

    def with_std(self, std: float) -> "InitialDistribution":
        """Return the distribution with this standard deviation about zero."""
        return replace(self, mean=0.0, std=std) if self.is_random else self

    def multiply(self, factor: float) -> "InitialDistribution":
        """Return the distribution of the values multiplied; values that are kept cannot be.

        Raises:
            ValueError: If the values are kept as the model makes them.
        """
        if self.shape == "kept":
            raise ValueError("values that are kept cannot be multiplied")
        pattern = self.pattern
        if pattern is not None:
            pattern = replace(pattern, values=tuple(value * factor for value in pattern.values))
        return replace(self, mean=self.mean * factor, std=self.std * factor, pattern=pattern)

    def with_rows(self, rows: tuple[tuple[int, int, float], ...]) -> "InitialDistribution":
        """Return the distribution with rows of another scale."""
        return replace(self, rows=rows)

    def at_shape(
        self, name: str, shape: tuple[int, ...], base_shape: tuple[int, ...]
    ) -> "InitialDistribution":
        """Return the distribution for a tensor of this shape.

        A pattern that broadcasts to the shape varies only along sides that do not grow, and stays.
        With any other, the values that the model itself makes are kept.

        Raises:
            ParametrizationError: If rows start from zero along a side that grows.
        """
        if self.rows and shape[0] != base_shape[0]:
            raise ParametrizationError(
                f"parametrize: got {name!r} with {len(self.rows)} of {base_shape[0]} rows "
                "that start from zero, along a side that grows with width, wanted tensors that "
                "start alike in all rows. Make its parts tensors of their own."
            )
        if self.pattern is None:
            return self
        if all(p in {1, s} for p, s in zip(self.pattern.shape, shape, strict=True)):
            return self
        return replace(self, shape="kept")

    def draw_(self, tensor: torch.Tensor, generator: torch.Generator) -> None:
        """Fill a tensor with draws that do not depend on how it is spread over processes."""
        if self.shape == "kept":
            return
        if self.pattern is not None:
            whole = self.pattern.tensor().expand(tensor.shape).flatten()
            fill_(tensor, iter(whole.split(BLOCK)))
        elif self.std == 0:
            with torch.no_grad():
                take_local_part(tensor).values.fill_(self.mean)
        else:
            fill_(tensor, self._blocks(tensor.shape, generator))

    def rescale_(self, tensor: torch.Tensor) -> None:
        """Give the values of a random tensor the standard deviation and mean of the distribution.

        Rows that start from zero are left out of the measurement of the present one.
        """
        zeros = sum(stop - first for first, stop, factor in self.rows if factor == 0)
        drawn = 1 - zeros / len(tensor) if zeros else 1.0
        present = standard_deviation(tensor) / drawn**0.5
        is_length = abs(self.mean) > 3 * self.std  # of a weight: another one at each width
        if not self.is_random or not (present > 0 or is_length):
            return
        centre = mean(tensor) if self.mean else 0.0
        with torch.no_grad():
            values = take_local_part(tensor).values
            values.sub_(centre).mul_(self.std / present if present > 0 else 1).add_(self.mean)

    def _blocks(self, shape: Sequence[int], generator: torch.Generator) -> Iterator[torch.Tensor]:
        """Yield draws in float32, in the order of the flattened tensor."""
        entries = math.prod(shape)
        factors = self._row_factors(shape[0]) if self.rows else None
        for start in range(0, entries, BLOCK):
            unit = torch.empty(min(BLOCK, entries - start), dtype=torch.float32)
            if self.shape == "normal":
                unit.normal_(generator=generator)
            else:
                unit.uniform_(-(3**0.5), 3**0.5, generator=generator)
            unit.mul_(self.std).add_(self.mean)
            if factors is not None:
                unit.mul_(factors[torch.arange(start, start + len(unit)) // (entries // shape[0])])
            yield unit

    def _row_factors(self, count: int) -> torch.Tensor:
        factors = torch.ones(count)
        for first, stop, factor in self.rows:
            factors[first:stop] = factor
        return factors


def measure_initial(build: Build, base_width: int) -> dict[str, InitialDistribution]:
    """Return the initial distribution of every parameter of `build(base_width)`.

    The model is built 4 to 64 times from fixed seeds, more often the smaller its smallest random
    tensor; torch's global generator is left as it was. Integers (quantised weights) are kept.

    Arguments:
        build: Maps a width to a model.
        base_width: Width at which the initial values are looked at.

    Returns:
        Distributions by the parameters' names.

    Raises:
        ParametrizationError: If a parameter is complex, or starts with values that are not finite;
            or if two builds give one model, models with different parameters, or the same draws.
    """
    models = [_build(build, base_width, seed_of("measure", i)) for i in range(2)]
    require_new(*models)
    first, second = map(_values, models)
    del models
    _require_real(first)
    fixed = {n: _describe_fixed(value) for n, value in first.items() if value.equal(second[n])}
    if any(distribution.pattern for distribution in fixed.values()):
        grown = _initial_values(build, 2 * base_width, seed_of("measure", 0))
        fixed = {name: _drop_broken_pattern(d, grown[name]) for name, d in fixed.items()}
    integers = {name for name, value in first.items() if not value.is_floating_point()}
    fixed |= {name: _describe_kept(first[name]) for name in integers - fixed.keys()}
    rows = {n: _zero_rows(v, second[n]) for n, v in first.items() if n not in fixed}
    if not rows:
        require_no_draws(first)
    draws = {n: [_sample(values[n], rows[n]) for values in (first, second)] for n in rows}
    norms = {n: max(relative_norm(values[n]) for values in (first, second)) for n in rows}
    del first, second
    for i in range(2, MOST_BUILDS):
        short = {n for n, values in draws.items() if sum(v.numel() for v in values) < ENTRIES}
        if i >= FEWEST_BUILDS and not short:
            break
        values = _initial_values(build, base_width, seed_of("measure", i))
        for name in draws if i < FEWEST_BUILDS else short:
            draws[name].append(_sample(values[name], rows[name]))
    random = {
        name: replace(_describe_random(values, rows[name]), norm=norms[name])
        for name, values in draws.items()
    }
    return fixed | random


def require_kept(name: str, initial: InitialDistribution, tensor: torch.Tensor) -> None:
    """Check that a tensor whose values are kept holds what a model puts there.

    Raises:
        ParametrizationError: If it does not: after `to_empty` nobody has filled it.
    """
    if initial.shape != "kept":
        return
    values = gather_values(tensor)
    low, high = float(values.min()), float(values.max())
    reach = initial.high - initial.low
    is_likely = low < high and low >= initial.low - reach and high <= initial.high + reach
    if not (is_likely and (initial.pattern is None or initial.pattern.begins(values))):
        raise ParametrizationError(
            f"initialize: got values {low:g} … {high:g} in {name!r}, wanted the structured values "
            f"that the model itself puts there ({initial.low:g} … {initial.high:g} at the base "
            "width), which cannot be redrawn. After to_empty, fill this tensor from a built model, "
            "or register it as a buffer."
        )


def _require_real(values: Mapping[str, torch.Tensor]) -> None:
    for name, value in values.items():
        if not bool(torch.isfinite(value).all()):
            raise ParametrizationError(
                f"parametrize: got {name!r}, which starts with values that are not finite, wanted "
                "numbers. Give it initial values (torch.empty has none), or hold a mask of "
                "infinities as a buffer."
            )
        if value.is_complex():
            raise ParametrizationError(
                f"parametrize: got {name!r} of dtype {value.dtype}, wanted real parameters, whose "
                "entries have one scale. Hold torch.view_as_real of it as the parameter, and call "
                "torch.view_as_complex in the forward."
            )


def _initial_values(build: Build, width: int, seed: int) -> Mapping[str, torch.Tensor]:
    return _values(_build(build, width, seed))


def _build(build: Build, width: int, seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # `torch.manual_seed` asks every device
        model: nn.Module = build(width)
    return model


def _values(model: nn.Module) -> Mapping[str, torch.Tensor]:
    return {name: p.detach().cpu() for name, p in model.named_parameters()}


def _zero_rows(first: torch.Tensor, second: torch.Tensor) -> tuple[int, ...]:
    """Return the rows that are zero in both models, of a tensor that is random elsewhere."""
    if first.ndim < 2:
        return ()
    both = torch.stack((first, second)).transpose(0, 1).flatten(1)
    return tuple((both == 0).all(dim=1).nonzero().flatten().tolist())


def _sample(values: torch.Tensor, without_rows: Sequence[int]) -> torch.Tensor:
    """Return entries of a tensor, evenly spread."""
    if without_rows:
        keep = torch.ones(len(values), dtype=torch.bool)
        keep[list(without_rows)] = False
        values = values[keep]
    flat = values.flatten()
    return flat[:: -(-len(flat) // MOST_ENTRIES)].to(torch.float64)


def _describe_fixed(values: torch.Tensor) -> InitialDistribution:
    """Describe a tensor that is the same in every model."""
    values = values.to(torch.float64)
    if bool((values == values.flatten()[0]).all()):
        return InitialDistribution("normal", mean=float(values.flatten()[0]), std=0.0)
    pattern = values
    for dim in range(values.ndim):
        row = pattern.narrow(dim, 0, 1)
        if bool((pattern == row).all()):
            pattern = row
    fixed = _describe_kept(values)
    if pattern.numel() > MOST_PATTERN:
        return fixed
    same = Pattern(tuple(pattern.shape), tuple(pattern.flatten().tolist()))
    return replace(fixed, shape="normal", pattern=same)


def _drop_broken_pattern(
    distribution: InitialDistribution, grown: torch.Tensor
) -> InitialDistribution:
    """Return the distribution without a pattern that does not hold at another width."""
    if distribution.pattern is None or distribution.pattern.begins(grown):
        return distribution
    return replace(distribution, shape="kept", pattern=None)


def _describe_kept(values: torch.Tensor) -> InitialDistribution:
    values = values.to(torch.float64)
    mean, std = float(values.mean()), float(values.std(correction=0))
    low, high = float(values.min()), float(values.max())
    return InitialDistribution("kept", mean=mean, std=std, low=low, high=high)


def _describe_random(
    draws: Sequence[torch.Tensor], zero_rows: tuple[int, ...]
) -> InitialDistribution:
    values = torch.stack(list(draws))
    mean, std = float(values.mean()), float(values.std(correction=0))
    if abs(mean) < 5 * std / values.numel() ** 0.5:
        mean = 0.0  # within the error of its measurement
    deviations = (values - values.mean()) / std
    is_uniform = (
        float(deviations.pow(4).mean()) < _KURTOSIS_SPLIT
        and float(deviations.abs().max()) <= _UNIFORM_REACH
    )
    shape: Literal["normal", "uniform"] = "uniform" if is_uniform else "normal"
    rows = tuple((row, row + 1, 0.0) for row in zero_rows)
    return InitialDistribution(shape, mean=mean, std=std, rows=rows)
