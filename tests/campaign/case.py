"""One wrong input: the files that a user has, and the command given."""

from collections.abc import Mapping
from dataclasses import dataclass, field

# What users type by mistake where a number is wanted.
ODD_NUMBERS = (
    "", " ", "0", "-1", "-0.0", "nan", "inf", "-inf", "1e308", "1e400", "1e-320", "2e-320", "1e31",
    "0x10", "1_000", "1,000", "1.5", "64.5", "2^8", "2^", "^8", "2^99999", "2**8", "1/3", "ten",
    "None", "true", "[]", "{}", "64;128", "٣", "½", "1e", "--", "9" * 400, "0.0000001", "10%",
)  # fmt: skip

# What users type by mistake where a name is wanted.
ODD_NAMES = (
    "", " ", ",", "mup,,sp", "mup, sp", "mup,mup", "MUP", "μP", "no-such", "../x", "/", "a=b", "=",
    "None", "0", "-", "*", "x" * 5000, "\x1b[31mred", "tab\tname", "new\nline", "'", '"', "{width}",
    "mup;sp", "mup:sp", "sp ", "%s", "{}",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class WrongInput:
    """A command and the files it is given.

    Attributes:
        kind: What is wrong, for the message of a failed test.
        arguments: Those of the command, run in a folder that holds the files.
        files: Contents by path in the folder.
        rows: How many rows the table has, where every row must be accounted for.
    """

    kind: str
    arguments: tuple[str, ...]
    files: Mapping[str, bytes] = field(default_factory=dict)
    rows: int | None = None
