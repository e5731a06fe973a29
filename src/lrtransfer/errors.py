"""What users see when something they gave is wrong: what was got, what was wanted, what to do."""


class UserError(ValueError):
    """Report input that cannot be used.

    The command line prints the message alone and exits with code 2. Every message names the
    thing (a key, a file, a tensor), what was got, what was wanted, and what to do.
    """


class ConfigError(UserError):
    """Report a study setting that is unknown, of the wrong type or out of range."""


class ParametrizationError(UserError):
    """Report a model, tensor or optimizer to which no scaling rule can be applied."""


class StoreError(UserError):
    """Report a run store that cannot be opened, read or written."""


class TableError(UserError):
    """Report a table of runs from which nothing can be concluded."""


class CheckError(UserError):
    """Report a model, batch or setting on which a check cannot be made."""


class BatchError(CheckError):
    """Report a model, a batch and a loss that do not work together."""
