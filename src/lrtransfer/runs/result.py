"""What came of a run, and how it was made. Loads no torch."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from ..training.outcome import Outcome


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """How a result was made; None where it is not known.

    Attributes:
        engine: What trained: the name of an engine, or of the user's program.
        seconds: How long it took.
        parameters: Number of parameters of the model.
        processor: What computed: equal runs differ in their last digits between processors.
        python: Version of Python.
        torch: Version of torch.
    """

    engine: str
    seconds: float
    parameters: int | None = None
    processor: str | None = None
    python: str | None = None
    torch: str | None = None

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Return the provenance that was written down as JSON values.

        What this version does not know is left out: another version may have written more.
        """
        names = {field.name for field in fields(cls)}
        return cls(**{key: value for key, value in document.items() if key in names})

    def to_document(self) -> dict[str, Any]:
        """Return what is known as JSON values."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    def __str__(self) -> str:
        """Return the versions, on which last digits depend."""
        if self.torch is None:
            return "the study's own command"
        return f"torch {self.torch} on {self.processor}, engine {self.engine}"


@dataclass(frozen=True)
class TrainedRun:
    """One run that was trained.

    Attributes:
        id: Name of the run.
        identity: Canonical JSON of all that determines its result.
        outcome: What came of it.
        provenance: How that was made.
    """

    id: str
    identity: str
    outcome: Outcome
    provenance: Provenance
