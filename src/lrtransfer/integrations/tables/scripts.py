"""Tables of the user's own scripts: dumped arguments, and the states of job schedulers."""

from .dialect import Dialect

SCRIPTS = Dialect(
    prefixes=("args",), unfinished=frozenset({"queued", "canceled", "cancelled", "deleted"})
)
