"""What a notebook shows of an answer."""

from dataclasses import replace

import pytest

import lrtransfer as lt
from lrtransfer.reports.notebook import render_answer
from lrtransfer.statistics.answer import Prediction
from lrtransfer.statistics.table import RunTable
from lrtransfer.statistics.transfer import Judgement

from . import synthetic
from .hostile import HOSTILE
from .pages import Page, read


def show(judgement: Judgement, *warnings: str) -> Page:
    table = RunTable(tuple(row for name in judgement for row in synthetic.runs("SP")[:1]))
    return read(render_answer(table, judgement, target=8192, unit="nats", warnings=warnings))


def poisoned(text: str) -> Page:
    """Show an answer in which every string a user could have written is `text`."""
    answers = (
        replace(
            answer,
            scheme=text + " " * i,
            reason=text,
            covers=text,
            prediction=Prediction(
                size=8192, lr=0.01, middle=0.01, low=0.005, high=0.02, assumption=text
            ),
        )
        for i, answer in enumerate((synthetic.answer("μP"), synthetic.edges("SP")))
    )
    return show(synthetic.judgement(*answers), text)


def test_it_tells_verdict_optima_intervals_rate_and_difference() -> None:
    shown = show(synthetic.judgement(synthetic.answer("μP"), synthetic.edges("SP")), "beware")
    for words in (
        "μP: ✓ transfers",
        "width best learning rate 95 % CI status",
        "1024 0.0256 = 2^-5.29 0.0205 to 0.0308 ok",
        "8192 0.0240 = 2^-5.38 0.0112 to 0.0448 predicted for the target",
        "SP: ? inconclusive",
        "512 ≤ 0.000488 = 2^-11 – edge",
        "8192 – – cannot be said from these runs",
        "SP − μP: drift −0.92 octaves per doubling of width (simultaneous 95 % CI −1.90 to 0.06)",
        "! beware",
    ):
        assert words in shown.text


def test_it_stands_alone() -> None:
    tags = {tag for tag, _ in show(synthetic.judgement(synthetic.answer("μP"))).tags}
    assert tags == {"div", "table", "caption", "b", "thead", "tr", "th", "tbody", "td", "p"}


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_strings_are_text_and_nothing_but_text(text: str) -> None:
    page = poisoned(text)
    assert page.tags == poisoned("harmless").tags
    assert page.scripts == []
    assert page.text.count(" ".join(text.split())) >= poisoned("harmless").text.count("harmless")


def test_an_answer_shows_itself() -> None:
    rows = [
        {"width": w, "lr": 2.0**x, "loss": 3 + (x + 6.3) ** 2 / 16, "scheme": "<b>"}
        for w in (64, 128, 256)
        for x in range(-10, -2)
    ]
    shown = lt.verdict(rows, target=1024)._repr_html_()
    assert "&lt;b&gt;: ✓ transfers" in shown
    assert "1024" in read(shown).text


def test_no_verdict_is_said() -> None:
    assert read(render_answer(RunTable(()), Judgement({}, (), {}), target=8)).text == (
        "No verdict yet: 0 runs."
    )
