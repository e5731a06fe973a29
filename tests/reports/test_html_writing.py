"""A page is written whole or not at all."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lrtransfer.reports.html import render, write

from . import synthetic


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_writing_replaces_the_page(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    write(synthetic.usual(), path)
    assert path.read_text(encoding="utf-8") == render(synthetic.usual())
    assert names(tmp_path) == ["report.html"]


def test_a_full_disk_leaves_the_old_page_and_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(synthetic.empty(), path)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["report.html"]


def test_a_folder_in_the_way_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OSError, match=r"report\.html"):
        write(synthetic.empty(), tmp_path / "report.html")
    assert names(tmp_path) == ["report.html"]


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_killed_writer_leaves_the_old_page_and_the_next_one_cleans_up(
    tmp_path: Path, moment: str
) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    code = (
        "import os, pathlib, signal, sys; from tests.reports import synthetic; "
        "from lrtransfer.reports.html import write\n"
        "die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"{'os.fsync' if moment == 'fsync' else 'pathlib.Path.replace'} = die\n"
        "write(synthetic.empty(), pathlib.Path(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], cwd=Path(__file__).parents[2], check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    assert len(names(tmp_path)) == 2
    write(synthetic.empty(), path)
    assert names(tmp_path) == ["report.html"]


def test_the_temporary_file_of_a_living_writer_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / f".report.html.{os.getppid()}-0123abcd.tmp"
    other.write_text("half")
    foreign = [tmp_path / f".report.html.{name}.tmp" for name in ("notes", "9" * 30)]
    for path in foreign:
        path.write_text("mine")
    write(synthetic.empty(), tmp_path / "report.html")
    assert other.exists()
    assert foreign[0].exists()
    assert foreign[1].exists()
