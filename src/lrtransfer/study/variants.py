"""Variants: one scheme with one value of each varied setting; each gets an answer of its own."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

Number = int | float


@dataclass(frozen=True)
class Variant:
    """A scheme, with a value of each varied setting.

    Attributes:
        scheme: Name of the parametrization.
        values: Each varied setting, by its path, with its value.
    """

    scheme: str
    values: tuple[tuple[str, Number], ...] = ()

    @property
    def name(self) -> str:
        """What people call it."""
        return ", ".join([self.scheme, *(self._label(path, value) for path, value in self.values)])

    def name_under(self, scheme: str) -> str:
        """Return the name it would have under another scheme."""
        return Variant(scheme, self.values).name

    def _label(self, path: str, value: Number) -> str:
        leaves = [other.rpartition(".")[2] for other, _ in self.values]
        leaf = path.rpartition(".")[2]
        return f"{leaf if leaves.count(leaf) == 1 else path} {repr(value).removesuffix('.0')}"


def list_variants(
    schemes: Iterable[str], vary: Mapping[str, Iterable[Number]]
) -> tuple[Variant, ...]:
    """Return every scheme with every combination of the values.

    Example:
        >>> [v.name for v in list_variants(["mup"], {"optimizer.weight_decay": (0.0, 0.1)})]
        ['mup, weight_decay 0', 'mup, weight_decay 0.1']
    """
    values = [[(path, value) for value in numbers] for path, numbers in vary.items()]
    return tuple(Variant(scheme, pick) for scheme in schemes for pick in product(*values))


def replace_setting(settings: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return settings with one of them replaced.

    Example:
        >>> replace_setting({"training": {"steps": 1, "batch": 2}}, "training.steps", 5)
        {'training': {'steps': 5, 'batch': 2}}
    """
    head, _, rest = path.partition(".")
    inner = settings.get(head)
    if not rest:
        return {**settings, head: value}
    return {
        **settings,
        head: replace_setting(inner if isinstance(inner, Mapping) else {}, rest, value),
    }


def list_numeric_paths(settings: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the paths of all settings that are numbers.

    Example:
        >>> list(list_numeric_paths({"training": {"steps": 1, "loss": "x", "clip": 0.5}}))
        ['training.steps', 'training.clip']
    """
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from list_numeric_paths(value, f"{prefix}{key}.")
        elif isinstance(value, Number) and not isinstance(value, bool):
            yield prefix + key
