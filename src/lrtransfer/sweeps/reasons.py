"""Why a run gave no result: written down where it failed, told where it is read."""

import sysconfig
import traceback
from pathlib import Path

from ..errors import UserError

WHERE_LINES = 8  # of where it came from that are told
_NOT_THE_USERS = (*sysconfig.get_paths().values(), str(Path(__file__).parents[1]), "<frozen")


def reason_of(error: BaseException) -> str:
    """Return what went wrong in the last line, after where in the user's own code it did.

    Example:
        >>> reason_of(UserError("model: got nothing, wanted one."))
        'model: got nothing, wanted one.'
    """
    cause = error.__cause__ if isinstance(error, UserError) else error
    last = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
    frames = traceback.extract_tb(cause.__traceback__) if cause else []
    own = [frame for frame in frames if not frame.filename.startswith(_NOT_THE_USERS)]
    shown = own or ([] if isinstance(error, UserError) else frames)
    where = "".join(traceback.format_list(list(shown)))
    if isinstance(cause, SyntaxError):
        where = "".join(traceback.format_exception_only(cause))
    return where + " ".join(last.split("\n"))


def told(reason: str) -> str:
    r"""Return what went wrong, then the lines that say where.

    Example:
        >>> told("in build\nNameError: name 'x' is not defined")
        "NameError: name 'x' is not defined\nIt came from:\nin build"
    """
    *before, last = reason.strip().splitlines()
    return "\n".join([last, "It came from:", *before[-WHERE_LINES:]] if before else [last])
