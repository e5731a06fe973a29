"""`lrtransfer doctor`: the environment, for oneself and for reports of defects."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from .command import Command, Json, print_json


@dataclass(frozen=True)
class Doctor(Command):
    """Show versions, processor, threads and disk, and what is wrong with them.

    Example: lrtransfer doctor
    """

    out: Annotated[Path, tyro.conf.arg(metavar="DIR")] = Path()
    """Folder whose disk is looked at."""
    json: Json = False

    def run(self) -> int:
        """Look and print."""
        facts = environment(self.out)
        if self.json:
            print_json(facts)
            return 0
        for key, value in facts.items():
            if key != "problems":
                print(f"{key:>12}  {value}")
        for problem in facts["problems"]:
            print(f"     problem  {problem}")
        return 0


def environment(folder: Path) -> dict[str, Any]:
    """Return the facts about this machine on which results and speed depend."""
    import platform
    import shutil
    import sqlite3

    import torch

    from .. import __version__
    from ..errors import UserError
    from ..sweeps.local import default_workers

    if not folder.is_dir():
        raise UserError(f"out: got {folder}, which is no folder, wanted an existing one.")
    free = shutil.disk_usage(folder).free
    cuda = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none"
    return {
        "lrtransfer": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "torch": torch.__version__,
        "cuda": cuda,
        "processor": torch.backends.cpu.get_cpu_capability(),
        "cores": default_workers(),
        "threads": torch.get_num_threads(),
        "sqlite": sqlite3.sqlite_version,
        "disk_free_gb": round(free / 1e9, 1),
        "chromium": _chromium(),
        "problems": _problems(free),
    } | _corpus()


def _corpus() -> dict[str, Any]:
    from ..data.corpus import standard_library

    corpus = standard_library()
    return {"corpus": f"{len(corpus.train) + len(corpus.held_out):,} bytes, {corpus.digest[:12]}"}


def _chromium() -> str:
    import shutil

    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), "none")


def _problems(free: int) -> list[str]:
    problems = []
    if free < 1e9:
        problems.append(f"only {free / 1e6:.0f} MB free on the disk; wanted at least 1,000 MB")
    return problems
