"""What a study file names is executed only if its user consents, whatever it is."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import lrtransfer as lt
from lrtransfer.cli.main import main
from lrtransfer.errors import ConfigError

FILE = """
widths = [64, 128]
target = 256
seeds = 1
[grid]
low = 0.01
high = 0.1
[trainer]
command = '''{command}'''
loss_from = "stdout:loss (.*)"
"""

Call = Callable[..., int]


def says(loss: float, mark: Path) -> str:
    """Return a command that leaves a mark where it was run."""
    code = f"import pathlib; pathlib.Path('{mark}').touch(); print('loss', {loss})"
    return f"'{sys.executable}' -c \"{code}\" {{width}} {{lr}}"


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    """Return the file that the command of the study file makes."""
    return tmp_path / "ran"


@pytest.fixture
def study(tmp_path: Path, ran: Path) -> Path:
    path = tmp_path / "study.toml"
    path.write_text(FILE.format(command=says(2.5, ran)))
    return path


@pytest.fixture
def tune(study: Path, tmp_path: Path) -> Call:
    return lambda *options: main(["tune", str(study), "--out", str(tmp_path / "out"), *options])


def test_a_command_in_a_file_wants_consent(
    tune: Call, ran: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tune() == 2
    error = capsys.readouterr().err
    assert error.startswith("lrtransfer: trainer.command: got ")
    assert str(ran) in error  # the command itself
    assert "a command that is named inside a file" in error
    assert "--allow-code" in error
    assert not ran.exists()
    assert not (tmp_path / "out").exists()


def test_with_consent_it_runs_and_a_resume_asks_again(tune: Call, ran: Path) -> None:
    assert tune("--allow-code") == 0
    assert ran.exists()
    ran.unlink()
    assert tune("--seeds", "1", "--lr-high", "0.2") == 2
    assert not ran.exists()


def test_a_command_that_is_typed_is_its_own_consent(tune: Call, ran: Path, tmp_path: Path) -> None:
    typed = tmp_path / "typed"
    assert tune("--command", says(2.0, typed)) == 0
    assert typed.exists()
    assert not ran.exists()
    # Another option of the trainer is none.
    assert tune("--timeout", "5") == 2
    assert not ran.exists()


def test_what_a_study_would_cost_is_said_without_calling_the_command(
    tune: Call, ran: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tune("--dry-run") == 0
    assert "What the command costs is known once" in capsys.readouterr().out
    assert not ran.exists()


def test_from_python_a_file_is_asked_about_and_settings_are_not(
    study: Path, ran: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"trainer.command: .*allow_code=True"):
        lt.tune(study, out=tmp_path / "out")
    with pytest.raises(ConfigError, match=r"trainer.command: .*allow_code=True"):
        lt.tune(study, out=tmp_path / "out", trainer={"timeout": 5.0})
    assert not ran.exists()
    command = says(2.0, tmp_path / "typed")
    lt.tune(study, out=tmp_path / "typed-out", trainer={"command": command})
    assert not ran.exists()
    lt.tune(study, out=tmp_path / "out", allow_code=True)
    assert ran.exists()
