"""The console on which reports are printed."""

import os
import sys

from rich.console import Console


def wide_console() -> Console:
    """Return a console for tables of tensors: wide where no terminal limits it."""
    is_limited = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(highlight=False, width=None if is_limited else 160)
