"""`lrtransfer status`: how many runs of a study are finished."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import tyro

from ..defaults import STUDY_FOLDER
from .command import Command, print_json
from .options import Json, path_of
from .plain_text import print_line


@dataclass(frozen=True)
class StatusCommand(Command):
    """Show how many runs of a study are finished; trains nothing.

    Example: lrtransfer status lrtransfer-out
    """

    study: Annotated[
        tyro.conf.Positional[Path], path_of("study"), tyro.conf.arg(metavar="[DIR]")
    ] = STUDY_FOLDER
    """Folder of the study."""
    json: Json = False

    def run(self) -> int:
        """Count the runs and print."""
        from ..reports.facts import describe_counts
        from ..sweeps.result import list_warnings
        from ..sweeps.tune import review_study

        result = review_study(self.study)
        counts = result.counts
        if self.json:
            verdicts = {name: answer.verdict for name, answer in result.answers.items()}
            print_json({
                "study": result.study.name,
                "runs": asdict(counts),
                "verdicts": verdicts,
                "warnings": list_warnings(result),
            })
            return 0
        print_line(f"{result.study.name}: {describe_counts(counts)}")
        for name, answer in result.answers.items():
            print_line(f"  {name}: {answer.verdict}" + (" so far" if list_warnings(result) else ""))
        for note in list_warnings(result):
            print_line(f"  {note}")
        return 0
