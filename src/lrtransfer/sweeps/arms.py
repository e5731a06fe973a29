"""Settings in the place of others: the values of a second axis, and the sizes along the first."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

Number = int | float


@dataclass(frozen=True)
class Arm:
    """Name what gets an answer of its own: a scheme, and values of what is varied beside it.

    Attributes:
        scheme: Name of the parametrization.
        values: Each varied setting, by its path, with its value.
    """

    scheme: str
    values: tuple[tuple[str, Number], ...] = ()

    @property
    def name(self) -> str:
        """What people call it."""
        return ", ".join([self.scheme, *(self._told(path, value) for path, value in self.values)])

    def renamed(self, scheme: str) -> str:
        """Return the name it would have under another scheme."""
        return Arm(scheme, self.values).name

    def _told(self, path: str, value: Number) -> str:
        leaves = [other.rpartition(".")[2] for other, _ in self.values]
        leaf = path.rpartition(".")[2]
        return f"{leaf if leaves.count(leaf) == 1 else path} {repr(value).removesuffix('.0')}"


def arms(schemes: Iterable[str], vary: Mapping[str, Iterable[Number]]) -> tuple[Arm, ...]:
    """Return every scheme with every combination of the values.

    Example:
        >>> [arm.name for arm in arms(["mup"], {"optimizer.weight_decay": (0.0, 0.1)})]
        ['mup, weight_decay 0', 'mup, weight_decay 0.1']
    """
    values = [[(path, value) for value in some] for path, some in vary.items()]
    return tuple(Arm(scheme, chosen) for scheme in schemes for chosen in product(*values))


def placed(settings: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return settings with one of them replaced.

    Example:
        >>> placed({"training": {"steps": 1, "batch": 2}}, "training.steps", 5)
        {'training': {'steps': 5, 'batch': 2}}
    """
    head, _, rest = path.partition(".")
    inner = settings.get(head)
    if not rest:
        return {**settings, head: value}
    return {**settings, head: placed(inner if isinstance(inner, Mapping) else {}, rest, value)}


def numeric_paths(settings: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the paths of all settings that are numbers.

    Example:
        >>> list(numeric_paths({"training": {"steps": 1, "loss": "x", "clip": 0.5}}))
        ['training.steps', 'training.clip']
    """
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from numeric_paths(value, f"{prefix}{key}.")
        elif isinstance(value, Number) and not isinstance(value, bool):
            yield prefix + key
