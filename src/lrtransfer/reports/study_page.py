"""The report page of a study."""

from pathlib import Path

from ..statistics.table import RunTable
from ..sweeps.result import StudyResult, list_warnings
from .facts import describe_confirmation, list_facts, name_loss_unit
from .html import Report, write

PAGE_NAME = "report.html"


def write_page(result: StudyResult, directory: Path) -> Path:
    """Write the report into the study's folder and return its path.

    Arguments:
        result: What the study gave.
        directory: The folder.
    """
    path = directory / PAGE_NAME
    write(make_report(result), path)
    return path


def make_report(result: StudyResult) -> Report:
    """Return what the page of a study tells."""
    study = result.study
    return Report(
        title=f"Learning rate transfer: {study.name}",
        facts=tuple(list_facts(result)),
        # A page without answers has no figures to put runs into; the notes say what is missing.
        table=result.table if result.answers else RunTable(()),
        answers=tuple(result.answers.values()),
        target=study.target,
        unit=name_loss_unit(study),
        comparisons=result.answers.comparisons,
        notes=tuple(list_warnings(result)),
        choices=result.choices,
        confirmations=tuple(map(describe_confirmation, result.confirmations)),
        shared=result.shared_curves,
    )
