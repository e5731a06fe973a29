"""Forked children of the user's code end where it returns: they must not go on as if they were us.

A child that came back from a model would build and train on, and fork again at every call.
"""

import os
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def end_forked_children() -> Generator[None, None, None]:
    """End a process that leaves the block, or the function decorated, and did not enter it.

    Example:
        >>> with end_forked_children():
        ...     child = os.fork()
        >>> os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        1
    """
    owner = os.getpid()
    try:
        yield
    finally:
        require_process(owner)


def require_process(owner: int) -> None:
    """End this process unless it is the one named.

    Example:
        >>> require_process(os.getpid())
    """
    if os.getpid() != owner:
        os._exit(1)
