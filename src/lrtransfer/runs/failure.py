"""A run without a result: why, written down where it failed and formatted where it is read.

What a user's code says may be of any length and hold anything: it is made safe to be shown here.
"""

import sysconfig
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from .run import RunSpec

WHERE_LINES = 8  # of a traceback that are shown
TAIL_LINES = 15  # of a failed run's output that are shown
LINE_LENGTH = 1_000  # characters of a line that are shown
_NOT_THE_USERS = (*sysconfig.get_paths().values(), str(Path(__file__).parents[1]), "<frozen")


@dataclass(frozen=True)
class Failure:
    """A run that gave no result, for a reason other than divergence.

    Attributes:
        run: The run.
        reason: What went wrong, in the last line; before it, where.
        may_pass: Whether the same run may succeed when it is tried again.
        kind: What is equal for runs that failed alike; empty where the last line is.
    """

    run: RunSpec
    reason: str
    may_pass: bool = False
    kind: str = ""


def describe_error(error: BaseException) -> str:
    """Return what went wrong in the last line, after where in the user's own code it did.

    Example:
        >>> describe_error(UserError("model: got nothing, wanted one."))
        'model: got nothing, wanted one.'
    """
    # A StopIteration leaves an engine, a generator, as a RuntimeError.
    if isinstance(error, RuntimeError) and isinstance(error.__cause__, StopIteration):
        error = error.__cause__
    cause = error.__cause__ if isinstance(error, UserError) else error
    last = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
    frames = traceback.extract_tb(cause.__traceback__) if cause else []
    users = [frame for frame in frames if not frame.filename.startswith(_NOT_THE_USERS)]
    shown = users or ([] if isinstance(error, UserError) else frames)
    where = "".join(traceback.format_list(list(shown)))
    if isinstance(cause, SyntaxError):
        where = "".join(traceback.format_exception_only(cause))
    return "\n".join([*shorten_lines(where.splitlines()), shorten_line(" ".join(last.split("\n")))])


def format_failure(reason: str) -> str:
    r"""Return what went wrong, then the lines that say where.

    Example:
        >>> format_failure("in build\nNameError: name 'x' is not defined")
        "NameError: name 'x' is not defined\nIt came from:\nin build"
    """
    *before, last = reason.strip().splitlines()
    return "\n".join([last, "It came from:", *before[-WHERE_LINES:]] if before else [last])


def describe_output(text: str) -> list[str]:
    r"""Return the last lines of what a run printed, indented.

    Example:
        >>> describe_output("step 1\rstep 2\n")
        ['    step 1', '    step 2']
    """
    return [f"    {line}" for line in shorten_lines(text.splitlines()[-TAIL_LINES:])]


def shorten_lines(lines: Iterable[str]) -> list[str]:
    """Return lines each of which can be shown."""
    return [shorten_line(line) for line in lines]


def shorten_line(line: str) -> str:
    r"""Return a line as it can be shown: its middle left out where it is long, nothing unprintable.

    Example:
        >>> shorten_line("\x1b[31mloss" + 999 * "x")[:12], len(shorten_line(9999 * "x")) < 1100
        ('\\x1b[31mloss', True)
    """
    left_out = len(line) - LINE_LENGTH
    if left_out > 0:
        half = LINE_LENGTH // 2
        line = f"{line[:half]} … {left_out:,} characters … {line[-half:]}"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line.replace("\t", "    "))
