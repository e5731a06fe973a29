"""Errors about what users give: each message says what was got, what was wanted and what to do."""


class UserError(ValueError):
    """Input that cannot be used.

    The command line prints only the message and exits with code 2. Every message begins with the
    name of what is wrong (a key, a file, a tensor).
    """


class ConfigError(UserError):
    """A study setting that is unknown, of the wrong type or out of range."""


class ParametrizationError(UserError):
    """A model, tensor or optimizer to which no scaling rule can be applied."""


class StoreError(UserError):
    """A run store that cannot be opened, read or written."""


class TableError(UserError):
    """A table of runs from which nothing can be concluded."""


class CheckError(UserError):
    """A model, batch or setting with which a check is impossible."""


class BatchError(CheckError):
    """A model, a batch and a loss that do not fit together."""


class Terminated(SystemExit):
    """A request of the system to end this process; `sys.exit` in the user's own code is none."""
