import base64
import hashlib
import html
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lrtransfer.reports import html as reports_html
from lrtransfer.reports.figures import Figure
from lrtransfer.reports.html import Report, render, write
from lrtransfer.statistics.answer import Optimum, Prediction, SchemeAnswer
from lrtransfer.statistics.axis import AXES, AxisName
from lrtransfer.statistics.table import Observation, RunTable
from lrtransfer.statistics.transfer import judge

from . import synthetic
from .hostile import HOSTILE
from .pages import Page, read

Build = Callable[[], Report]


@pytest.fixture(scope="module")
def usual() -> Page:
    return read(render(synthetic.usual()))


@pytest.mark.parametrize("build", synthetic.EVERY.values(), ids=synthetic.EVERY)
def test_equal_reports_give_equal_bytes(build: Build) -> None:
    assert render(build()) == render(build())


def test_hash_seeds_do_not_change_the_page() -> None:
    code = (
        "import hashlib; from tests.reports import synthetic; "
        "from lrtransfer.reports.html import render; "
        "print(hashlib.sha256(render(synthetic.at_edges()).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(digests) == 1


@pytest.mark.parametrize("build", synthetic.EVERY.values(), ids=synthetic.EVERY)
def test_every_report_is_strict_json_within_a_page(build: Build) -> None:
    page = read(render(build()))
    page.figures()
    assert page.data_block.isascii()
    assert not set(page.data_block) & set("<>&")


def test_a_number_that_json_lacks_is_an_error_not_a_page() -> None:
    figure = Figure(traces=({"y": [float("nan")]},), layouts=())
    with pytest.raises(ValueError, match="JSON compliant"):
        reports_html._write_data({"figure-loss": figure})


def test_the_policy_allows_the_two_scripts_and_nothing_else(usual: Page) -> None:
    hashes = [
        "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
        for attributes, text in usual.scripts
        if "type" not in attributes
    ]
    assert len(hashes) == 2
    directives = dict(part.strip().split(" ", 1) for part in usual.policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"].split() == hashes
    assert directives["img-src"] == "data: blob:"
    assert set(directives) == {
        "default-src",
        "script-src",
        "style-src",
        "img-src",
        "base-uri",
        "form-action",
    }


def test_the_policy_comes_before_any_script_or_style(usual: Page) -> None:
    tags = [tag for tag, _ in usual.tags]
    policies = [i for i, (_, a) in enumerate(usual.tags) if dict(a).get("http-equiv")]
    assert policies[0] < min(tags.index("script"), tags.index("style"), tags.index("title"))


def test_no_attribute_asks_for_anything(usual: Page) -> None:
    names = {name for _, attributes in usual.tags for name, _ in attributes}
    assert not names & {"src", "href", "srcset", "action", "formaction", "data", "ping"}
    assert not [name for name in names if name.startswith("on")]


def poisoned(text: str) -> Report:
    """Return a report in which every string a user could have written is `text`."""
    clean = synthetic.at_edges()
    answers = []
    for number, answer in enumerate(clean.answers):
        prediction = answer.prediction
        if prediction is not None:
            prediction = Prediction(**(vars(prediction) | {"assumption": text}))
        changed = {
            "scheme": text + " " * number,  # schemes differ
            "reason": text,
            "covers": text,
            "prediction": prediction,
            "evidence": tuple(replace(e, action=text) for e in answer.evidence),
        }
        answers.append(SchemeAnswer(**(vars(answer) | changed)))
    names = {old.scheme: new.scheme for old, new in zip(clean.answers, answers, strict=True)}
    rows = tuple(
        type(row)(**(vars(row) | {"scheme": names[row.scheme]})) for row in clean.table.observations
    )
    return Report(
        title=text,
        facts=((text, text), (text, text)),
        table=RunTable(rows),
        answers=tuple(answers),
        target=clean.target,
        notes=(text, text),
    )


@pytest.fixture(scope="module")
def harmless() -> Page:
    return read(render(poisoned("harmless")))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_strings_are_text_and_nothing_but_text(text: str, harmless: Page) -> None:
    page = read(render(poisoned(text)))
    assert page.tags == harmless.tags
    assert page.scripts[1:] == harmless.scripts[1:]
    assert page.policy == harmless.policy
    told = harmless.text.count("harmless")
    assert page.text.count(" ".join(text.split())) >= told


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_strings_are_escaped_for_plotly_too(text: str) -> None:
    page = read(render(poisoned(text)))
    assert not set(page.data_block) & set("<>&\u2028\u2029")
    for figure in page.figures().values():
        for layout in figure["layouts"]:
            title = layout["annotations"][0]["text"]
            assert not set(title) & set("<>")
            shown = html.unescape(title)
            assert shown == (text if len(text) <= 36 else text[:35] + "…")


def test_a_lone_surrogate_can_be_written(tmp_path: Path) -> None:
    write(poisoned("bad \udc80 argument"), tmp_path / "report.html")
    assert "bad ? argument" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_only_constants_pass_the_escaping() -> None:
    template = reports_html._read_resource("page.html")
    assert "safe" not in template
    assert "autoescape" not in template
    with pytest.raises(AssertionError):
        reports_html._trust_constant("</SCRIPT >")


def test_the_headline_says_verdict_rate_interval_reason_and_cover(usual: Page) -> None:
    for wanted in (
        "✓ transfers",
        "✗ does not transfer",
        "Learning rate for width 8192 0.0240 = 2^-5.38 (95 % CI 0.0112 to 0.0448)",
        synthetic.usual().answers[0].reason,
        synthetic.COVERS,
    ):
        assert wanted in usual.text


def test_the_tables_tell_everything_without_a_script(usual: Page) -> None:
    for wanted in (
        "regret at width 1024 0.21 % of the best loss (94 % CI 0 to 0.64 %), that is 0.0067 nats "
        "14.2 % of the best loss (94 % CI 11.8 to 17.1 %), that is 0.45 nats",
        "drift −0.03 octaves per doubling of width (95 % CI −0.12 to 0.05) "
        "−0.72 octaves per doubling of width (95 % CI −0.81 to −0.64)",
        "1024 0.00609 = 2^-7.36 0.00488 to 0.00734 ok 36 10",
        "learning rate 128 256 512 1024",
        "0.0002441 = 2^-12",
        "study seed 17",
        "× 44 of 288 runs diverged",
    ):
        assert wanted in usual.text


def test_edges_are_bounds() -> None:
    text = read(render(synthetic.at_edges())).text
    assert "256 ≥ 0.250 = 2^-2 – edge" in text
    assert "512 ≤ 0.000488 = 2^-11 – edge" in text
    assert "What would settle it SP add learning rates below 2^-12 at width 512: 6 runs" in text


def test_missing_cells_and_diverged_cells_differ() -> None:
    text = read(render(synthetic.sparse())).text
    assert "0.001 = 2^-9.97 3.310 –" in text
    assert "0.03 = 2^-5.06 – diverged" in text
    assert "No optimum is known for any width" in text


def test_some_diverged_seeds_are_counted_beside_the_mean() -> None:
    text = read(render(synthetic.usual())).text
    assert "(1 of 3 diverged)" in text or "(2 of 3 diverged)" in text


def test_a_report_without_schemes_says_so() -> None:
    page = read(render(synthetic.empty()))
    assert "nothing to conclude" in page.text
    assert page.figures() == {}


def test_runs_that_schemes_share_count_once() -> None:
    apart = synthetic.usual()
    shared = {("μP", 128): ("any", 128), ("SP", 128): ("any", 128)}
    together = read(render(replace(apart, shared=shared))).text
    assert len(apart.table.observations) == 288
    assert "of 288 runs diverged" in read(render(apart)).text
    assert "of 252 runs diverged" in together  # 12 rates and 3 seeds less
    assert "learning rate and width (252 runs)" in together
    assert "Runs that schemes share are drawn for each and counted once." in together


def test_every_interval_on_the_page_names_its_level() -> None:
    report = synthetic.usual()
    answers = (replace(report.answers[0], regrets=synthetic.REGRETS), *report.answers[1:])
    comparisons = synthetic.judgement(*answers).comparisons
    text = read(render(replace(report, answers=answers, comparisons=comparisons))).text
    for words in (
        "regret at width 512 0.004 % of the best loss (94 % CI 0 to 0.11 %), that is 0.0001 nats",
        "regret at width 1024 0.21 % of the best loss (99.4 % CI 0.02 to 0.64 %)",
        "regret expected at width 8192 13.9 % of the best loss (95 % CI 6.23 to 28.8 %)",
        "SP − μP: drift −0.92 octaves per doubling of width (simultaneous 95 % CI −1.90 to 0.06); "
        "regret at width 1024 +6.09 percentage points (simultaneous 95 % CI 4.11 to 9.74); "
        "best loss at width 1024 +0.0095 nats (simultaneous 95 % CI −0.073 to 0.075).",
    ):
        assert words in text
    assert " … " not in text


def test_runs_without_an_answer_are_refused() -> None:
    rows = RunTable(synthetic.runs("sp"))
    with pytest.raises(ValueError, match=r"got runs of \['sp'\] but answers for \[\]"):
        Report("", (), rows, (), 64)


def test_optima_without_runs_are_told() -> None:
    answer = synthetic.nothing("μP", widths=())
    lone = SchemeAnswer(
        **(
            vars(answer)
            | {"optima": (Optimum(size=64, log2_lr=-3.0, low=-4.0, high=-2.0, status="ok"),)}
        )
    )
    text = read(render(Report("", (), RunTable(()), (lone,), 128))).text
    assert "64 0.125 = 2^-3 0.0625 to 0.250 ok 0 0" in text


def test_a_page_of_many_runs_stays_small() -> None:
    rates = [-12 + 0.12 * i for i in range(100)]
    rows = tuple(row for s in ("μP", "SP") for row in synthetic.runs(s, rates=rates, seeds=13))
    answers = (synthetic.answer("μP"), synthetic.answer("SP"))
    page = render(Report("10 400 runs", (), RunTable(rows), answers, 8192))
    assert len(page.encode()) < 10 * 2**20


OTHERS: tuple[AxisName, ...] = ("depth", "batch", "steps")
FEW = tuple(row for row in synthetic.runs("SP") if row.lr in {2.0**-8, 2.0**-7})


def along(axis: AxisName, rows: tuple[Observation, ...]) -> Page:
    """Read the page of what the statistics say of runs along an axis."""
    table = RunTable(rows)
    answers = tuple(judge(table, target=8192, axis=axis).values())
    return read(render(Report("Runs", (), table, answers, 8192)))


def seen(page: Page) -> str:
    """Return all that people read of a page: its text, its labels and its figures' texts."""
    labels = [value or "" for _, given in page.tags for name, value in given if "label" in name]
    return " ".join([page.text, *labels, *texts_in(page.figures())])


def texts_in(figure: object) -> Iterator[str]:
    if isinstance(figure, dict):
        for key, value in figure.items():
            if key in {"text", "hovertemplate"}:
                yield json.dumps(value)
            else:
                yield from texts_in(value)
    elif isinstance(figure, list):
        for value in figure:
            yield from texts_in(value)


ROWS = (*synthetic.runs("μP"), *synthetic.runs("SP"))


@pytest.mark.parametrize("rows", [ROWS, FEW], ids=["usual", "no optimum"])
@pytest.mark.parametrize("axis", OTHERS)
def test_a_page_along_another_axis_does_not_speak_of_width(
    axis: AxisName, rows: tuple[Observation, ...]
) -> None:
    text, name = seen(along(axis, rows)), AXES[axis].name
    told = text.replace("another width", "")
    assert re.findall(r"\w*(?:width|wide|narrow)\w*", told, flags=re.IGNORECASE) == []
    assert f"still be right at {name} 8192?" in text
    assert f"{AXES[axis].plural.capitalize()} shown" in text
    assert f"{name} 1024" in text
    of_width = seen(along("width", rows))
    assert of_width.count("width") >= 15  # the search reads what it should


@pytest.mark.parametrize(
    "words",
    [
        "tuned on a small model still be right at width 8192?",
        "Learning rate for width 8192",
        "Widths shown",
        "carried over from the narrow width.",
        "of the same rate and width are in the plot",
        "Best learning rate against width",
        "A dot is the optimum of a width with its 95 % CI",
        "Diamond: the prediction for the target width with",
        "regret at width 256",
        "regret expected at width 8192",
        "best learning rate per width",
        "Mean final loss of every learning rate and width",
        "width 128, seed %{customdata[0]}",
        "width 128<br>optimum",
        "width 8192<br>predicted",
        "width 128<br>lr",
    ],
)
def test_a_page_along_width_says_what_it_always_said(words: str) -> None:
    assert words in seen(along("width", ROWS))
