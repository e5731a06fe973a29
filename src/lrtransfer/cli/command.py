"""What every command offers to `main`."""

import json
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


class Command(ABC):
    """Run with the options parsed into its fields."""

    @abstractmethod
    def run(self) -> int:
        """Do the work and return the exit code."""

    def resume_hint(self) -> str:
        """Return what to say when interrupted."""
        return "Nothing was changed."


def wide_console() -> "Console":
    """Return a console for tables of tensors: wide where no terminal limits it."""
    from rich.console import Console

    is_limited = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(highlight=False, width=None if is_limited else 160)


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document; NaN and infinity are refused."""
    print(json.dumps(document, indent=2, allow_nan=False))
