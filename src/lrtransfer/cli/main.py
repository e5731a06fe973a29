"""Parse one command, run it, and return an exit code.

A command imports what it needs when it runs, so that `--help` comes at once.
"""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from typing import Annotated

import tyro

from ..errors import Terminated, UserError
from .check import CheckCommand
from .doctor import DoctorCommand
from .init import InitCommand
from .options import OptionError
from .plain_text import print_line
from .recipe import RecipeCommand
from .report import ReportCommand
from .schema import SchemaCommand
from .status import StatusCommand
from .theory.group import TheoryCommand
from .tune import TuneCommand
from .verdict import VerdictCommand

EXIT_BAD_INPUT, EXIT_INTERNAL, EXIT_INTERRUPTED, EXIT_PIPE = 2, 70, 130, 141

Subcommand = (
    Annotated[TuneCommand, tyro.conf.subcommand("tune")]
    | Annotated[InitCommand, tyro.conf.subcommand("init")]
    | Annotated[SchemaCommand, tyro.conf.subcommand("schema")]
    | Annotated[VerdictCommand, tyro.conf.subcommand("verdict")]
    | Annotated[RecipeCommand, tyro.conf.subcommand("recipe")]
    | Annotated[CheckCommand, tyro.conf.subcommand("check")]
    | Annotated[TheoryCommand, tyro.conf.subcommand("theory")]
    | Annotated[ReportCommand, tyro.conf.subcommand("report")]
    | Annotated[StatusCommand, tyro.conf.subcommand("status")]
    | Annotated[DoctorCommand, tyro.conf.subcommand("doctor")]
)

DESCRIPTION = """Tune the learning rate on small models, know with stated confidence whether it
transfers, train the big one.

Example: lrtransfer tune"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0: an answer was computed, whatever it says; `check` alone returns 1 for "fail" and 3 for
    "inconclusive". 2: bad input. 70: a defect of this program.
    130: interrupted.
    """
    try:
        command = parse(arguments)
    except OptionError as error:
        print_line(f"lrtransfer: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    try:
        return _run(command)
    except BrokenPipeError:  # the reader of the output has closed it, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PIPE


def _run(command: Subcommand) -> int:
    _exit_on_signals()
    try:
        return command.run()
    except UserError as error:
        print_line(f"lrtransfer: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        print_line(f"\nlrtransfer: interrupted. {command.resume_hint()}", file=sys.stderr)
        return EXIT_INTERRUPTED
    except Exception:
        print_line(traceback.format_exc(), file=sys.stderr)
        print(
            "lrtransfer: this is a defect of lrtransfer, not of your input. Please report the "
            "lines above with the output of `lrtransfer doctor`.",
            file=sys.stderr,
        )
        return EXIT_INTERNAL


def parse(arguments: Sequence[str] | None = None) -> Subcommand:
    """Return the command that the arguments state, by default those of this process."""
    return tyro.cli(
        Subcommand,
        prog="lrtransfer",
        description=DESCRIPTION,
        args=arguments,
        config=(tyro.conf.OmitSubcommandPrefixes, tyro.conf.FlagCreatePairsOff),
    )


def _exit_on_signals() -> None:
    """Turn a request to end into an exception, so that started processes are ended, too."""
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            signal.signal(getattr(signal, name), _exit)


def _exit(number: int, frame: object) -> None:
    raise Terminated(128 + number)
