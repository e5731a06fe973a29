"""What a verdict hangs on and what narrows its rate: on the terminal, in JSON and on the page."""

import io
from html import unescape

import numpy as np
from rich.console import Console

from lrtransfer.reports.html import Report, render
from lrtransfer.reports.judgement import judgement_document, print_judgement
from lrtransfer.reports.notebook import render_answer
from lrtransfer.statistics.table import Observation, RunTable
from lrtransfer.statistics.transfer import judge

RNG = np.random.default_rng(7)
TABLE = RunTable(
    tuple(
        Observation("mup", size, 2.0**x, 0, 3 + (x - c) ** 2 / 16 + 0.01 * RNG.standard_normal())
        for size, c in ((64, -6.0), (128, -7.0))
        for x in range(-11, -2)
    )
)


def test_all_say_it_in_the_same_words() -> None:
    judgement = judge(TABLE, target=4096, tolerance=0.022)
    answer = judgement["mup"]
    assert answer.hangs_on is not None
    assert answer.narrowing is not None
    console = Console(file=io.StringIO(), width=10_000)
    print_judgement(judgement, target=4096, console=console)
    assert isinstance(console.file, io.StringIO)
    terminal = console.file.getvalue()
    page = unescape(render(Report("Study", (), TABLE, (answer,), 4096)))
    notebook = unescape(render_answer(TABLE, judgement, target=4096))
    assert f"it hangs {answer.hangs_on}\n" in terminal
    assert f"It hangs {answer.hangs_on}." in page
    assert f"It hangs {answer.hangs_on}." in notebook
    assert f"what would sharpen it most for its cost: {answer.narrowing}" in terminal
    assert str(answer.narrowing) in page
    document = judgement_document(judgement, notes=())["schemes"]["mup"]
    assert document["hangs_on"] == answer.hangs_on
    assert document["narrowing"]["text"] == str(answer.narrowing)
    assert document["narrowing"]["runs"]["size"] == answer.narrowing.runs.size
