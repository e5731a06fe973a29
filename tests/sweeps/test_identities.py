"""Runs keep their names, and stores that were written before are opened and their runs reused.

`identities.json` and `stores/` were written at commit 8a40ea2, semantics 2. If a name moves,
finished runs of users are trained again: a bug, or raise SEMANTICS, say so in the changelog, and
write both anew.
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from lrtransfer.runs.digests import Digests
from lrtransfer.runs.run import parse_identity
from lrtransfer.study.load import load
from lrtransfer.sweeps.store import read_store
from lrtransfer.sweeps.sweep import Sweep
from lrtransfer.sweeps.tune import review_study, run_study

HERE = Path(__file__).parent
BEFORE = json.loads((HERE / "identities.json").read_text())
EXAMPLES = sorted((HERE.parents[1] / "examples" / "studies").glob("*.toml"))
PROGRAM = "train {width} {lr} {seed} {weight_decay}"
STUDIES: dict[str, dict[str, Any]] = {
    "built-in": {},
    "built-in, adaptive": {"design": "adaptive"},
    "built-in, weight decay varied": {"vary": {"optimizer.weight_decay": (0.0, 0.1)}},
    "along batch": {"along": "batch", "sizes": (4, 8, 16), "target": 64},
    "along steps": {"along": "steps", "sizes": (50, 100), "target": 400, "width": 64},
    "tokens": {"data": {"source": "tokens", "path": "tokens.bin"}},
    "muon in bfloat16": {
        "optimizer": {"family": "muon"},
        "training": {"precision": "bfloat16", "clip": 1.0},
        "parametrization": {"tuned": {"hidden": {"lr": 2.0}}},
    },
    "program": {
        "trainer": {"command": PROGRAM, "loss_from": "stdout:loss (.*)", "timeout": 5.0},
        "widths": (64, 128),
        "target": 256,
        "vary": {"weight_decay": (0.0, 0.1)},
    },
    "program along depth": {
        "trainer": {"command": "train {depth} {lr} {seed}", "loss_from": "stdout:loss (.*)"},
        "along": "depth",
        "sizes": (2, 4),
        "target": 8,
    },
}
CASES: dict[str, tuple[Path | None, dict[str, Any]]] = {
    **{name: (None, settings) for name, settings in STUDIES.items()},
    **{f"examples/studies/{path.name}": (path, {}) for path in EXAMPLES},
}


def test_every_study_written_down_is_tested() -> None:
    assert set(CASES) == set(BEFORE)


@pytest.mark.parametrize("name", CASES)
def test_runs_have_the_names_that_they_had(name: str) -> None:
    sweep = Sweep(load(*CASES[name]), Digests("d" * 64, "c" * 64))
    runs = {p.run.id: p.run for p in sweep.expand(sweep.design.first())}
    ids = sorted(runs)
    assert (len(ids), ids[0]) == (BEFORE[name]["runs"], BEFORE[name]["first"])
    assert runs[ids[0]].identity == BEFORE[name]["identity"]
    assert hashlib.sha256("\n".join(ids).encode()).hexdigest() == BEFORE[name]["sha256"]


@pytest.mark.parametrize("name", CASES)
def test_an_identity_is_parsed_to_the_same_run(name: str) -> None:
    run = parse_identity(BEFORE[name]["identity"])
    assert (run.identity, run.id) == (BEFORE[name]["identity"], BEFORE[name]["first"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "wanted one of this version"),
        ('{"semantics": 1}', "got semantics 1, wanted 2"),
        ('{"semantics": 2, "settings": 3}', "wanted one of this version"),
        ("no JSON", "Expecting value"),
    ],
)
def test_what_is_no_identity_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_identity(text)


def copy_store(name: str, folder: Path) -> Path:
    """Copy a store, and the text that its models were trained on, into a folder."""
    (folder / "out").mkdir()
    shutil.copy(HERE / "stores" / f"{name}.sqlite", folder / "out" / "runs.sqlite")
    shutil.copy(HERE / "stores" / "text.txt", folder)
    return folder / "out"


def test_a_store_of_before_is_opened_and_its_runs_are_reused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = copy_store("model", tmp_path)
    reviewed = review_study(out)
    study = load(HERE / "stores" / "study.toml", {})
    assert reviewed.study == study
    # An optimum that was taken for known lies at an edge, for all that is seen: rates are added.
    result = run_study(study, out, workers=1)
    assert result.counts.reused == 21 <= result.counts.planned == result.counts.finished
    assert result.counts.diverged >= 1
    assert set(result.answers) == set(reviewed.answers) == {"mup", "sp"}
    assert "torch 2.13.0+cpu on AVX512, engine loop" in result.versions
    assert result.parameters == {16: 11264, 32: 28672}


def test_a_store_of_a_program_is_opened_and_its_runs_are_reused(tmp_path: Path) -> None:
    out = copy_store("program", tmp_path)
    reviewed = review_study(out)
    # All its losses are equal: the minimum is open on both sides, so that rates are added.
    result = run_study(reviewed.study, out, workers=1)
    assert result.counts.reused == 24 < result.counts.planned == result.counts.finished
    assert result.versions == ("the study's own command",)


def test_a_store_keeps_every_run_that_it_held(tmp_path: Path) -> None:
    with read_store(copy_store("model", tmp_path)) as store:
        rows = store.rows()
    assert {parse_identity(row.identity).id for row in rows.values()} == set(rows)
