"""Which dimensions grow with width: shapes of the model built at several widths.

Models are built on the meta device. One that cannot be is built on the CPU at small widths, and its
shapes at the width asked for are extrapolated.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from ...errors import ParametrizationError, UserError

Build = Callable[[int], nn.Module]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Probes:
    """What building a model at several widths shows: which dimensions grow.

    Attributes:
        base: The model at the base width.
        device: Where it could be built.
        shapes: Shapes of every parameter, by width and name.
    """

    base: nn.Module
    device: str
    shapes: Mapping[int, Mapping[str, Shape]]

    def grows(self, name: str, dim: int) -> bool:
        """Return whether a dimension differs among the widths."""
        return len({table[name][dim] for table in self.shapes.values()}) > 1


def make(build: Build, width: int, device: str) -> nn.Module:
    """Return `build(width)` on a device, without drawing from the global random stream."""
    with torch.random.fork_rng(devices=[]), torch.device(device):
        model = build(width)
    if not isinstance(model, nn.Module):
        raise TypeError(f"a {type(model).__name__} is no nn.Module")
    return model


def probe(build: Build, *, width: int, base_width: int) -> Probes:
    """Return shapes at the base width, twice and three (or four) times that, and at `width`.

    Raises:
        ParametrizationError: If the model cannot be built, its parameters differ among widths, or
            its shapes cannot be extrapolated.
    """
    base, device = _first(build, base_width)
    shapes = {
        base_width: _shapes(base),
        2 * base_width: _shapes(_make(build, 2 * base_width, device)),
    }
    third, table = _third(build, base_width, device)
    shapes[third] = table
    _require_equal_names(shapes)
    if width not in shapes:
        if device == "meta":
            shapes[width] = _shapes(_make(build, width, device))
        else:
            shapes[width] = _extrapolate(shapes, width)
    _require_equal_names(shapes)
    return Probes(base, device, shapes)


def _first(build: Build, width: int) -> tuple[nn.Module, str]:
    try:
        return make(build, width, "meta"), "meta"
    except Exception:  # whatever a constructor raises without values: the CPU decides
        return _make(build, width, "cpu"), "cpu"


def _make(build: Build, width: int, device: str) -> nn.Module:
    try:
        return make(build, width, device)
    except UserError:
        raise
    except Exception as error:
        raise ParametrizationError(
            f"parametrize: got {type(error).__name__} from build({width}): {error}. Wanted a model "
            "at the base width, at two and three (or four) times that, and at the width asked for."
        ) from error


def _third(build: Build, base_width: int, device: str) -> tuple[int, dict[str, Shape]]:
    try:
        return 3 * base_width, _shapes(make(build, 3 * base_width, device))
    except Exception:  # three times a power of two is no power of two; four times is
        return 4 * base_width, _shapes(_make(build, 4 * base_width, device))


def _shapes(model: nn.Module) -> dict[str, Shape]:
    if lazy := [n for n, p in model.named_parameters() if nn.parameter.is_lazy(p)]:
        raise ParametrizationError(
            f"parametrize: got parameters without a shape ({', '.join(lazy[:2])}) from build, "
            "wanted shapes that are known before the first forward. Give the sizes of lazy layers, "
            "or run one forward inside build."
        )
    return {name: tuple(p.shape) for name, p in model.named_parameters()}


def _require_equal_names(shapes: Mapping[int, Mapping[str, Shape]]) -> None:
    (first, names), *others = ((width, set(table)) for width, table in shapes.items())
    for width, other in others:
        if names != other:
            raise ParametrizationError(
                f"parametrize: got parameters {sorted(names ^ other)} in only one of "
                f"build({first}) and build({width}), wanted the same parameters at every width. "
                "Keep the depth and the options of the model fixed while its width varies."
            )


def _extrapolate(shapes: Mapping[int, Mapping[str, Shape]], width: int) -> dict[str, Shape]:
    first, second, third = shapes
    return {
        name: tuple(
            _fit_affine(name, {w: shapes[w][name][dim] for w in (first, second, third)}, width)
            for dim in range(len(shape))
        )
        for name, shape in shapes[first].items()
    }


def _fit_affine(name: str, sizes: Mapping[int, int], width: int) -> int:
    (w0, s0), (w1, s1), (w2, s2) = sizes.items()
    size, rest = divmod((s1 - s0) * (width - w0), w1 - w0)
    if (s2 - s0) * (w1 - w0) != (s1 - s0) * (w2 - w0) or rest:
        raise ParametrizationError(
            f"parametrize: got tensor {name!r} with a size of {s0}, {s1}, {s2} at widths {w0}, "
            f"{w1}, {w2} in a model that cannot be built on the meta device, wanted a size affine "
            "in width, which can be extrapolated. Let build run on torch.device('meta')."
        )
    return s0 + size
