"""A run without a result: why, written down where it failed and formatted where it is read."""

import sysconfig
import traceback
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from .run import RunSpec

WHERE_LINES = 8  # of a traceback that are shown
_NOT_THE_USERS = (*sysconfig.get_paths().values(), str(Path(__file__).parents[1]), "<frozen")


@dataclass(frozen=True)
class Failure:
    """A run that gave no result, for a reason other than divergence.

    Attributes:
        run: The run.
        reason: What went wrong, in the last line; before it, where.
        may_pass: Whether the same run may succeed when it is tried again.
    """

    run: RunSpec
    reason: str
    may_pass: bool = False


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
    return where + " ".join(last.split("\n"))


def format_failure(reason: str) -> str:
    r"""Return what went wrong, then the lines that say where.

    Example:
        >>> format_failure("in build\nNameError: name 'x' is not defined")
        "NameError: name 'x' is not defined\nIt came from:\nin build"
    """
    *before, last = reason.strip().splitlines()
    return "\n".join([last, "It came from:", *before[-WHERE_LINES:]] if before else [last])
