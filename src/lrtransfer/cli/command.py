"""What every command offers to `main`."""

import json
from collections.abc import Mapping
from typing import Any


class Command:
    """Command of the program; its fields are its options.

    It is no ABC: for classes of another metaclass tyro loads typeguard, which takes as long as
    the rest of `--help`.
    """

    def run(self) -> int:
        """Do the work and return the exit code."""
        raise NotImplementedError

    def resume_hint(self) -> str:
        """Return what to say when interrupted."""
        return "Nothing was changed."


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document; NaN and infinity are refused."""
    print(json.dumps(document, indent=2, allow_nan=False))
