"""What reports load: never torch, plotly only to draw, and the page's renderer no study."""

import subprocess
import sys

import pytest

NOTHING_HEAVY = ("torch", "plotly")


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("html", (*NOTHING_HEAVY, "lrtransfer.sweeps", "lrtransfer.training")),
        ("notebook", (*NOTHING_HEAVY, "lrtransfer.sweeps", "lrtransfer.training")),
        ("text", NOTHING_HEAVY),
        ("document", NOTHING_HEAVY),
        ("study_page", NOTHING_HEAVY),
    ],
)
def test_reports_load_only_what_they_need(module: str, absent: tuple[str, ...]) -> None:
    code = (
        f"import sys, lrtransfer.reports.{module}; "
        f"print([name for name in {absent} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
