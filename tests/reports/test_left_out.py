"""Every size predicted from the others, in words."""

import re

from lrtransfer.reports.html import Report, render
from lrtransfer.reports.left_out import list_left_out
from lrtransfer.statistics.table import Observation, RunTable
from lrtransfer.statistics.transfer import judge

OPTIMA = {64: -6.3, 128: -6.3, 256: -6.3, 512: -9.3}
TABLE = RunTable(
    tuple(
        Observation("mup", size, 2.0**x, 0, 3 + (x - centre) ** 2 / 16)
        for size, centre in OPTIMA.items()
        for x in range(-13, -2)
    )
)


def test_a_line_for_all_and_one_for_each() -> None:
    answer = judge(TABLE, target=1024).with_check()["mup"]
    first, widest, *others = list_left_out(answer, unit="nats")
    assert re.fullmatch(
        r"second opinion: leaving out one width at a time, \d of 4 predictions held the measured "
        r"optimum; median miss [\d.]+ octave",
        first,
    )
    assert widest.startswith("width 512 from the others: predicted 0.0127 = 2^-6.3 (95 % CI ")
    assert "its middle +3.00 octaves off, does not hold; would have cost 18.7" in widest
    assert len(others) == 3


def test_the_page_says_the_same() -> None:
    judgement = judge(TABLE, target=1024)

    def page(answers: tuple) -> str:  # type: ignore[type-arg]
        return render(Report("Study", (), TABLE, answers, 1024))

    checked = tuple(judgement.with_check().values())
    told = page(checked)
    assert "Every width predicted from the others" in told
    for line in list_left_out(checked[0], unit="in units of the loss"):
        assert line in told
    assert "predicted from the others" not in page(tuple(judgement.values()))


def test_nothing_is_said_where_nothing_was_left_out() -> None:
    assert list(list_left_out(judge(TABLE, target=1024)["mup"], unit="nats")) == []
