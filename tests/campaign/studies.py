"""Study files and options of `tune` that are wrong in one or two ways, drawn at random."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from lrtransfer.study.schema import make_study_schema

from .case import ODD_NAMES, ODD_NUMBERS, WrongInput

PROGRAM = f"{sys.executable} -c 'print(2.5, {{width}}, {{lr}})'"
QUICK = (
    "--command", PROGRAM, "--loss-from", "stdout:^([0-9.]+)", "--widths", "64,128",
    "--target", "256", "--lr-low", "2^-8", "--lr-high", "2^-6", "--seeds", "1", "--out", "out",
)  # fmt: skip

# Values in TOML that no field, or not every field, takes.
ODD_VALUES = (
    "0", "-1", "1.5", "nan", "inf", "-inf", "1e308", "1e-320", "9223372036854775807", "true",
    '""', '" "', '"no-such"', '"64"', '"nan"', '"2^-8"', '"\\u001b[31m"', "[]", "[[]]", "[0]",
    "[64, 64]", '[64, "128"]', "[1e308]", "{}", "{ a = 1 }", "1979-05-27", "07:32:00", '"/"',
    '"../x"', "[true]", "[nan]", "[-1, 2]", '"x:y"', '"os:system"', '"' + "x" * 3000 + '"',
)  # fmt: skip
BROKEN = (
    b"widths = [64\n", b"\xff\xfe\x00", b"widths 64\n", b"[model]\n[model]\n", b"= 3\n", b"\x00",
    b"widths = 64, 128\n", b"[[model]]\nwidth = 3\n", b"[no.such.table]\nx = 1\n",
    b'{"widths": [64]}',
    b"", b"#\n", b"widths = [64, 128]\nwidths = [32]\n", "μ = 1\n".encode(),
)  # fmt: skip
# A study whose cost is estimated in no time.
SMALL: Mapping[str, Mapping[str, str]] = {
    "": {"widths": "[16, 32, 48]", "base_width": "16", "target": "64", "seeds": "1"},
    "model": {"depth": "1", "context": "16"},
    "training": {"steps": "4", "batch": "2"},
    "data": {"held_out_tokens": "512"},
}
OPTIONS = (
    "--widths", "--base-width", "--target", "--sizes", "--width", "--seeds", "--study-seed",
    "--tolerance-regret", "--budget", "--lr-low", "--lr-high", "--per-octave", "--steps",
    "--timeout", "--retries", "--workers",
)  # fmt: skip
NAMED_OPTIONS = (
    "--schemes", "--scheme", "--vary", "--along", "--design", "--until", "--device", "--loss-from",
    "--command", "--out",
)  # fmt: skip


def make_options(random: Random, count: int) -> Iterator[WrongInput]:
    """Draw options of `tune`, one of them wrong, beside a program that trains in no time."""
    for _ in range(count):
        if random.random() < 0.6:
            option, value = random.choice(OPTIONS), random.choice(ODD_NUMBERS)
        else:
            option, value = random.choice(NAMED_OPTIONS), random.choice(ODD_NAMES)
        given = dict(zip(QUICK[::2], QUICK[1::2], strict=True)) | {option: value}
        arguments = tuple(f"{name}={text}" for name, text in given.items())
        # Only what costs no run: what is refused must be refused before one.
        yield WrongInput(
            kind=f"tune {option} {value[:20]!r}", arguments=("tune", "--dry-run", *arguments)
        )


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of a study file.

    Attributes:
        table: The table it stands in; empty for one of the study itself.
        kind: What says which kind of table is meant, such as family = "mlp"; or empty.
        name: Its name.
    """

    table: str
    kind: Mapping[str, str]
    name: str


def make_files(random: Random, count: int) -> Iterator[WrongInput]:
    """Draw study files, one field of each with a value that it does not take."""
    fields = tuple(_list_fields(make_study_schema()))
    for _ in range(count):
        kind, text = _draw_broken(random) if random.random() < 0.1 else _draw_odd(random, fields)
        yield WrongInput(
            kind=f"study file with {kind}",
            arguments=("tune", "study.toml", "--dry-run", "--out", "out"),
            files={"study.toml": text},
        )


def _draw_broken(random: Random) -> tuple[str, bytes]:
    broken = random.choice(BROKEN)
    return repr(broken[:20]), _format_study(SMALL) + broken


def _draw_odd(random: Random, fields: Sequence[Field]) -> tuple[str, bytes]:
    field, value = random.choice(fields), random.choice(ODD_VALUES)
    name = random.choice((field.name, field.name, field.name, field.name, "no_such_key"))
    table = (
        {**field.kind, name: value} if field.kind else {**SMALL.get(field.table, {}), name: value}
    )
    text = _format_study({**SMALL, field.table: table})
    return f"{field.table}.{name} = {value[:20]}", text


def _format_study(tables: Mapping[str, Mapping[str, str]]) -> bytes:
    lines = []
    for name, table in tables.items():
        lines += [f"[{name}]"] if name else []
        lines += [f"{key} = {value}" for key, value in table.items()]
    return "".join(f"{line}\n" for line in lines).encode()


def _list_fields(schema: Mapping[str, Any]) -> Iterator[Field]:
    """Return every field that a study file may have."""
    for key, value in schema["properties"].items():
        tables = [schema["$defs"][name] for name in _list_references(value)]
        for table in tables:
            properties = table.get("properties", {})
            constants = {name: p["const"] for name, p in properties.items() if "const" in p}
            kind = {name: f'"{constant}"' for name, constant in constants.items()}
            for name in properties:
                if name not in constants:
                    yield Field(table=key, kind=kind, name=name)
        if not tables:
            yield Field(table="", kind={}, name=key)


def _list_references(value: Any) -> list[str]:
    """Return the names of the definitions that a part of a schema refers to."""
    if isinstance(value, Mapping):
        own = [value["$ref"].rpartition("/")[2]] if isinstance(value.get("$ref"), str) else []
        return own + [name for inner in value.values() for name in _list_references(inner)]
    if isinstance(value, list):
        return [name for inner in value for name in _list_references(inner)]
    return []
