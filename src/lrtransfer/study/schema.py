"""The JSON schema of study files, by which editors complete and check them."""

from typing import Any

from .study import Study


def make_study_schema() -> dict[str, Any]:
    """Return the schema.

    Example:
        >>> make_study_schema()["properties"]["seeds"]["default"]
        3
    """
    schema = _loosen(Study.model_json_schema())
    assert isinstance(schema, dict)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _loosen(node: Any) -> Any:
    """Return a schema in which alternatives may overlap: what tells them apart has a default."""
    if isinstance(node, list):
        return [_loosen(item) for item in node]
    if not isinstance(node, dict):
        return node
    loose = {key: _loosen(value) for key, value in node.items() if key != "discriminator"}
    if alternatives := loose.pop("oneOf", None):
        loose["anyOf"] = [a for i, a in enumerate(alternatives) if a not in alternatives[:i]]
    return loose
