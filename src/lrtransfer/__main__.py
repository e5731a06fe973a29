"""`python -m lrtransfer`, which is the program `lrtransfer`.

It loads nothing before it heeds Ctrl-C, so that an interrupt never ends in a traceback.
"""

import os
import signal
import sys

EXIT_INTERRUPTED = 130


def main() -> int:
    """Run the command that the arguments of this process state, and return its exit code."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell may have it ignored
        signal.signal(signal.SIGINT, _exit_at_once)
    from .cli.main import main as run_command

    return run_command()


def _exit_at_once(number: int, frame: object) -> None:
    """End a process that has not begun, or has ended, its work."""
    os._exit(EXIT_INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main())
