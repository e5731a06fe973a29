"""The report page: one HTML file that needs no network and no JavaScript to tell its numbers.

What users wrote (titles, schemes, facts, notes) reaches the page in two ways only: through jinja2
with autoescape on, and through JSON in a data block. The scripts are constants, allowed by their
hash; the page's policy forbids everything else.
"""

import base64
import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from ..statistics.answer import Comparison, SchemeAnswer, axis_of
from ..statistics.design import CurveKey
from ..statistics.table import Observation, RunTable
from .figures import Figure, draw_loss_figure, draw_optimum_figure
from .figures.loss_view import choose_losses, draws_every_run
from .left_out import list_left_out
from .notation import LOSS_UNIT, format_comparison, format_loss
from .plotly.colours import assign_colours
from .rate_runs import group_by_rate, read_run_loss
from .tables import average_runs, compare_answers, make_headline, make_optimum_table

# plotly adds <style> elements and style attributes while it draws, hence 'unsafe-inline' there;
# without url() sources (img-src, font-src) a style cannot reach the network.
_POLICY = (
    "default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; "
    "img-src data: blob:; base-uri 'none'; form-action 'none'"
)
_JSON_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


@dataclass(frozen=True)
class Report:
    """What a page tells. Its strings may come from anywhere: all are escaped.

    Attributes:
        title: Name of the study.
        facts: Label and value of what was held fixed or recorded.
        table: The runs.
        answers: What was concluded, one per scheme, in the order of the page.
        target: Size the learning rate is wanted for.
        unit: Unit of the loss.
        comparisons: How schemes differ.
        notes: Warnings for people.
        choices: Why runs were added to the first ones, one line each.
        confirmations: What was predicted beside what was measured at the target, one line each.
        shared: Name of the curve of a scheme and size, where schemes share one: equal names mean
            the same runs, which count once.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    table: RunTable
    answers: tuple[SchemeAnswer, ...]
    target: int
    unit: str = LOSS_UNIT
    comparisons: tuple[Comparison, ...] = ()
    notes: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    confirmations: tuple[str, ...] = ()
    shared: Mapping[CurveKey, CurveKey] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse runs that no answer speaks of: they would be missing from the page.

        Raises:
            ValueError: If the table holds runs of a scheme without an answer.
        """
        answered = [answer.scheme for answer in self.answers]
        missing = [scheme for scheme in self.table.schemes if scheme not in answered]
        if missing:
            raise ValueError(
                f"Report: got runs of {missing} but answers for {answered}, wanted one answer per "
                "scheme; add the missing answers or leave those runs out of the table."
            )


def render(report: Report) -> str:
    """Return the page as text; equal reports give equal text.

    Arguments:
        report: What to tell.
    """
    scripts = {"plotly": _read_plotly(), "page": _read_resource("page.js")}
    text = load_template("page.html").render(
        policy=_POLICY.format(scripts=" ".join(map(_hash_script, scripts.values()))),
        style=_trust_constant(_read_resource("page.css")),
        scripts=[_trust_constant(script) for script in scripts.values()],
        data=_write_data(_draw_figures(report)),
        **_fill_in(report),
    )
    # A lone surrogate (a badly decoded argument) cannot be written as UTF-8.
    return text.encode("utf-8", "replace").decode("utf-8")


def write(report: Report, path: Path) -> None:
    """Write the page; a reader finds the old page or the new one, never a part.

    Arguments:
        report: What to tell.
        path: Where to; an existing file is replaced.
    """
    page = render(report).encode("utf-8")
    _remove_strays(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(page)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _remove_strays(path: Path) -> None:
    """Remove what killed writers of the same page left behind."""
    prefix = f".{path.name}."
    for stray in path.parent.glob(".*.tmp"):
        writer = stray.name.removeprefix(prefix).partition("-")[0]
        if stray.name.startswith(prefix) and writer.isdecimal() and not _is_alive(int(writer)):
            stray.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # somebody else's, or no process number: not ours to judge
        return True
    return True


def _draw_figures(report: Report) -> dict[str, Figure]:
    """Return the figures by the id of the element each is drawn in."""
    if not report.answers:
        return {}
    figures = {"figure-loss": draw_loss_figure(report.table, report.answers)}
    if _has_optimum(report):
        figure = draw_optimum_figure(report.answers, target=report.target)
        figures["figure-optimum"] = figure
    return figures


def _has_optimum(report: Report) -> bool:
    return any(o.log2_lr is not None for answer in report.answers for o in answer.optima)


def _list_runs(report: Report) -> list[Observation]:
    """Return every run once, however many schemes share it."""
    runs = {}
    for row in report.table.observations:
        curve = row.scheme, row.size
        runs[report.shared.get(curve, curve), row.lr, row.seed] = row
    return list(runs.values())


def _fill_in(report: Report) -> dict[str, object]:
    """Return everything the template says, as strings still to be escaped."""
    table, answers, axis = report.table, report.answers, axis_of(report.answers)
    groups = [group for answer in answers for group in group_by_rate(table, answer.scheme)]
    losses = [read_run_loss(row) for row in _list_runs(report)]
    shown = choose_losses(table, answers)
    sizes = {group.size for group in groups}
    sizes |= {optimum.size for answer in answers for optimum in answer.optima}
    return {
        "title": report.title,
        "facts": report.facts,
        "notes": report.notes,
        "choices": report.choices,
        "confirmations": report.confirmations,
        "axis": axis,
        "target": report.target,
        "headlines": [make_headline(answer, target=report.target) for answer in answers],
        "quantities": compare_answers(answers, target=report.target, unit=report.unit),
        "comparisons": [
            format_comparison(comparison, axis, unit=report.unit)
            for comparison in report.comparisons
        ],
        "optima": [make_optimum_table(table, answer) for answer in answers],
        "left_out": [
            (answer.scheme, [*list_left_out(answer, unit=report.unit)])
            for answer in answers
            if answer.left_out is not None
        ],
        "evidence": [
            (answer.scheme, [*map(str, answer.evidence)]) for answer in answers if answer.evidence
        ],
        "means": [average_runs(table, answer.scheme) for answer in answers],
        "colours": assign_colours(sizes),
        "has_optimum": _has_optimum(report),
        "above": sum(loss is not None and loss > shown.high for loss in losses),
        "every_run": draws_every_run(groups),
        "ceiling": format_loss(shown.high),
        "diverged": losses.count(None),
        "has_shared": len(losses) < len(table.observations),
        "runs": len(losses),
    }


def _write_data(figures: Mapping[str, Figure]) -> Markup:
    """Return the figures as JSON that cannot end its script element."""
    data = {
        name: {"traces": figure.traces, "layouts": figure.layouts}
        for name, figure in figures.items()
    }
    # ASCII only, so U+2028 and U+2029 are escaped; NaN raises.
    text = json.dumps(data, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    return Markup(text.translate(_JSON_ESCAPES))


def _trust_constant(text: str) -> Markup:
    """Let a constant of this package through the escaping; never call it on a user's string."""
    assert "</script" not in text.lower()
    assert "</style" not in text.lower()
    assert "<!--" not in text
    return Markup(text)


@cache
def _hash_script(script: str) -> str:
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


@cache
def _read_resource(name: str) -> str:
    return (resources.files(__package__) / "page" / name).read_text(encoding="utf-8")


@cache
def _read_plotly() -> str:
    from plotly.offline import get_plotlyjs  # 0.1 s, and only a page needs it

    return str(get_plotlyjs())


@cache
def load_template(name: str) -> Template:
    """Return a template of this package; whatever is filled in is escaped.

    Arguments:
        name: Name of its file.
    """
    environment = Environment(
        loader=PackageLoader(__package__, "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
