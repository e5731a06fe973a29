"""The report page of a study."""

from pathlib import Path

from ..statistics.axis import AXES
from ..sweeps import describe
from ..sweeps.describe import tokens_per_step
from ..sweeps.result import StudyResult, warnings
from .html import Report, write
from .text import noise

PAGE_NAME = "report.html"


def write_page(result: StudyResult, directory: Path) -> Path:
    """Write the report into the study's folder and return its path."""
    study = result.study
    path = directory / PAGE_NAME
    write(
        Report(
            title=f"Learning rate transfer: {study.name}",
            facts=_facts(result),
            table=result.table,
            answers=tuple(result.answers.values()),
            target=study.target,
            notes=tuple(warnings(result)),
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
        at_size = study.at(study.arms[0], size)
        tokens = at_size.training.steps * (tokens_per_step(at_size) or 0)
        shares.append(f"{tokens / count:.2g} at {AXES[study.along].name} {size}")
    return ", ".join(shares)


def _facts(result: StudyResult) -> tuple[tuple[str, str], ...]:
    study, axis = result.study, AXES[result.study.along]
    common = (
        *((("varied", describe.varied(study)),) if study.vary else ()),
        ("noise of a run", noise(result)),
        (axis.plural, ", ".join(map(str, study.measured)) + f" (base {study.base})"),
        ("seeds", f"{study.seeds} (study seed {study.study_seed})"),
    )
    if study.trainer is not None:
        return (
            ("command", study.trainer.command),
            ("loss", study.trainer.loss_from),
            *common,
        )
    has_tokens = tokens_per_step(study) is not None
    return (
        ("model", describe.model(study)),
        ("data", describe.data(study)),
        ("optimizer", describe.optimizer(study)),
        ("training", describe.conditions(study)),
        *((("tokens per parameter", _tokens_per_parameter(result)),) if has_tokens else ()),
        ("held-out loss", f"{describe.held_out(study)}, the same for all runs"),
        *common,
    )
