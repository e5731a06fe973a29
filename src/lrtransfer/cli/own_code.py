"""The user's own code, run inside a command."""

import sys
import traceback
from collections.abc import Generator
from contextlib import contextmanager, redirect_stdout

from ..errors import Terminated, UserError


@contextmanager
def run_own_code() -> Generator[None, None, None]:
    """Run the user's own code: what it prints goes to stderr, and it does not end the command.

    Raises:
        Terminated: If the system asks for the end.
        UserError: If it calls `sys.exit`, which would pass for the command's own answer.
    """
    with redirect_stdout(sys.stderr):
        try:
            yield
        except Terminated:
            raise
        except SystemExit as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            raise UserError(
                f"{place.filename}, line {place.lineno}: got exit({error.code!r}) from your own "
                "code, wanted functions that return. Leave the command line of a script to its "
                "part `if __name__ == '__main__':`, and raise an exception where something is "
                "wrong."
            ) from None
