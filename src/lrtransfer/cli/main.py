"""Parse one command, run it, and return an exit code.

A command imports what it needs when it runs, so that `--help` comes at once.
"""

import signal
import sys
import threading
import traceback
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

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
from .streams import Output, flush_streams, open_closed_streams, watch_streams
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
    "inconclusive", `tune` 1 where too many runs failed for a verdict. 2: bad input, or an output
    that cannot be written. 70: a defect of this program. 130: interrupted. 141: nobody reads the
    output.
    """
    open_closed_streams()
    with watch_streams() as outputs:
        try:
            with _heed_signals() as interrupts:
                try:
                    return _run(parse(arguments), interrupts, outputs)
                finally:
                    flush_streams()
        except OptionError as error:
            print_line(f"lrtransfer: {error}", file=sys.stderr)
            return EXIT_BAD_INPUT
        except BrokenPipeError:  # the reader of the output has closed it, as `head` does
            return EXIT_PIPE
        except OSError as error:
            return _refuse_output(error, outputs)
        except KeyboardInterrupt:
            return EXIT_INTERRUPTED


def _run(command: Subcommand, interrupts: list[int], outputs: Mapping[str, Output]) -> int:
    try:
        return command.run()
    except UserError as error:
        print_line(f"lrtransfer: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        return _say_interrupted(command)
    except Exception as error:
        if any(error is output.failure for output in outputs.values()):
            raise
        if interrupts:  # an import that is interrupted may end in any error
            return _say_interrupted(command)
        print_line(traceback.format_exc(), file=sys.stderr)
        print(
            "lrtransfer: this is a defect of lrtransfer, not of your input. Please report the "
            "lines above with the output of `lrtransfer doctor`.",
            file=sys.stderr,
        )
        return EXIT_INTERNAL


def _say_interrupted(command: Subcommand) -> int:
    print_line(f"\nlrtransfer: interrupted. {command.resume_hint()}", file=sys.stderr)
    return EXIT_INTERRUPTED


def _refuse_output(error: OSError, outputs: Mapping[str, Output]) -> int:
    """Say that an output cannot be written, as far as that can be said."""
    names = [name for name, output in outputs.items() if output.failure is error]
    if not names:
        raise error
    print(
        f"lrtransfer: {names[0]}: got {error.strerror!r}, wanted an output that can be written to. "
        "Free some space or choose another; finished runs are kept.",
        file=sys.stderr,
    )
    return EXIT_BAD_INPUT


def parse(arguments: Sequence[str] | None = None) -> Subcommand:
    """Return the command that the arguments state, by default those of this process."""
    return tyro.cli(
        Subcommand,
        prog="lrtransfer",
        description=DESCRIPTION,
        args=arguments,
        config=(tyro.conf.OmitSubcommandPrefixes, tyro.conf.FlagCreatePairsOff),
    )


@contextmanager
def _heed_signals() -> Generator[list[int], None, None]:
    """Turn a request to end into an exception, so that started processes are ended, too.

    What is ignored stays ignored: `nohup` means it. Yields a list that gets an entry for every
    Ctrl-C.
    """
    interrupts: list[int] = []

    def interrupt(number: int, frame: object) -> None:
        interrupts.append(number)
        raise KeyboardInterrupt

    handlers: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        wanted = {signal.SIGTERM: _exit, signal.SIGHUP: _exit, signal.SIGINT: interrupt}
        for number, handler in wanted.items():
            if signal.getsignal(number) is not signal.SIG_IGN:
                handlers[number] = signal.signal(number, handler)
    try:
        yield interrupts
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _exit(number: int, frame: object) -> None:
    raise Terminated(128 + number)
