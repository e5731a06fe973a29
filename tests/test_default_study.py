"""The built-in study, as a newcomer runs it."""

import json
from pathlib import Path

import pytest

from lrtransfer.cli.main import main


@pytest.mark.slow
@pytest.mark.parametrize("study_seed", [0, 1])
def test_no_answer_is_wrong(
    study_seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The optimum of SP with Adam falls about as 1/width, so its base rate cannot stay right; that
    # of mup stays. `inconclusive` is no wrong answer.
    arguments = ["--study-seed", str(study_seed), "--json", "--out", str(tmp_path)]
    assert main(["tune", *arguments]) == 0
    schemes = json.loads(capsys.readouterr().out)["schemes"]
    assert schemes["mup"]["verdict"] != "does not transfer"
    assert schemes["sp"]["verdict"] != "transfers"
    assert schemes["sp"]["drift"]["high"] < 0
