"""The report page of a study."""

from pathlib import Path

from ..errors import UserError
from ..statistics.axis import AXES
from ..study import describe
from ..study.model_work import ModelWork
from ..study.program import Program
from ..sweeps.result import StudyResult, list_warnings
from .answer import as_document, as_text, noise
from .command import print_json

PAGE_NAME = "report.html"


def present(result: StudyResult, directory: Path, *, as_json: bool) -> None:
    """Write the report, and print the answer, also when the report cannot be written.

    Raises:
        UserError: If the report cannot be written; the answer has then been printed.
    """
    try:
        page, problem = write_page(result, directory), None
    except OSError as error:
        page, problem = None, error
    if as_json:
        report = page.relative_to(directory).as_posix() if page else None
        print_json(as_document(result, report=report))
    else:
        as_text(result, page)
    if problem:
        raise UserError(
            f"{directory / PAGE_NAME}: got '{problem.strerror}', wanted a file that can be "
            "written. Free it, then run `lrtransfer report`; the runs are kept."
        )


def write_page(result: StudyResult, directory: Path) -> Path:
    """Write the report into the study's folder and return its path."""
    from ..reports.html import Report, write

    study = result.study
    path = directory / PAGE_NAME
    write(
        Report(
            title=f"Learning rate transfer: {study.name}",
            facts=_facts(result),
            table=result.table,
            answers=tuple(result.answers.values()),
            target=study.target,
            notes=tuple(list_warnings(result)),
            choices=result.choices,
            confirmations=tuple(map(str, result.confirmations)),
        ),
        path,
    )
    return path


def _tokens_per_parameter(result: StudyResult) -> str:
    """Say how far the sizes differ in data per parameter, which moves optima by itself."""
    study, shares = result.study, []
    for size, count in sorted(result.parameters.items()):
        work = study.work_at(study.variants[0], size)
        assert isinstance(work, ModelWork)
        tokens = work.training.steps * (work.tokens_per_step or 0)
        shares.append(f"{tokens / count:.2g} at {AXES[study.along].name} {size}")
    return ", ".join(shares)


def _facts(result: StudyResult) -> tuple[tuple[str, str], ...]:
    study, axis = result.study, AXES[result.study.along]
    common = (
        *((("varied", describe.describe_varied(study)),) if study.vary else ()),
        ("noise of a run", noise(result)),
        (axis.plural, ", ".join(map(str, study.measured_sizes)) + f" (base {study.base_size})"),
        ("seeds", f"{study.seeds} (study seed {study.study_seed})"),
    )
    work = study.work
    if isinstance(work, Program):
        return (("command", work.command), ("loss", work.loss_from), *common)
    has_tokens = work.tokens_per_step is not None
    return (
        ("model", describe.describe_model(study)),
        ("data", describe.describe_data(study)),
        ("optimizer", describe.describe_optimizer(study)),
        ("training", describe.describe_conditions(study)),
        *((("tokens per parameter", _tokens_per_parameter(result)),) if has_tokens else ()),
        ("held-out loss", f"{describe.describe_held_out(study)}, the same for all runs"),
        *common,
    )
