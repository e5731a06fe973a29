"""What all commands have in common."""

import json
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .streams import make_console

if TYPE_CHECKING:
    from rich.console import Console


class Command:
    """Command of the program; its fields are its options.

    It is no ABC: for classes of another metaclass tyro loads typeguard, which takes as long as
    the rest of `--help`.
    """

    def run(self) -> int:
        """Do the work and return the exit code."""
        raise NotImplementedError

    def resume_hint(self) -> str:
        """Return what an interrupted command tells its user."""
        return "Nothing was changed."


def wide_console() -> "Console":
    """Return a console for tables of tensors: wide where no terminal limits it."""
    is_limited = sys.stdout.isatty() or "COLUMNS" in os.environ
    return make_console(highlight=False, width=None if is_limited else 160)


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document; NaN and infinity are errors."""
    print(json.dumps(document, indent=2, allow_nan=False))
