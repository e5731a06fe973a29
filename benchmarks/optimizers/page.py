"""The page that the trials of optimizers fill."""

from collections.abc import Sequence
from dataclasses import dataclass

from .catalog import Configuration


@dataclass(frozen=True)
class Row:
    """What was found of one configuration.

    Attributes:
        configuration: It.
        version: Version of its package.
        verdict: What `verify` says: passes, refused, caution, or not made.
        reason: Its message.
        faults: What the steps at two widths show.
        seconds: What `verify` took.
    """

    configuration: Configuration
    version: str
    verdict: str
    reason: str
    faults: Sequence[str]
    seconds: float


def write_page(rows: Sequence[Row]) -> str:
    """Return the page as Markdown."""
    return "\n".join(
        f"| {r.configuration.package} | {r.configuration.label} | {r.configuration.follows} | {r.verdict} | {'; '.join(r.faults)} | {r.reason} |"
        for r in rows
    )
