"""Shows the result of a study: its page, and its answer on the terminal."""

from dataclasses import replace
from pathlib import Path

from ..errors import UserError
from ..reports.document import study_document
from ..reports.study_page import PAGE_NAME, write_page
from ..reports.text import print_study
from ..sweeps.result import StudyResult
from .command import print_json
from .console import PlainConsole


def present(result: StudyResult, directory: Path, *, as_json: bool) -> None:
    """Write the report, and print the answer, also when the report cannot be written.

    Both hold every size predicted from the others.

    Raises:
        UserError: If the report cannot be written; the answer has then been printed.
    """
    result = replace(result, answers=result.answers.with_check())
    try:
        page, problem = write_page(result, directory), None
    except OSError as error:
        page, problem = None, error
    if as_json:
        report = page.relative_to(directory).as_posix() if page else None
        print_json(study_document(result, report=report))
    else:
        print_study(result, page, console=PlainConsole(highlight=False))
    if problem:
        raise UserError(
            f"{directory / PAGE_NAME}: got '{problem.strerror}', wanted a file that can be "
            "written. Free it, then run `lrtransfer report`; the runs are kept."
        )
