"""Write the generated pages of the reference; `./dev docs` runs this.

With `--check` nothing is written, and the exit code is 1 if a page is not current.

python.md comes from docstrings, command-line.md from `--help`, and study-settings.md from the JSON
schema of study files.
"""

import ast
import importlib
import inspect
import os
import pkgutil
import re
import sys
import textwrap
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import Any

import lrtransfer
import lrtransfer.theory

HERE = Path(__file__).parent
WIDTH = 96  # columns of help texts and of wrapped prose
EXACT = 2**53  # bounds from here on only keep numbers exact in JSON: no reader needs them
SECTIONS = ("Arguments", "Attributes", "Returns", "Raises", "Example", "References")
# Public functions and types of the theory, wherever they are defined below lrtransfer.theory.
THEORY = (
    "Problem",
    "draw_regression",
    "load_regression",
    "limit_losses",
    "limit_optimum",
    "finite_losses",
    "finite_optima",
    "loss_curve",
    "loss_polynomial",
    "fluctuation",
    "lr_scaling",
)

_NOTE = "<!-- Written by `./dev docs`; edits are lost. -->\n<!-- fmt: off -->"

PYTHON_HEAD = f"""{_NOTE}
# Python API

What `import lrtransfer as lt` offers, from its docstrings. Everything that is not on this page may
change without notice.
"""

THEORY_HEAD = """
## Deep linear networks

These functions need no torch. [What they compute](../explanation/theory.md).
"""

COMMANDS_HEAD = f"""{_NOTE}
# Command line

What `--help` prints for every command. `python -m lrtransfer` is the same program as `lrtransfer`.

With `--json` a command prints [one JSON document](json.md) on stdout and nothing else. The study
settings behind the options of `tune` are explained under [study files](study-file.md), the options
of `theory` under [theory commands](theory-commands.md).

| exit code | meaning |
|---|---|
| 0 | an answer was computed, whatever it says; of `check`: pass |
| 1 | `check`: fail; `tune`: runs failed, and the others allow no verdict |
| 3 | `check`: inconclusive |
| 2 | bad input, or an output that cannot be written: the message says what was got, what was \
expected and what to do |
| 70 | a defect of lrtransfer |
| 130 | interrupted |
| 141 | nobody reads the output any more, as with `\\| head` |
"""

STUDY_HEAD = f"""{_NOTE}
# Settings of a study file

Every key with its type and default, from the JSON schema that `lrtransfer schema` prints.
[Study files](study-file.md) explains them.

## Top level
"""


def python_page() -> str:
    """Return the page of the Python API."""
    parts = [PYTHON_HEAD]
    parts += [entry(getattr(lrtransfer, name), f"lt.{name}") for name in lrtransfer.__all__]
    parts.append(THEORY_HEAD)
    parts += [
        entry(value, f"{value.__module__}.{value.__qualname__}", level=3) for value in theory_api()
    ]
    return "\n".join(parts)


def theory_api() -> Iterator[Any]:
    """Yield the objects named in THEORY.

    Raises:
        LookupError: If one is not defined in the package.
    """
    below = pkgutil.walk_packages(lrtransfer.theory.__path__, "lrtransfer.theory.")
    modules = [importlib.import_module(module.name) for module in below]
    for name in THEORY:
        homes = [m for m in modules if getattr(vars(m).get(name), "__module__", "") == m.__name__]
        if not homes:
            raise LookupError(f"lrtransfer.theory: got no {name!r}; correct THEORY in {__file__}.")
        yield getattr(homes[0], name)


def entry(value: Any, title: str, *, level: int = 2) -> str:
    """Return one entry: title, signature, docstring and, for a class, its public members."""
    node: Any = ast.parse(textwrap.dedent(inspect.getsource(value))).body[0]
    parts = [f"{'#' * level} `{title}`\n"]
    if isinstance(node, ast.ClassDef):
        if fields := _fields(node):
            parts.append(_code(fields, "python"))
        parts.append(docstring(inspect.getdoc(value) or ""))
        for member in node.body:
            if isinstance(member, ast.FunctionDef) and not member.name.startswith("_"):
                parts.append(f"{'#' * (level + 1)} `{value.__name__}.{member.name}`\n")
                if not _is_property(member):
                    parts.append(_code(signature(member), "python"))
                parts.append(docstring(ast.get_docstring(member) or ""))
    else:
        parts += [_code(signature(node), "python"), docstring(inspect.getdoc(value) or "")]
    return "\n".join(parts)


def _is_property(node: ast.FunctionDef) -> bool:
    return any(isinstance(d, ast.Name) and d.id.endswith("property") for d in node.decorator_list)


def _fields(node: ast.ClassDef) -> str:
    """Return the annotated public fields of a class, one per line."""
    lines = [
        ast.unparse(statement)
        for statement in node.body
        if isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and not statement.target.id.startswith("_")
    ]
    return "\n".join(lines)


def signature(node: ast.FunctionDef) -> str:
    """Return the signature as it is written, one parameter per line if it is long."""
    parameters = list(_parameters(node.args))
    if parameters and parameters[0] in {"self", "cls"}:
        parameters = parameters[1:]
    result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    line = f"{node.name}({', '.join(parameters)}){result}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"{node.name}(", *(f"    {p}," for p in parameters), f"){result}"])


def _parameters(arguments: ast.arguments) -> Iterator[str]:
    plain = [*arguments.posonlyargs, *arguments.args]
    without = [None] * (len(plain) - len(arguments.defaults))
    for argument, default in zip(plain, (*without, *arguments.defaults), strict=True):
        yield _parameter(argument, default)
    if arguments.vararg:
        yield f"*{ast.unparse(arguments.vararg)}"
    elif arguments.kwonlyargs:
        yield "*"
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _parameter(argument, default)
    if arguments.kwarg:
        yield f"**{ast.unparse(arguments.kwarg)}"


def _parameter(argument: ast.arg, default: ast.expr | None) -> str:
    text = ast.unparse(argument)
    if default is None:
        return text
    return f"{text}{' = ' if argument.annotation else '='}{ast.unparse(default)}"


def docstring(text: str) -> str:
    """Return a Google-style docstring as markdown."""
    pieces = re.split(rf"^({'|'.join(SECTIONS)}):\n", _math(text) + "\n", flags=re.MULTILINE)
    parts = [pieces[0].strip() + "\n"]
    for name, body in zip(pieces[1::2], pieces[2::2], strict=True):
        body = textwrap.dedent(body).strip()
        parts.append(f"**{name}**\n")
        if name == "Example":
            parts.append(_code(body, "pycon"))
        elif name in {"Arguments", "Attributes", "Raises"}:
            parts.append("\n".join(_items(body)) + "\n")
        else:
            parts.append(body + "\n")
    return "\n".join(parts)


def _items(body: str) -> Iterator[str]:
    """Yield `name: text` entries as list items; further lines of an entry are indented."""
    for item in re.split(r"\n(?=\S)", body):
        name, colon, text = item.partition(":")
        line = f"`{name}`{colon} {' '.join(text.split())}" if colon else " ".join(item.split())
        yield _wrapped(line, "- ", "  ")


def _math(text: str) -> str:
    """Return a text with reStructuredText's formulas in markdown's notation."""
    text = re.sub(r":math:`([^`]*)`", r"$\1$", text)
    block = r"^\.\. math::(.*(?:\n(?:[ \t]+\S.*)?)*?)(?=\n\S|\n*\Z)"

    def fenced(match: re.Match[str]) -> str:
        formula = re.sub(r"\n\s*\n", "\n", match[1]).strip()
        lines = [line.strip() for line in formula.splitlines()]
        return "\n".join(["```math", *lines, "```", ""])

    return re.sub(block, fenced, text, flags=re.MULTILINE)


def commands_page() -> str:
    """Return the page of all help texts."""
    return "\n".join([COMMANDS_HEAD, *_commands(())])


def _commands(path: tuple[str, ...]) -> Iterator[str]:
    text = help_text(path)
    subcommands = re.search(r"\{([\w,-]+)\}", " ".join(text.partition("\n\n")[0].split()))
    if path and not subcommands:
        yield f"## `lrtransfer {' '.join(path)}`\n"
        yield _code(text, "text")
    for name in subcommands[1].split(",") if subcommands else ():
        yield from _commands((*path, name))


def help_text(path: tuple[str, ...]) -> str:
    """Return what `lrtransfer PATH --help` prints, long lines wrapped."""
    from lrtransfer.cli.main import main

    os.environ |= {"COLUMNS": str(WIDTH), "NO_COLOR": "1"}
    output = StringIO()
    with redirect_stdout(output), suppress(SystemExit):
        main([*path, "--help"])
    lines = output.getvalue().rstrip().splitlines()
    return "\n".join(_wrapped(line) if len(line) > WIDTH else line.rstrip() for line in lines)


def settings_page() -> str:
    """Return the page of all settings."""
    schema = study_schema()
    tables = _tables(schema, schema["$defs"], "")
    return "\n".join([STUDY_HEAD, *tables])


def study_schema() -> dict[str, Any]:
    """Return the JSON schema of study files, as `lrtransfer schema` prints it."""
    import json

    from lrtransfer.cli.main import main

    output = StringIO()
    with redirect_stdout(output):
        main(["schema"])
    schema: dict[str, Any] = json.loads(output.getvalue())
    return schema


def _tables(schema: dict[str, Any], definitions: dict[str, Any], path: str) -> Iterator[str]:
    """Yield the table of a section, then those of the sections below it."""
    properties = schema["properties"]
    references = {key: list(_references(value)) for key, value in properties.items()}
    has_texts = any("description" in value for value in properties.values())
    yield f"| key | type | default |{' meaning |' if has_texts else ''}"
    yield f"|---|---|---|{'---|' if has_texts else ''}"
    for key, value in properties.items():
        default = _default(key, value, schema) if not references[key] else ""
        row = [f"`{key}`", "section" if references[key] else _type(value), default]
        row += [" ".join(value.get("description", "").split())] if has_texts else []
        yield "| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |"
    yield ""
    for key, names in references.items():
        is_free = "additionalProperties" in properties[key]
        inner = f"{path}{key}" + (".ROLE" if is_free else "")
        for name in names:
            definition = definitions[name]
            kind = next(_kinds(definition), "") if len(names) > 1 else ""
            yield f"## `[{inner}]`{kind}\n"
            yield _wrapped(" ".join(definition.get("description", "").split())) + "\n"
            yield from _tables(definition, definitions, f"{inner}.")


def _references(node: Any) -> Iterator[str]:
    """Yield the names of the definitions that a schema refers to, alternatives included."""
    if "$ref" in node:
        yield node["$ref"].rpartition("/")[2]
    for alternative in node.get("anyOf", ()):
        yield from _references(alternative)
    if isinstance(node.get("additionalProperties"), dict):
        yield from _references(node["additionalProperties"])


def _kinds(definition: dict[str, Any]) -> Iterator[str]:
    """Yield the settings that distinguish one kind of a section from the others."""
    for key, value in definition["properties"].items():
        if "const" in value:
            yield f' with `{key} = "{value["const"]}"`'
        elif "enum" in value and key in definition.get("required", ()):
            names = " or ".join(f'`"{name}"`' for name in value["enum"])
            yield f" with `{key}` = {names}"


def _default(key: str, value: dict[str, Any], schema: dict[str, Any]) -> str:
    if key in schema.get("required", ()):
        return "required"
    default = value.get("default")
    if default is None:
        return "none" if "default" in value else ""
    return f"`{str(default).lower() if isinstance(default, bool) else _toml(default)}`"


def _toml(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return str(value)


def _type(node: dict[str, Any]) -> str:
    """Return the type of a setting in words."""
    if "const" in node:
        return f"`{_toml(node['const'])}`"
    if "enum" in node:
        return ", ".join(f"`{_toml(value)}`" for value in node["enum"])
    if "anyOf" in node:
        kinds = [_type(n) for n in node["anyOf"] if n.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if node.get("type") == "array":
        items = node.get("items") or node["prefixItems"][0]
        count = f"{node['minItems']} " if node.get("minItems") == node.get("maxItems", 0) else ""
        return f"list of {count}{_type(items)}"
    if node.get("type") == "object":
        values = node.get("additionalProperties")
        return "table" + (f" of {_type(values)}" if isinstance(values, dict) else "")
    words = {"integer": "integer", "number": "number", "boolean": "true or false"}
    return words.get(node.get("type", ""), "string") + _bounds(node)


def _bounds(node: dict[str, Any]) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    stated = {key: sign for key, sign in signs.items() if abs(node.get(key, EXACT)) < EXACT}
    bounds = [f" {sign} {node[key]:g}" for key, sign in stated.items()]
    bounds += [f" multiple of {node['multipleOf']}"] if "multipleOf" in node else []
    bounds += [f" `{node['pattern']}`"] if "pattern" in node else []
    return ",".join(bounds)


def _code(text: str, language: str) -> str:
    return f"```{language}\n{text}\n```\n"


def _wrapped(text: str, first: str = "", others: str = "") -> str:
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )


PAGES = {
    "python.md": python_page,
    "command-line.md": commands_page,
    "study-settings.md": settings_page,
}


def main(arguments: list[str]) -> int:
    """Write every page, or with `--check` return 1 if one is not current."""
    stale = []
    for name, page in PAGES.items():
        text = re.sub(r"\n{3,}", "\n\n", page()).rstrip() + "\n"
        path = HERE / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in arguments:
                path.write_text(text, encoding="utf-8")
    if stale:
        verb = "not current, run ./dev docs" if "--check" in arguments else "written"
        print(f"{', '.join(stale)}: {verb}")
    return int(bool(stale) and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
