"""Studies of the user's own model, data and axes, trained for real and small."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lrtransfer.errors import ConfigError, UserError
from lrtransfer.study.load import load
from lrtransfer.sweeps.result import StudyResult
from lrtransfer.sweeps.tune import require_consent, review_study, run_study
from tests.studies import SMALL

ROOT = Path(__file__).parents[2]
STUDIES = ROOT / "examples" / "studies"
QUICK: dict[str, Any] = {
    "seeds": 1,
    "grid": {"low": 2.0**-6, "high": 2.0**-2},
    "training": {"steps": 3},
}
AT_ONE_WIDTH = {key: value for key, value in SMALL.items() if key not in {"widths", "base_width"}}


def of_example(name: str, out: Path, **changes: Any) -> StudyResult:
    return run_study(load(STUDIES / f"{name}.toml", QUICK | changes), out, workers=1)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("llama", {"widths": (32, 64)}),
        ("digits", {"widths": (32, 64)}),
        ("depth", {"sizes": (2, 4), "width": 32, "base_width": 32}),
    ],
)
def test_an_example_is_a_study(
    name: str, changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    result = of_example(name, tmp_path, **changes)
    assert result.counts.finished == result.counts.planned
    assert not result.failures
    assert all(answer.optima for answer in result.answers.values())


def test_a_model_of_ones_own_at_two_decays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cnn.toml", "cnn.py"):
        shutil.copy(STUDIES / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    result = of_example("cnn", tmp_path / "out", widths=(8, 16))
    assert set(result.answers) == {"mup, weight_decay 0", "mup, weight_decay 0.3"}
    assert result.counts.finished == result.counts.planned
    # The answer needs neither the code nor the data.
    (tmp_path / "cnn.py").unlink()
    assert review_study(tmp_path / "out").answers.keys() == result.answers.keys()


def test_runs_of_a_value_are_those_of_a_study_that_has_it(tmp_path: Path) -> None:
    plain = SMALL | {"widths": (16, 32), "schemes": ("mup",), "optimizer": {"weight_decay": 0.1}}
    run_study(load(None, plain), tmp_path, workers=1)
    varied = plain | {"optimizer": {}, "vary": {"optimizer.weight_decay": (0, 0.1)}}
    result = run_study(load(None, varied), tmp_path, workers=1)
    assert result.counts.planned == 2 * result.counts.reused == 28


@pytest.mark.parametrize("along", ["batch", "steps"])
def test_sizes_along_an_axis_are_its_settings(along: str, tmp_path: Path) -> None:
    study = AT_ONE_WIDTH | {"along": along, "sizes": (2, 4), "target": 16, "width": 16}
    result = run_study(load(None, study), tmp_path, workers=1)
    (answer,) = result.answers.values()
    assert [optimum.size for optimum in answer.optima] == [2, 4]
    assert answer.axis == along
    other = {"batch": "steps", "steps": "batch"}[along]
    plain = AT_ONE_WIDTH | {"widths": (16, 32), "base_width": 16, "schemes": ("mup",)}
    plain |= {"training": {along: 2, other: SMALL["training"][other]}}
    reused = run_study(load(None, plain), tmp_path, workers=1)
    assert reused.counts.reused == 7  # width 16 at size 2
    losses = {row.lr: row.loss for row in result.table.observations if row.size == 2}
    again = {row.lr: row.loss for row in reused.table.observations if row.size == 16}
    assert losses == again


def test_a_program_gets_the_values_of_both_axes(tmp_path: Path) -> None:
    command = "echo {depth} {decay} {lr} loss 2.{depth}"
    trainer = {"command": command, "loss_from": r"stdout:loss (\S+)"}
    study = {"along": "depth", "sizes": (2, 4), "target": 8, "vary": {"decay": (0, 0.5)}}
    result = run_study(load(None, {"trainer": trainer, "seeds": 1} | study), tmp_path, workers=1)
    assert set(result.answers) == {"all, decay 0", "all, decay 0.5"}
    said = {path.read_text().split()[0:2][1] for path in (tmp_path / "runs").glob("*.txt")}
    assert said == {"0", "0.5"}
    assert {row.size: row.loss for row in result.table.observations} == {2: 2.2, 4: 2.4}


OWN_MODEL = """
from torch import nn
def build(width):
    return nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))
"""


@pytest.fixture
def own(write_module: Callable[[str], str]) -> dict[str, Any]:
    model = {"build": f"{write_module(OWN_MODEL)}:build"}
    return SMALL | {"model": model, "data": {"source": "digits"}, "widths": (16, 32)}


def test_code_named_in_a_file_wants_consent(own: dict[str, Any]) -> None:
    study = load(None, own)
    with pytest.raises(ConfigError, match=r"model.build: got .*, code .* --allow-code"):
        require_consent(study, allow_code=False)
    require_consent(study, allow_code=True)
    require_consent(load(None, SMALL), allow_code=False)


def test_edited_code_makes_other_runs(own: dict[str, Any], tmp_path: Path) -> None:
    study = load(None, own | {"schemes": ("mup",)})
    first = run_study(study, tmp_path / "out", workers=1)
    assert run_study(study, tmp_path / "out", workers=1).counts.reused == first.counts.planned
    (module,) = tmp_path.glob("own_*.py")
    module.write_text(OWN_MODEL + "# edited\n")
    assert run_study(study, tmp_path / "out", workers=1).counts.reused == 0


def test_a_model_that_raises_is_one_error_with_its_place(
    own: dict[str, Any], tmp_path: Path
) -> None:
    (module,) = tmp_path.glob("own_*.py")
    module.write_text("def build(width):\n    return no_such_layer(width)\n")
    with pytest.raises(
        UserError, match=r"got NameError from build\(16\)(?s:.*), in build"
    ) as error:
        run_study(load(None, own), tmp_path / "out", workers=1)
    # The first runs of each width are proof enough.
    tried = re.search(r"\((\d+) were tried\)", str(error.value))
    assert tried
    assert int(tried[1]) <= 8


HABITS = {
    "prints and asks": "print('hello')\ntry:\n    input()\nexcept EOFError:\n    pass",
    "starts processes": "started or started.extend(DataLoader([1.0] * 8, num_workers=1))",
    "sets a dtype": "torch.set_default_dtype(torch.float64)",
    "draws": "torch.randn(width); np.random.seed(1); random.seed(1)",
}


@pytest.mark.slow
@pytest.mark.parametrize("habit", HABITS.values(), ids=HABITS)
def test_habits_of_a_users_code_do_no_harm(habit: str, own: dict[str, Any], tmp_path: Path) -> None:
    (module,) = tmp_path.glob("own_*.py")
    imports = "import random, torch, numpy as np\nfrom torch.utils.data import DataLoader\n"
    imports += "started = []\n"
    body = habit.replace("\n", "\n    ")
    text = (
        OWN_MODEL.replace("    return", "    made =").rstrip() + f"\n    {body}\n    return made\n"
    )
    module.write_text(imports + text)
    study = load(None, own | {"schemes": ("mup",), "grid": {"low": 2.0**-5, "high": 2.0**-3}})
    one, two = (run_study(study, tmp_path / f"{count}", workers=count) for count in (1, 2))
    assert one.counts.finished == one.counts.planned
    assert one.table == two.table  # whatever ran before in the same process


@pytest.mark.parametrize(
    "end",
    [
        "raise MemoryError",
        "raise SystemExit(1)",
        pytest.param("os._exit(0)", marks=pytest.mark.slow),
    ],
)
def test_a_size_that_cannot_train_costs_that_size_only(
    end: str, own: dict[str, Any], tmp_path: Path
) -> None:
    (module,) = tmp_path.glob("own_*.py")
    # Built on no device when its sizes are read, for real when it is trained.
    fails = (
        f"    if width == 32 and torch.empty(0).device.type == 'cpu':\n        {end}\n    return"
    )
    module.write_text("import os, torch\n" + OWN_MODEL.replace("    return", fails))
    study = load(None, own | {"schemes": ("mup",), "widths": (16, 24, 32)})
    result = run_study(study, tmp_path / "out", workers=1)
    assert {row.size for row in result.table.observations} == {16, 24}
    assert result.counts.finished == 14
    assert 1 <= len(result.failures) <= 3  # no more are tried


def test_a_model_that_sees_what_it_predicts_is_refused(tmp_path: Path) -> None:
    fields = {"vocab_size": 256, "intermediate_size": 32, "num_attention_heads": 2}
    scales = ["hidden_size", "intermediate_size", "num_attention_heads"]
    model = {"type": "bert", "scales": scales, "context": 16, "fields": fields}
    seeing = load(None, SMALL | {"model": model})
    with pytest.raises(UserError, match=r"model: got one whose output .* wanted a causal"):
        run_study(seeing, tmp_path / "seeing", workers=1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"build": "no_such_module:build"}, "there is no file of a module 'no_such_module'"),
        ({"build": "json:no_such_function"}, "json has no 'no_such_function'"),
    ],
)
def test_code_that_is_not_there(
    own: dict[str, Any], changes: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        run_study(load(None, own | {"model": changes}), tmp_path / "out", workers=1)


def test_a_study_of_another_version_is_refused(tmp_path: Path) -> None:
    run_study(load(None, SMALL | {"widths": (16, 32), "schemes": ("sp",)}), tmp_path, workers=1)
    import sqlite3

    from lrtransfer.sweeps.store import _compute_checksum

    with sqlite3.connect(tmp_path / "runs.sqlite") as connection:
        text = json.dumps({"old": True})
        connection.execute(
            "UPDATE studies SET study = ?, checksum = ?", (text, _compute_checksum(text, "{}"))
        )
        connection.execute("UPDATE studies SET data_digest = '{}'")
    with pytest.raises(UserError, match="another version of lrtransfer wrote"):
        review_study(tmp_path)
