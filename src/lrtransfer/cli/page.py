"""The report page of a study."""

from pathlib import Path

from ..errors import UserError
from ..statistics.answer import axis_of
from ..sweeps.tune import StudyResult
from .answer import as_document, as_text, noise, warnings
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
            target_width=study.target,
            notes=tuple(warnings(result)),
            choices=result.choices,
            confirmations=tuple(map(str, result.confirmations)),
        ),
        path,
    )
    return path


def _tokens_per_parameter(result: StudyResult) -> str:
    """Say how far the models differ in data per parameter, which moves optima by itself."""
    training = result.study.training
    tokens = training.steps * training.batch * result.study.model.context
    shares = sorted(result.parameters.items())
    size = axis_of(result.answers.values()).name
    return ", ".join(f"{tokens / count:.2g} at {size} {width}" for width, count in shares)


def _facts(result: StudyResult) -> tuple[tuple[str, str], ...]:
    study, axis = result.study, axis_of(result.answers.values())
    common = (
        ("noise of a run", noise(result)),
        (axis.plural, ", ".join(map(str, study.widths)) + f" (base {study.base_width})"),
        ("seeds", f"{study.seeds} (study seed {study.study_seed})"),
    )
    if study.trainer is not None:
        return (
            ("command", study.trainer.command),
            ("loss", study.trainer.loss_from),
            *common,
        )
    training, model, optimizer = study.training, study.model, study.optimizer
    tokens = training.batch * model.context
    return (
        ("model", f"decoder transformer, depth {model.depth}, head width {model.head_width}"),
        ("text", study.data.source),
        ("optimizer", f"{optimizer.family}, weight decay {optimizer.weight_decay:g}"),
        ("training", f"{training.steps} steps of {tokens:,} tokens"),
        ("tokens per parameter", _tokens_per_parameter(result)),
        ("held-out loss", f"{study.data.held_out_tokens:,} tokens, the same for all runs, in nats"),
        *common,
    )
