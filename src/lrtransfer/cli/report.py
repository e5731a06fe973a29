"""`lrtransfer report`: write the page of a study again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from ..defaults import STUDY_FOLDER
from .command import Command
from .options import Json, path_of


@dataclass(frozen=True)
class ReportCommand(Command):
    """Write the report of a study from its finished runs; trains nothing.

    Example: lrtransfer report lrtransfer-out
    """

    study: Annotated[
        tyro.conf.Positional[Path], path_of("study"), tyro.conf.arg(metavar="[DIR]")
    ] = STUDY_FOLDER
    """Folder of the study."""
    json: Json = False

    def run(self) -> int:
        """Write the page, and print the answer and where the page is."""
        from ..sweeps.tune import review_study
        from .present import present

        present(review_study(self.study), self.study, as_json=self.json)
        return 0
