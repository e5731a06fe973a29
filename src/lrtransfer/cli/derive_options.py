"""The options of `lrtransfer tune`, derived from the fields of the study.

`Option`, at a field, says what the field means and how the option is spelt; the field's type says
how the option's text is read. Write the options again after a change to the fields:

    python -m lrtransfer.cli.derive_options
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from ..settings import Option, Settings
from ..study.study import Study
from .study_options import OPTIONS_FILE, StudyOption


def derive_options(settings: type[Settings], prefix: str = "") -> Iterator[StudyOption]:
    """Yield the options that the fields declare, those of sections after the others.

    Arguments:
        settings: The study, or a section of it.
        prefix: Path of the section, with a dot at its end.
    """
    for name, field in settings.model_fields.items():
        for declared in field.metadata:
            if isinstance(declared, Option):
                kind = _classify(field.annotation)
                yield StudyOption(
                    name=declared.name or name,
                    path=prefix + name,
                    kind=kind,
                    metavar=declared.metavar or _choose_metavar(field.annotation, kind),
                    help=declared.help,
                    aliases=declared.aliases,
                )
    for name, field in settings.model_fields.items():
        for section in (field.annotation, *get_args(field.annotation)):
            if isinstance(section, type) and issubclass(section, Settings):
                yield from derive_options(section, f"{prefix}{name}.")


def format_options(options: Iterable[StudyOption]) -> str:
    """Return options as JSON, one a line."""
    lines = (json.dumps(asdict(entry), ensure_ascii=False) for entry in options)
    return "[\n" + ",\n".join(lines) + "\n]\n"


def _classify(annotation: Any) -> str:
    """Return the key of READERS that reads a field of this type from text."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _classify(inner[0])
    if origin in {Union, UnionType}:  # a union with text is read by the study
        kinds = {_classify(member) for member in inner if member is not NoneType}
        return kinds.pop() if len(kinds) == 1 else "text"
    if origin is tuple:
        return f"list of {_classify(inner[0])}"
    kinds_by_type = {int: "whole", float: "number", str: "text", bool: "flag"}
    return {Literal: "text", dict: "values by path"}.get(origin) or kinds_by_type[annotation]


def _choose_metavar(annotation: Any, kind: str) -> str:
    if get_origin(annotation) is Literal:
        return "|".join(get_args(annotation))
    return {"whole": "N", "list of whole": "N,N,…", "flag": ""}[kind]


if __name__ == "__main__":
    OPTIONS_FILE.write_text(format_options(derive_options(Study)), encoding="utf-8")
