"""`lrtransfer init`: the files to start a study of one's own model from."""

import shlex
import sys
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import tyro

from ..errors import ConfigError
from .command import Command, Json, print_json

NAMES = ("study.toml", "train.py")


@dataclass(frozen=True)
class Init(Command):
    """Write a commented study file and a training script to put your own model into.

    Example: lrtransfer init my-study
    """

    directory: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="[DIR]")] = Path()
    """Folder to write them into."""
    json: Json = False

    def run(self) -> int:
        """Write the files, all or none."""
        present = [name for name in NAMES if (self.directory / name).exists()]
        if present:
            raise ConfigError(
                f"{self.directory / present[0]}: got a file that is there already, wanted to write "
                "a new one. Move it, or name another folder."
            )
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            for name in NAMES:
                (self.directory / name).write_text(_template(name), encoding="utf-8")
        except OSError as error:
            raise ConfigError(
                f"{self.directory}: got '{error.strerror}', wanted a folder to write into. Name "
                "another one."
            ) from None
        if self.json:
            print_json({"files": [str(self.directory / name) for name in NAMES]})
            return 0
        print(f"Wrote {' and '.join(str(self.directory / name) for name in NAMES)}.")
        print("They run as they stand: in that folder, `lrtransfer tune study.toml`.")
        return 0


def _template(name: str) -> str:
    """Return the text of a file, its `python` being the one that has lrtransfer."""
    text = (files("lrtransfer.cli") / "templates" / name).read_text(encoding="utf-8")
    return text.replace('"python train.py', f'"{shlex.quote(sys.executable)} train.py')
