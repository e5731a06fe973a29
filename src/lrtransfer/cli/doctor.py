"""`lrtransfer doctor`: facts about this machine, also for reports of defects."""

import platform
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from .. import __version__
from ..errors import UserError
from .command import Command, print_json
from .options import Json, path_of
from .plain_text import print_line


@dataclass(frozen=True)
class DoctorCommand(Command):
    """Show versions, processor, threads and disk, and what is wrong with them.

    Example: lrtransfer doctor
    """

    out: Annotated[Path, path_of("out"), tyro.conf.arg(metavar="DIR")] = Path()
    """Folder on the disk that is examined."""
    json: Json = False

    def run(self) -> int:
        """Gather the facts and print them."""
        facts = describe_machine(self.out)
        if self.json:
            print_json(facts)
            return 0
        for key, value in facts.items():
            if key != "problems":
                print_line(f"{key:>12}  {value}")
        for problem in facts["problems"]:
            print_line(f"     problem  {problem}")
        return 0


def describe_machine(folder: Path) -> dict[str, Any]:
    """Return the facts about this machine on which results and speed depend.

    A fact that cannot be determined is None, and `problems` says why: this report is most needed
    on a machine where something is broken.

    Raises:
        UserError: If the folder does not exist.
    """
    if not folder.is_dir():
        raise UserError(f"out: got {folder}, which is no folder, wanted one that exists.")
    facts: dict[str, Any] = {}
    problems = []
    for name, determine in _FACTS.items():
        try:
            facts[name] = determine(folder)
        except Exception as error:
            facts[name] = None
            problems.append(f"{name}: {type(error).__name__}: {error}")
    free = facts["disk_free_gb"]
    if free is not None and free < 1:
        problems.append(f"disk_free_gb: got {free}, wanted at least 1 for a study's runs")
    return facts | {"problems": problems}


def _find_torch(folder: Path) -> str:
    from importlib import metadata

    return metadata.version("torch")


def _find_cuda(folder: Path) -> str:
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none"


def _find_processor(folder: Path) -> str:
    import torch

    return f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"


def _count_cores(folder: Path) -> int:
    from ..executors.local import count_cores

    return count_cores()


def _describe_corpus(folder: Path) -> str:
    from ..data.corpus import read_standard_library

    corpus = read_standard_library()
    return f"{len(corpus.train) + len(corpus.held_out):,} bytes, {corpus.digest[:12]}"


def _find_chromium(folder: Path) -> str:
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), "none")


_FACTS: dict[str, Callable[[Path], Any]] = {
    "lrtransfer": lambda folder: __version__,
    "python": lambda folder: platform.python_version(),
    "platform": lambda folder: platform.platform(),
    "torch": _find_torch,
    "cuda": _find_cuda,
    "processor": _find_processor,
    "cores": _count_cores,
    "sqlite": lambda folder: sqlite3.sqlite_version,
    "disk_free_gb": lambda folder: round(shutil.disk_usage(folder).free / 1e9, 1),
    "chromium": _find_chromium,
    "corpus": _describe_corpus,
}
