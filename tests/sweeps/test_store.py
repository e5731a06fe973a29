"""The store: durable, exact, never silently wrong. It loads no torch."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lrtransfer.errors import StoreError
from lrtransfer.runs.result import Provenance, TrainedRun
from lrtransfer.sweeps.store import STORE_NAME, open_store, read_store
from lrtransfer.training.outcome import Outcome, Status


def row(
    i: int,
    *,
    loss: float | None = 0.1 + 0.2,
    status: Status = "finished",
    seconds: float = 1.5,
) -> TrainedRun:
    outcome = Outcome(status, loss, (1.0, 1 / 3))
    provenance = Provenance(engine="loop", seconds=seconds, parameters=i, torch="2")
    return TrainedRun(f"id{i}", f'{{"run":{i}}}', outcome, provenance)


def test_what_goes_in_comes_out_exactly(tmp_path: Path) -> None:
    rows = [row(0), row(1, loss=None, status="non-finite"), row(2, loss=5e-324)]
    with open_store(tmp_path) as store:
        store.add(rows)
    with read_store(tmp_path) as store:
        assert list(store.rows().values()) == rows


def test_adding_again_is_adding_once(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.add([row(0)])
        store.add([row(0, seconds=99.0)])
        assert list(store.rows().values()) == [row(0)]


def test_a_store_that_was_cut_is_refused_or_gives_true_rows(tmp_path: Path) -> None:
    """Of a file that was cut, SQLite reads values as NULL that no row may hold."""
    rows = [row(i) for i in range(40)]
    with open_store(tmp_path) as store:
        store.add(rows)
    path = tmp_path / STORE_NAME
    whole, refused = path.read_bytes(), 0
    for length in range(len(whole) // 60, len(whole), len(whole) // 60):
        path.write_bytes(whole[:length])
        try:
            with read_store(tmp_path) as store:
                found = list(store.rows().values())
        except StoreError:
            refused += 1
        else:
            assert found == rows[: len(found)]
    assert refused


def test_a_different_result_for_the_same_run_is_refused_whole(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.add([row(0)])
        with pytest.raises(StoreError, match=r"second, different result for run id0"):
            store.add([row(1), row(0, loss=0.3)])
        assert list(store.rows()) == ["id0"]


def test_studies_are_appended_when_they_change(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        assert store.latest_study() is None
        for study in ("a", "a", "b"):
            store.begin_study(study, "digest")
        assert store.latest_study() == ("b", "digest")
    count = sqlite3.connect(tmp_path / STORE_NAME).execute("SELECT count(*) FROM studies")
    assert count.fetchone() == (2,)


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with open_store(tmp_path):
        with pytest.raises(StoreError, match=rf"in use by process {os.getpid()} on .*one writer"):
            with open_store(tmp_path):
                pass
        with read_store(tmp_path) as reader:
            assert reader.rows() == {}


@pytest.mark.parametrize("column", ["id", "identity", "result", "record", "checksum"])
def test_a_changed_value_is_noticed(tmp_path: Path, column: str) -> None:
    with open_store(tmp_path) as store:
        store.add([row(0), row(1)])
    with sqlite3.connect(tmp_path / STORE_NAME) as connection:
        connection.execute(
            f"UPDATE runs SET {column} = substr({column}, 1, 2) || 'x' || substr({column}, 4)"
            " WHERE id = 'id1'"
        )
    connection.close()
    with read_store(tmp_path) as store, pytest.raises(StoreError, match=r"wrong checksum for run"):
        store.rows()


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"got no readable runs.sqlite in it"):
        with read_store(tmp_path):
            pass
    (tmp_path / STORE_NAME).write_bytes(b"this is no database, but it is long enough" * 100)
    for opened in (open_store, read_store):
        with pytest.raises(StoreError, match=r"file is not a database"):
            with opened(tmp_path):
                pass


def test_a_newer_store_is_refused(tmp_path: Path) -> None:
    with open_store(tmp_path):
        pass
    connection = sqlite3.connect(tmp_path / STORE_NAME)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match=r"version 99, wanted version 1"):
        with open_store(tmp_path):
            pass


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("x")
    with pytest.raises(StoreError, match=r"wanted a folder that can be written to"):
        with open_store(path):
            pass


def test_a_foreign_database_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / STORE_NAME)
    connection.execute("CREATE TABLE runs (x)")
    connection.close()
    with pytest.raises(StoreError, match=r"table runs already exists.*not a run store"):
        with open_store(tmp_path):
            pass


def test_a_full_disk_names_itself_and_loses_nothing(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.add([row(0)])
        store._connection.execute("PRAGMA max_page_count = 8")
        long = Outcome("finished", 1.0, tuple(float(i) for i in range(10_000)))
        with pytest.raises(StoreError, match=r"full' with [\d,]+ bytes free"):
            store.add([TrainedRun("id1", "{}", long, row(1).provenance)])
        assert list(store.rows()) == ["id0"]


def test_a_file_system_without_locks_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(StoreError, match=r"No locks available.*local disk"):
        with open_store(tmp_path):
            pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_can_be_read(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.add([row(0)])
    tmp_path.chmod(0o500)
    try:
        with read_store(tmp_path) as store:
            assert list(store.rows()) == ["id0"]
    finally:
        tmp_path.chmod(0o700)


WRITER = """
import sys, pathlib
from lrtransfer.runs.result import Provenance, TrainedRun
from lrtransfer.sweeps.store import open_store
from lrtransfer.training.outcome import Outcome
assert "torch" not in sys.modules
with open_store(pathlib.Path(sys.argv[1])) as store:
    for i in range(len(store.rows()), 10**9):
        outcome = Outcome("finished", float(i), (float(i),))
        store.add([TrainedRun(f"id{i}", str(i), outcome, Provenance(engine="e", seconds=0.5))])
        print(i, flush=True)
"""


def test_acknowledged_rows_survive_kill_9(tmp_path: Path) -> None:
    acknowledged = -1
    for kill in range(12):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(0.003 * kill)
        writer.send_signal(signal.SIGKILL)
        lines = writer.stdout.read().split("\n")
        writer.wait()
        writer.stdout.close()
        # The last piece may be a torn line; what stands before a line's end was acknowledged.
        acknowledged = max([acknowledged, *(int(line) for line in lines[:-1] if line)])
        with open_store(tmp_path) as store:
            rows = list(store.rows().values())
        assert len(rows) > acknowledged
        assert [r.outcome.loss for r in rows] == [float(i) for i in range(len(rows))]


def test_provenance_that_another_version_wrote_is_read_as_far_as_it_is_known() -> None:
    provenance = Provenance(engine="loop", seconds=1.5)
    assert Provenance.from_document(provenance.to_document() | {"host": "a"}) == provenance
