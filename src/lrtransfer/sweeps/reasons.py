"""Why a run gave no result: written down where it failed, told where it is read."""

import traceback

from ..errors import UserError

WHERE_LINES = 6  # of where it came from that are told


def reason_of(error: BaseException) -> str:
    """Return what went wrong in the last line, after where in the user's own code it did.

    Example:
        >>> reason_of(UserError("model: got nothing, wanted one."))
        'model: got nothing, wanted one.'
    """
    if not isinstance(error, UserError):
        return "".join(traceback.format_exception(error)).strip()
    cause = error.__cause__
    return "".join(traceback.format_exception(cause) if cause else []) + str(error)


def told(reason: str) -> str:
    r"""Return what went wrong, then the lines that say where.

    Example:
        >>> told("in build\nNameError: name 'x' is not defined")
        "NameError: name 'x' is not defined\nIt came from:\nin build"
    """
    *before, last = reason.strip().splitlines()
    return "\n".join([last, "It came from:", *before[-WHERE_LINES:]] if before else [last])
