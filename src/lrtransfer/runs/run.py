"""One run and its identity.

A run is named by the hash of all that determines its result, never by the study it belongs to:
a size, rate or seed added later leaves finished runs valid. The name is identity alone; no random
stream is derived from it.

What stands in `RunSettings` and `ProgramSettings` is identity, but for where and how data lie and
how long a program may take. A setting that names no run stays in the study.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from ..study.model_work import ModelWork
from ..study.program import Program
from ..study.variants import Number

# Counts changes of meaning: raise it when equal settings no longer give equal results.
SEMANTICS = 2

# Where every relative scheme is the same model and optimizer, it is trained once for all.
SHARED_SCHEME = "base"

_WHERE_DATA_ARE = "path"  # their digest says what they are,
_HOW_DATA_LIE = "format"  # in whatever file
_SOURCES_WITH_PATH = ("text", "tokens")


class CurveSettings(ABC):
    """What the runs of one curve have in common; equal settings stand for equal identities."""

    @property
    @abstractmethod
    def document(self) -> dict[str, Any]:
        """The settings as JSON values, as they stand in an identity."""

    @property
    @abstractmethod
    def examples(self) -> float:
        """Sequences or examples that a run trains on, as far as they are known."""

    @property
    @abstractmethod
    def steps(self) -> int:
        """Training steps whose losses are kept."""

    @cached_property
    def canonical(self) -> str:
        """The document as text that is the same for equal settings."""
        return to_canonical_json(self.document)

    def __eq__(self, other: object) -> bool:
        """Return whether other settings stand for the same identities."""
        return isinstance(other, CurveSettings) and self.canonical == other.canonical

    def __hash__(self) -> int:
        """Return the hash of the canonical text."""
        return hash(self.canonical)


@dataclass(frozen=True, kw_only=True, eq=False)
class RunSettings(CurveSettings):
    """What the runs of one curve have in common where they train a model.

    Attributes:
        base_width: Width at which all schemes are the same.
        study_seed: Names all random streams.
        work: Model, data, optimizer, training and parametrization.
        data_digest: Hash of the data.
        code_digest: Hash of the user's own code; empty where there is none.
    """

    base_width: int
    study_seed: int
    work: ModelWork
    data_digest: str
    code_digest: str

    @cached_property
    def document(self) -> dict[str, Any]:
        """The settings as JSON values, as they stand in an identity."""
        sections = self.work.model_dump(mode="json")
        for key in (_WHERE_DATA_ARE, _HOW_DATA_LIE):
            sections["data"].pop(key, None)
        return sections | {key: getattr(self, key) for key in _BESIDE_WORK}

    @property
    def examples(self) -> float:
        """Sequences or examples that a run trains on."""
        return self.work.training.steps * self.work.training.batch

    @property
    def steps(self) -> int:
        """Training steps, each of which leaves its loss."""
        return self.work.training.steps


_BESIDE_WORK = tuple(field.name for field in fields(RunSettings) if field.name != "work")


@dataclass(frozen=True, kw_only=True, eq=False)
class ProgramSettings(CurveSettings):
    """What the runs of one curve have in common where the user's program trains.

    Attributes:
        program: The program.
        values: What its further placeholders stand for.
    """

    program: Program
    values: Mapping[str, Number]

    @cached_property
    def document(self) -> dict[str, Any]:
        """The settings as JSON values, as they stand in an identity."""
        document: dict[str, Any] = {"trainer": self.program.identity}
        return document | ({"values": dict(self.values)} if self.values else {})

    @property
    def examples(self) -> float:
        """Steps times batch, as far as the values name them."""
        return max(1, self.values.get("steps", 1)) * max(1, self.values.get("batch", 1))

    @property
    def steps(self) -> int:
        """Zero: of a program's steps no loss is kept."""
        return 0


@dataclass(frozen=True)
class RunSpec:
    """One training run.

    Attributes:
        settings: What it has in common with the other runs of its curve.
        scheme: Name of the scheme, or `base` at the base width.
        width: Width n.
        lr: Learning rate at the base width's scale.
        seed: Seed index, from 0.
    """

    settings: CurveSettings
    scheme: str
    width: int
    lr: float
    seed: int

    @cached_property
    def identity(self) -> str:
        """The canonical JSON of all that determines the result."""
        return to_canonical_json({
            "semantics": SEMANTICS,
            "settings": self.settings.document,
            "scheme": self.scheme,
            "width": self.width,
            "lr": self.lr,
            "seed": self.seed,
        })

    @cached_property
    def id(self) -> str:
        """The name of the run, a hash of its identity."""
        return hashlib.sha256(self.identity.encode()).hexdigest()[:32]

    @property
    def cost_class(self) -> tuple[int, CurveSettings]:
        """What runs that cost the same have in common."""
        return self.width, self.settings

    @property
    def relative_cost(self) -> float:
        """Cost beside other runs of its study, roughly: width x steps x batch."""
        return float(self.width * self.settings.examples)


def parse_identity(text: str) -> RunSpec:
    """Return the run with an identity; the path of its data is no part of that and not known.

    Raises:
        ValueError: If the text is no identity of this version.
    """
    try:
        document = json.loads(text)
        if document["semantics"] != SEMANTICS:
            raise ValueError(f"got semantics {document['semantics']}, wanted {SEMANTICS}")
        settings = _parse_settings(document["settings"])
        run = {key: document[key] for key in ("scheme", "width", "lr", "seed")}
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"identity: got {text[:80]!r}…, wanted one of this version") from error
    return RunSpec(settings, **run)


def _parse_settings(document: dict[str, Any]) -> CurveSettings:
    if "trainer" in document:
        program = Program.model_validate(document["trainer"])
        return ProgramSettings(program=program, values=document.get("values", {}))
    sections = {key: value for key, value in document.items() if key not in _BESIDE_WORK}
    if sections["data"]["source"] in _SOURCES_WITH_PATH:
        sections["data"] = {**sections["data"], _WHERE_DATA_ARE: "(not known)"}
    beside = {key: document[key] for key in _BESIDE_WORK}
    return RunSettings(work=ModelWork.model_validate(sections), **beside)


def to_canonical_json(value: Any) -> str:
    """Return JSON that is the same for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
