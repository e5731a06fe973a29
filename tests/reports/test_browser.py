"""The page in a real browser: drawn, silent, alone.

Each detector is first shown to detect: a page that complains, one that asks for something.
"""

import base64
import hashlib
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from lrtransfer.reports.html import Report, render, write

from . import synthetic
from .conftest import Browser, Visit
from .hostile import HOSTILE, SET_TITLE
from .pages import read
from .test_html import poisoned

pytestmark = pytest.mark.browser

PAGES = [
    synthetic.usual,
    synthetic.many,
    synthetic.at_edges,
    synthetic.half_diverged,
    synthetic.all_diverged,
    synthetic.sparse,
]


class _Drawn(HTMLParser):
    """Count what plotly drew and collect the text in it."""

    def __init__(self) -> None:
        super().__init__()
        self.traces = 0
        self.annotations: list[str] = []
        self.buttons: list[str | None] = []
        self.widths: list[float] = []
        self.title = ""
        self.state: str | None = None
        self._tag = ""
        self._annotation = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        kind = attributes.get("class") or ""
        self._tag = tag
        self.traces += tag == "g" and kind.startswith("trace scatter")
        self._annotation = tag == "text" and kind == "annotation-text"
        if tag == "svg" and kind == "main-svg":
            self.widths.append(float(attributes["width"] or 0))
        if tag == "html":
            self.state = attributes.get("data-figures")
        if "modebar-btn" in kind:
            self.buttons.append(attributes.get("data-title"))

    def handle_data(self, data: str) -> None:
        if self._tag == "title":
            self.title += data
        if self._annotation:
            self.annotations.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._tag, self._annotation = "", False


def drawn(visit: Visit) -> _Drawn:
    reader = _Drawn()
    reader.feed(visit.dom)
    return reader


def trace_count(report: Report) -> int:
    return sum(len(figure["traces"]) for figure in read(render(report)).figures().values())


def visit_report(browser: Browser, folder: Path, report: Report, *options: str) -> Visit:
    path = folder / "report.html"
    write(report, path)
    return browser.open(path, *options)


def test_the_detectors_detect(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text(
        "<!doctype html><title>x</title><img src='http://127.0.0.1:9/asked.png'>"
        f"<script>{SET_TITLE}; setTimeout(() => {{ throw new Error('late'); }}, 10)</script>"
    )
    visit = browser.open(page)
    assert drawn(visit).title == "owned"
    assert "late" in visit.console[0]
    assert visit.requests == ("http://127.0.0.1:9/asked.png",)


def test_the_policy_stops_a_script_it_does_not_know(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "changed.html"
    text = render(synthetic.empty()).replace("</main>", f"</main><script>{SET_TITLE}</script>")
    page.write_text(text, encoding="utf-8")
    visit = browser.open(page)
    assert "Content Security Policy" in visit.console[0]
    assert drawn(visit).title == "Nothing yet"


@pytest.mark.parametrize("build", PAGES)
def test_figures_are_drawn_in_silence(
    build: Callable[[], Report], browser: Browser, tmp_path: Path
) -> None:
    visit = visit_report(browser, tmp_path, build())
    assert visit.console == ()
    assert visit.requests == ()
    page = drawn(visit)
    assert page.state == "drawn"
    assert page.traces == trace_count(build())
    assert page.buttons == []  # plotly's mode bar offers to upload the chart
    assert set(build().table.schemes) <= set(page.annotations)


@pytest.mark.parametrize("width", [520, 1400])  # Chromium opens no window below 500
def test_figures_fit_the_window(width: int, browser: Browser, tmp_path: Path) -> None:
    visit = visit_report(browser, tmp_path, synthetic.usual(), f"--window-size={width},900")
    assert visit.console == ()
    page = drawn(visit)
    assert page.traces == trace_count(synthetic.usual())
    assert 0.8 * width < max(page.widths) <= width


def test_hostile_strings_stay_strings(browser: Browser, tmp_path: Path) -> None:
    text = "".join(HOSTILE[:22])
    visit = visit_report(browser, tmp_path, poisoned(text))
    assert visit.console == ()
    assert visit.requests == ()
    page = drawn(visit)
    assert page.title == text
    assert page.state == "drawn"


def test_plotly_shows_names_as_they_were_written(browser: Browser, tmp_path: Path) -> None:
    names = ("<b>mup</b>", "&lt;b&gt; &amp; μ", "<a href='http://x'>", "a & b")
    visit = visit_report(browser, tmp_path, synthetic.report(*names))
    assert visit.console == ()
    assert set(names) <= set(drawn(visit).annotations)


def driven(report: Report, script: str) -> str:
    """Return the page with a script more, and a policy that allows it."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = render(report).replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    head, _, tail = page.rpartition("</body>")
    return f"{head}<script>{script}</script></body>{tail}"


TWICE = "for (const b of document.querySelectorAll('.legend button')) { b.click(); b.click() }"
PRINT = "dispatchEvent(new Event('beforeprint')); dispatchEvent(new Event('afterprint'))"
SAVE = "document.querySelector('.save').click()"


@pytest.mark.parametrize("script", [TWICE, PRINT, SAVE])
def test_controls_work_in_silence(script: str, browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(driven(synthetic.usual(), script), encoding="utf-8")
    visit = browser.open(tmp_path / "page.html")
    assert visit.console == ()
    assert visit.requests == ()
    assert drawn(visit).traces == trace_count(synthetic.usual())


def test_the_legend_hides_a_width_in_every_panel(browser: Browser, tmp_path: Path) -> None:
    script = "document.querySelector('.legend button').click()"
    (tmp_path / "page.html").write_text(driven(synthetic.usual(), script), encoding="utf-8")
    visit = browser.open(tmp_path / "page.html")
    assert visit.console == ()
    assert 'data-size="128" aria-pressed="false"' in visit.dom
    every = trace_count(synthetic.usual())
    assert drawn(visit).traces == every - 2 * 5  # band, line, dots, marks, optimum: two panels


def test_the_page_prints(browser: Browser, tmp_path: Path) -> None:
    write(synthetic.usual(), tmp_path / "report.html")
    paper = tmp_path / "report.pdf"
    done = browser.run(tmp_path / "report.html", f"--print-to-pdf={paper}")
    assert ":CONSOLE:" not in done.stderr
    assert paper.read_bytes().startswith(b"%PDF")
