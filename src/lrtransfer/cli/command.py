"""What every command offers to `main`."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any


class Command(ABC):
    """Run with the options parsed into its fields."""

    @abstractmethod
    def run(self) -> int:
        """Do the work and return the exit code."""

    def resume_hint(self) -> str:
        """Return what to say when interrupted."""
        return "Nothing was changed."


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document; NaN and infinity are refused."""
    print(json.dumps(document, indent=2, allow_nan=False))
