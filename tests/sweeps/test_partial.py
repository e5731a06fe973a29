"""A study at any moment: whichever of its runs are there, all that is said of it can be said."""

import io
import json
import math
import random
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lrtransfer.cli.main import main
from lrtransfer.interface import tune
from lrtransfer.reports.document import study_document
from lrtransfer.reports.html import render
from lrtransfer.reports.study_page import make_report
from lrtransfer.reports.text import print_study
from lrtransfer.runs.digests import Digests
from lrtransfer.runs.failure import Failure
from lrtransfer.runs.result import Provenance, TrainedRun
from lrtransfer.runs.run import RunSpec
from lrtransfer.study.load import load
from lrtransfer.sweeps.result import list_warnings
from lrtransfer.sweeps.store import open_store
from lrtransfer.sweeps.sweep import Sweep
from lrtransfer.sweeps.tune import review_study
from lrtransfer.training.outcome import Outcome
from tests.studies import SMALL

PROGRAM = {"command": "train {width} {lr} {seed}", "loss_from": "stdout:(.*)"}
KINDS: dict[str, dict[str, Any]] = {
    "schemes that share a base": SMALL,
    "confirmed": SMALL | {"confirm": True},
    "a second axis": SMALL | {"vary": {"optimizer.weight_decay": (0.0, 0.1)}},
    "adaptive": SMALL | {"design": "adaptive", "seeds": 2},
    "along depth": {
        **{key: value for key, value in SMALL.items() if key not in ("widths", "target")},
        **{"along": "depth", "sizes": (1, 2, 4), "target": 8, "width": 16},
    },
    "a program": {"trainer": PROGRAM, "widths": (64, 128), "target": 256},
}


def make_row(run: RunSpec, rng: random.Random) -> TrainedRun:
    """Return a result like a real one: a valley, with a cliff and noise."""
    x = math.log2(run.lr) + 4
    loss = 2.5 + x * x / 20 + rng.gauss(0, 0.01)
    outcome = Outcome("non-finite", None, ()) if x > 3 else Outcome("finished", loss, ())
    return TrainedRun(run.id, run.identity, outcome, Provenance(engine="loop", seconds=0.1))


@pytest.mark.parametrize("samples", [1, pytest.param(20, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_finished_can_be_reviewed(kind: str, samples: int, tmp_path: Path) -> None:
    rng = random.Random(kind)
    study = load(None, KINDS[kind])
    sweep = Sweep(study, Digests("d"))
    runs = list({p.run.id: p.run for p in sweep.expand(sweep.design.first())}.values())
    sizes = sorted({run.width for run in runs})
    subsets = [[], runs[:1], [run for run in runs if run.width == sizes[0]]]
    subsets += [rng.sample(runs, rng.randint(1, len(runs))) for _ in range(samples)]
    for number, subset in enumerate(subsets):
        folder = tmp_path / str(number)
        with open_store(folder) as store:
            store.begin_study(study.to_json(), sweep.digests.to_json())
            store.add([make_row(run, rng) for run in subset])
        result = review_study(folder)
        assert result.counts.finished == len(subset)
        assert "</html>" in render(make_report(result))
        out = io.StringIO()
        print_study(result, None, console=Console(file=out, width=120))
        document = json.dumps(study_document(result, report=None), allow_nan=False)
        has_note = "no verdict yet: " in " ".join(list_warnings(result))
        assert has_note == ("No verdict yet" in out.getvalue()) == (not result.answers)
        assert ("no verdict yet" in document) == has_note
        assert main(["status", str(folder)]) == main(["report", str(folder), "--json"]) == 0


# Ends well at the base width alone.
TRAINER = """
import sys
width, lr, seed = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
if width > 64:
    print("x" * 10_000_000 + "\\033[31m")
    sys.exit("no room at this width")
print("loss", 2 + (lr - 0.03) ** 2 + seed / 1000)
"""


@pytest.fixture
def half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the settings of a study whose trainer fails at every width but the base."""
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(TRAINER)
    command = f"'{sys.executable}' -S train.py {{width}} {{lr}} {{seed}}"
    trainer = {"command": command, "loss_from": "stdout:loss (.*)", "retries": 0}
    grid = {"low": 2.0**-6, "high": 2.0**-4}
    return {"widths": (64, 128), "target": 256, "seeds": 1, "trainer": trainer, "grid": grid}


def test_a_trainer_that_fails_at_every_width_but_the_base_gives_no_verdict_yet(
    half: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    command = half["trainer"]["command"]
    arguments = ["--widths", "64,128", "--target", "256", "--seeds", "1", "--retries", "0"]
    arguments += ["--lr-low", "2^-6", "--lr-high", "2^-4", "--command", command]
    arguments += ["--loss-from", "stdout:loss (.*)"]
    assert main(["tune", *arguments, "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["schemes"] == {}
    assert answer["runs"]["finished"] == answer["runs"]["planned"] / 2
    notes = "\n".join(answer["warnings"])
    assert "the finished runs are of width 64 alone" in notes
    assert "no room at this width" in notes
    assert "3 runs gave no result" in notes
    # A line of 10 MB and an escape sequence are not passed on to the terminal.
    assert len(notes) < 10_000
    assert notes.replace("\n", "").isprintable()
    page = Path("lrtransfer-out", answer["report"]).read_text()
    assert "no verdict yet" in page
    assert "no room at this width" in page
    assert main(["tune", *arguments]) == 1
    assert "No verdict yet" in capsys.readouterr().out
    for name in ("report", "status"):
        assert main([name]) == 0
        assert "no verdict yet" in capsys.readouterr().out


def test_from_python_it_gives_an_answer_without_a_verdict(half: dict[str, Any]) -> None:
    answer = tune(half)
    assert answer.verdict == {}
    assert any("no room at this width" in note for note in answer.warnings)
    assert answer.result is not None
    assert all(isinstance(failure, Failure) for failure in answer.result.failures)
