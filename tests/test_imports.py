"""What must be there without torch is there without torch."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module",
    [
        "lrtransfer",
        "lrtransfer.cli.main",
        "lrtransfer.statistics.transfer",
        "lrtransfer.integrations.tables.runs",
        "lrtransfer.sweeps.store",
        "lrtransfer.sweeps.tune",
        "lrtransfer.reports.checks",
        "lrtransfer.reports.html",
        "lrtransfer.reports.recipes",
        "lrtransfer.theory.exact.finite_width",
        "lrtransfer.theory.exact.limit",
        "lrtransfer.theory.minima",
        "lrtransfer.theory.exact.curve",
    ],
)
def test_no_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("module", ["lrtransfer.interface", "lrtransfer.cli.verdict"])
def test_no_library_for_tables_before_one_is_read(module: str) -> None:
    code = f"import sys, {module}; sys.exit('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_verdict_knows_no_studies() -> None:
    code = (
        "import sys, lrtransfer.integrations.tables.runs, lrtransfer.reports.judgement; "
        "sys.exit('pydantic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
