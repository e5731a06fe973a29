"""`lrtransfer init`: a study file to begin with, and a module for the user's model."""

import json
import os
import shlex
import sys
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import tyro

from ..errors import ConfigError
from .command import Command, print_json
from .options import Json, path_of
from .plain_text import print_line

_SCHEMA = "study.schema.json"
_TEMPLATES = {"model": ("study.toml", "model.py"), "trainer": ("study.toml", "train.py")}
_TUNE = "tune study.toml --allow-code"  # it is the user's own file
_MODULES = {"model": "model", "trainer": "train"}


@dataclass(frozen=True)
class InitCommand(Command):
    """Write a commented study file, and a module to put your own model and data into.

    Example: lrtransfer init my-study
    """

    directory: Annotated[
        tyro.conf.Positional[Path], path_of("directory"), tyro.conf.arg(metavar="[DIR]")
    ] = Path()
    """Folder to write them into."""
    trainer: bool = False
    """Write a study of your own training script instead; it is called once per run."""
    json: Json = False

    def run(self) -> int:
        """Write the files, or none of them where one exists already."""
        kind = "trainer" if self.trainer else "model"
        texts = {name: _read_template(kind, name) for name in _TEMPLATES[kind]}
        texts[_SCHEMA] = _format_schema()
        present = [name for name in texts if os.path.lexists(self.directory / name)]
        if present:
            raise ConfigError(
                f"{self.directory / present[0]}: got a file that is there already, wanted to write "
                "a new one. Move it, or name another folder."
            )
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            for name, text in texts.items():
                with (self.directory / name).open("x", encoding="utf-8") as file:  # follows no link
                    file.write(text)
        except OSError as error:
            raise ConfigError(
                f"{self.directory}: got '{error.strerror}', wanted a folder to write into. Name "
                "another one."
            ) from None
        written = [str(self.directory / name) for name in texts]
        if self.json:
            print_json({"files": written})
            return 0
        print_line(f"Wrote {', '.join(written)}.")
        print("They run as they stand. In that folder,")
        for command, what in _list_commands(kind):
            print(f"    lrtransfer {command:<67}  # {what}")
        return 0


def _list_commands(kind: str) -> tuple[tuple[str, str], ...]:
    """Return the commands that the files are for, in the order in which they are of use."""
    batch = f"{_MODULES[kind]}:build --batch {_MODULES[kind]}:batches"
    return (
        (f"recipe {batch} --width 256 --base-width 64", "what each tensor gets"),
        (f"check {batch}", "whether widths learn alike"),
        (_TUNE, "which rate to train with"),
    )


def _read_template(kind: str, name: str) -> str:
    """Return a template; its `python` becomes the interpreter that has lrtransfer."""
    text = (files("lrtransfer.cli") / "templates" / kind / name).read_text(encoding="utf-8")
    return text.replace('"python train.py', f'"{shlex.quote(sys.executable)} train.py')


def _format_schema() -> str:
    from ..study.schema import make_study_schema

    return json.dumps(make_study_schema(), indent=1) + "\n"
