"""The user's own program: how it is called for a run, and where it leaves the loss."""

import difflib
import errno
import json
import math
import os
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from ..settings import Option, Positive, Settings

PLACEHOLDERS = ("width", "lr", "seed", "scheme", "out")
LOSSES_IN_OUTPUT = 10_000_000  # bytes at the end of the output that are searched for a loss
SHOWN = 200  # characters of a loss that is none
PRINTED = "stdout:"  # begins a regular expression for what is printed

# Interpreters whose options are known: some take the next word as their value, and the plain ones
# leave the script, the first word that is no option, where it is (-c and -m do not).
_INTERPRETER = re.compile(r"python[0-9.]*|pypy[0-9.]*|(ba|da|k|z)?sh")
_WITH_VALUE = ("-X", "-W", "-o", "+o", "--check-hash-based-pycs")
_PLAIN_OPTION = re.compile(r"-[bBdEiIOPqRsSuvxaefhkntC]+")

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class Program(Settings):
    """Work of the second kind: the user's own program trains every run.

    `command` holds {width} and {lr}, also {seed}, {scheme} and {out}, a folder of the run's own.
    `loss_from` is `PATH:KEY` for a key in a JSON file or `stdout:REGEX`.
    """

    command: Annotated[
        str,
        Field(min_length=1),
        Option(
            "Your own trainer, with {width}, {lr}, {seed}, {scheme} and {out}, a folder of the "
            "run's own.",
            "PROGRAM ARGS…",
        ),
    ]
    loss_from: Annotated[
        str,
        Field(min_length=1),
        Option(
            "Where it leaves its loss, such as {out}/result.json:loss.", "PATH:KEY|stdout:REGEX"
        ),
    ]
    shell: Annotated[bool, Option("Give the command to a shell; otherwise none is used.")] = False
    timeout: Annotated[
        Positive | None, Field(description="The study's `timeout`, under its earlier name.")
    ] = None
    retries: Annotated[
        int,
        Field(ge=0, le=100),
        Option("How often a run that leaves no result is tried again; by default once."),
    ] = 1

    @property
    def identity(self) -> dict[str, Any]:
        """What decides the results of its runs: not how long, or how often, it is tried."""
        return self.model_dump(exclude={"timeout", "retries"})

    @property
    def user_code(self) -> dict[str, str]:
        """None: it is never imported here, but runs in processes of its own."""
        return {}

    @property
    def executed(self) -> dict[str, str]:
        """What the settings name that a study executes, by key: the command."""
        return {"trainer.command": self.command}


def list_program_problems(
    program: Program, *, varying: Sequence[str], placeholders: Sequence[str]
) -> list[str]:
    """Return what is wrong with a program's settings, as `key: got, wanted`.

    Arguments:
        program: The settings.
        varying: Placeholders that differ between the runs of the study.
        placeholders: All that there are.
    """
    problems = []
    for key in ("command", "loss_from"):
        text = getattr(program, key)
        if "\0" in text:
            problems.append(f"trainer.{key}: got a null character, wanted text without it")
        if not text.startswith(PRINTED):
            names = _PLACEHOLDER.findall(text)
            problems += [
                _describe_unknown(key, name, placeholders)
                for name in names
                if name not in placeholders
            ]
    used = _PLACEHOLDER.findall(program.command)
    problems += [
        f"trainer.command: got {program.command!r}, wanted {{{name}}} in it"
        for name in varying
        if name not in used
    ]
    try:
        if not shlex.split(program.command):
            problems.append("trainer.command: got nothing, wanted a program")
    except ValueError as error:
        problems.append(f"trainer.command: got {program.command!r} ({error}), wanted closed quotes")
    return problems + _list_loss_problems(program, varying)


def _describe_unknown(key: str, name: str, placeholders: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, placeholders, n=1)
    hint = f"did you mean {{{close[0]}}}?" if close else f"wanted one of {', '.join(placeholders)}"
    return f"trainer.{key}: got {{{name}}}, {hint}"


def _list_loss_problems(program: Program, varying: Sequence[str]) -> list[str]:
    pattern = program.loss_from.removeprefix(PRINTED)
    if pattern == program.loss_from:
        path, _, key = program.loss_from.rpartition(":")
        if path and key:
            if "{out}" in path or all(f"{{{name}}}" in path for name in varying):
                return []
            names = ", ".join(f"{{{name}}}" for name in varying)
            return [
                f"trainer.loss_from: got {path!r} for all runs, wanted a file of each run's own: "
                f"with {{out}} in its path, or {names}"
            ]
        return [
            f"trainer.loss_from: got {program.loss_from!r}, wanted PATH:KEY for a JSON file, such "
            "as {out}/result.json:loss, or stdout:REGEX"
        ]
    try:
        re.compile(pattern)
    except re.error as error:
        return [f"trainer.loss_from: got {pattern!r} ({error}), wanted a regular expression"]
    return []


def fill_command(program: Program, values: Mapping[str, str]) -> list[str]:
    """Return the program and its arguments, placeholders filled in.

    Example:
        >>> program = Program(command="train --lr {lr}", loss_from="stdout:loss (.*)")
        >>> fill_command(program, {"lr": "0.01"})
        ['train', '--lr', '0.01']
    """
    if program.shell:
        quoted = {key: shlex.quote(value) for key, value in values.items()}
        return ["sh", "-c", fill_in(program.command, quoted)]
    return [fill_in(part, values) for part in shlex.split(program.command)]


def find_start_error(program: Program) -> OSError | None:
    """Return what will keep a program from starting, as far as that is known before.

    Looked for are the program and the script that is given to a Python or a shell; what a shell, a
    container or another machine is to find is not.

    Example:
        >>> find_start_error(Program(command="python no.py {lr}", loss_from="stdout:(.*)"))
        FileNotFoundError(2, 'No such file or directory')
    """
    if program.shell:
        return None
    words = shlex.split(program.command)
    if not _PLACEHOLDER.search(words[0]) and shutil.which(words[0]) is None:
        number = errno.ENOENT if shutil.which(words[0], os.F_OK) is None else errno.EACCES
        return OSError(number, os.strerror(number), words[0])
    script = _find_script(words)
    if script is None or _PLACEHOLDER.search(script) or Path(script).exists():
        return None
    return OSError(errno.ENOENT, os.strerror(errno.ENOENT), script)


def _find_script(words: Sequence[str]) -> str | None:
    """Return the script that an interpreter is to run; None where that is not plain to see."""
    interpreter = _INTERPRETER.fullmatch(Path(words[0]).name)
    following = iter(words[1:])
    for word in following if interpreter else ():
        if not word.startswith(("-", "+")):
            return word
        if word in _WITH_VALUE:
            next(following, None)
        elif word == "-" or not _PLAIN_OPTION.fullmatch(word):
            return None
    return None


def describe_start_error(program: Program, error: OSError) -> str:
    """Return in words that a program cannot be started."""
    what = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return (
        f"command: got {program.command!r} ({what}), wanted a program that can be started. Check "
        "its name and that it may be executed."
    )


def fill_in(text: str, values: Mapping[str, str]) -> str:
    """Put values in the place of {width}, {lr} and the like; other braces stay.

    Example:
        >>> fill_in('{"lr": {lr}}', {"lr": "0.01"})
        '{"lr": 0.01}'
    """
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), text)


def locate_result(loss_from: str, values: Mapping[str, str]) -> Path | None:
    """Return the file that a loss is read from, None if it is read from the output."""
    if loss_from.startswith(PRINTED):
        return None
    return Path(fill_in(loss_from.rpartition(":")[0], values))


def read_loss(loss_from: str, values: Mapping[str, str], output: Path) -> float | str:
    """Return the loss of a run, or in words why there is none.

    Arguments:
        loss_from: `PATH:KEY` for a key of a JSON file, nested ones joined by dots, or
            `stdout:REGEX` for the first group (or all) of the last match in the output.
        values: The run's values of the placeholders.
        output: File of what the program printed.
    """
    if loss_from.startswith(PRINTED):
        matches = re.findall(loss_from.removeprefix(PRINTED), read_end(output), re.MULTILINE)
        if not matches:
            return f"printed nothing that matches {loss_from.removeprefix('stdout:')!r}"
        last = matches[-1]
        return _read_number(last if isinstance(last, str) else last[0])
    file, key = locate_result(loss_from, values), loss_from.rpartition(":")[2]
    assert file is not None
    try:
        value: Any = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        return f"left no result: {file} ({error.strerror})"
    except (ValueError, RecursionError) as error:
        return f"left a result that is not JSON: {file} ({error})"
    try:
        for part in key.split("."):
            value = value[int(part) if isinstance(value, list) else part]
    except (KeyError, IndexError, TypeError, ValueError):
        return f"left a result without {key!r}: {file}"
    return _read_number(value)


def _read_number(value: Any) -> float | str:
    """Return a finite or infinite loss; null is what JSON writers make of NaN."""
    try:
        return math.nan if value is None else float(value)
    except (TypeError, ValueError, OverflowError):
        shown = repr(value)
        shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}…"
        return f"gave {shown} as its loss, which is no number"


def read_end(path: Path) -> str:
    """Return the end of a file as text; none of a file that is gone."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - LOSSES_IN_OUTPUT))
        return file.read().decode(errors="replace")
