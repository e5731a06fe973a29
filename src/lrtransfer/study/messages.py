"""Validation messages: one line that names the key, what was got and what was wanted."""

import difflib
from collections.abc import Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError
from pydantic_core import ErrorDetails

# The key that says which kind of model, data or optimizer a section is about.
KIND_KEYS = {"model": "family", "data": "source", "optimizer": "family"}


def format_first_error(error: ValidationError, settings: type[BaseModel]) -> str:
    """Turn pydantic's first error into `key: got, wanted`.

    Arguments:
        error: What pydantic raised.
        settings: Type of the settings, whose keys an unknown one may have meant.
    """
    return _explain(error.errors()[0], settings)


def _explain(error: ErrorDetails, settings: type[BaseModel]) -> str:
    path, model = _strip_tags([str(part) for part in error["loc"] if part != "[key]"], settings)
    key = ".".join(path)
    if error["type"] == "extra_forbidden":
        if key in {"data.path", "data.dtype", "data.format"}:
            return f"{key}: got a value, wanted data.source = 'text' or 'tokens' beside it."
        keys = list(model.model_fields) if model else []
        close = difflib.get_close_matches(path[-1], keys, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"wanted one of {', '.join(keys)}."
        return f"{key}: unknown key, {hint}"
    if error["type"] == "union_tag_invalid":
        kinds = error["ctx"]["expected_tags"].replace("'", "")
        return f"{key}.{KIND_KEYS[key]}: got {error['ctx']['tag']!r}, wanted one of {kinds}."
    if path[:1] == ["budget"] and error["type"] != "value_error":
        return f"budget: got {error['input']!r}, wanted runs, such as 48, or '2e15 flops'."
    if error["type"] == "missing":
        option = {"command": "--command", "loss_from": "--loss-from"}.get(path[-1])
        return f"{key}: got nothing, wanted it" + (f", or the option {option}." if option else ".")
    if error["type"] == "value_error":
        reason = str(error["ctx"]["error"]).removesuffix(".")
        end = "" if reason.endswith("?") else "."
        return f"{key}: {reason}{end}" if key else f"{reason}{end}"
    if error["type"] == "string_pattern_mismatch":
        return f"{key}: got {error['input']!r}, wanted {_PATTERNS[path[-1]]}."
    if error["type"] == "tuple_type":
        return f"{key}: got {error['input']!r}, wanted a list, such as [1, 2]."
    rule = error["msg"][0].lower() + error["msg"][1:]
    return f"{key}: got {error['input']!r}, {rule.replace('input should', 'it should')}."


_BRANCHES = ("int", "float")  # alternatives of a number, which pydantic puts in the path
_PATTERNS = {
    "device": "cpu, cuda, cuda:N or mps",
    "build": "the form pkg.module:function",
    "batches": "the form pkg.module:function",
}


def _strip_tags(
    path: list[str], model: type[BaseModel]
) -> tuple[list[str], type[BaseModel] | None]:
    """Return a path without the kinds in it, and the settings that its last key is one of."""
    plain, rest = list[str](), list(path)
    current: type[BaseModel] = model
    while rest:
        plain.append(rest.pop(0))
        if not rest:
            break
        field = current.model_fields.get(plain[-1])
        if field is None:
            return plain + rest, None
        kinds = dict(_list_kinds((field.annotation, *field.metadata)))
        if kinds and rest[0] in kinds:
            current = kinds[rest.pop(0)]
            continue
        inner = next(_list_settings(field.annotation), None)
        if inner is None:
            return plain + [part for part in rest if part not in _BRANCHES], None
        if get_origin(field.annotation) is dict:
            plain.append(rest.pop(0))  # a key of the user's own
        current = inner
    return plain, current


def _list_kinds(annotation: Any) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield the tags in an annotation with the settings they stand for."""
    parts = annotation if isinstance(annotation, tuple) else get_args(annotation)
    tags = [part.tag for part in parts if isinstance(part, Tag)]
    if tags:
        yield tags[0], parts[0]
        return
    for part in parts:
        yield from _list_kinds(part)


def _list_settings(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _list_settings(part)
