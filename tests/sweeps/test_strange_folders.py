"""Folders and stores of somebody else's: nothing outside is written, and odd content is named."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lrtransfer.cli.main import main
from lrtransfer.errors import StoreError, UserError
from lrtransfer.sweeps.confirm import write_predictions
from lrtransfer.sweeps.store import (
    LOCK_NAME,
    STORE_NAME,
    _compute_checksum,
    open_store,
    read_store,
)
from lrtransfer.sweeps.tune import review_study

from .test_store import row

WRITTEN = (
    LOCK_NAME,
    STORE_NAME,
    f"{STORE_NAME}-wal",
    f"{STORE_NAME}-journal",
    "prediction.json",
    ".prediction.json.tmp",
)


@pytest.mark.parametrize("exists", [True, False], ids=["to a file", "to nothing"])
@pytest.mark.parametrize("name", WRITTEN)
def test_a_link_where_a_study_writes_is_not_followed(
    name: str, exists: bool, tmp_path: Path
) -> None:
    victim, folder = tmp_path / "victim", tmp_path / "folder"
    folder.mkdir()
    if exists:
        victim.write_text("mine")
    (folder / name).symlink_to(victim)
    with pytest.raises(StoreError, match=rf"{name}: got a link to {victim}, .* Remove the link"):
        with open_store(folder):
            pass
    assert victim.exists() == exists
    assert not exists or victim.read_text() == "mine"


@pytest.mark.parametrize("below", ["", "0123456789abcdef", "0123456789abcdef.txt"])
def test_a_link_where_programs_write_is_not_followed(below: str, tmp_path: Path) -> None:
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "folder"
    elsewhere.mkdir()
    link = folder / "runs" / below
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere)
    with pytest.raises(StoreError, match=rf"{link}: got a link to {elsewhere}"):
        with open_store(folder):
            pass
    assert not list(elsewhere.iterdir())


def test_a_folder_that_is_a_link_itself_is_the_users_own_choice(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    with open_store(tmp_path / "out") as store:
        store.add([row(0)])
    with read_store(tmp_path / "disk") as store:
        assert list(store.rows()) == ["id0"]


@pytest.mark.parametrize("written", [b"important\n", b"\xff\x00"])
def test_a_lock_that_is_no_lock_is_left_as_it_is(written: bytes, tmp_path: Path) -> None:
    (tmp_path / LOCK_NAME).write_bytes(written)
    with pytest.raises(StoreError, match=r"runs.lock: got a file of something else"):
        with open_store(tmp_path):
            pass
    assert (tmp_path / LOCK_NAME).read_bytes() == written


def test_a_pipe_in_the_place_of_a_file_hangs_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / LOCK_NAME)
    with pytest.raises(StoreError, match=r"runs.lock: got something that is not a plain file"):
        with open_store(tmp_path):
            pass


def test_predictions_are_written_into_the_folder(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / ".prediction.json.tmp").symlink_to(victim)
    write_predictions({}, tmp_path)
    assert victim.read_text() == "mine"
    assert json.loads((tmp_path / "prediction.json").read_text()) == {}


SLOW = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000000) SELECT"
OURS = "CREATE TABLE {} (id TEXT, identity TEXT, result TEXT, record TEXT, checksum TEXT) STRICT;"
STUDIES = "CREATE TABLE studies (sequence INTEGER PRIMARY KEY, study TEXT, data_digest, checksum);"
FOREIGN = {
    "a view": (f"{STUDIES} CREATE VIEW runs AS {SLOW} i, i, i, i, i FROM n;", "view runs already"),
    "a view of studies": (
        f"{OURS.format('runs')} CREATE VIEW studies AS {SLOW} i, i, i, i FROM n;",
        "view studies already exists",
    ),
    "another table": ("CREATE TABLE orders (x);", "table orders already exists"),
    "a table of our name": ("CREATE TABLE runs (x);", "table runs already exists"),
    "tables of our names": (f"{OURS.format('runs')} {STUDIES}", "a table of another form"),
}


def make_database(path: Path, script: str, *, version: int = 1, wal: bool = False) -> bytes:
    with closing(sqlite3.connect(path)) as connection:
        if wal:
            connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(f"{script} PRAGMA user_version = {version};")
    return path.read_bytes()


@pytest.mark.parametrize("wal", [False, True], ids=["journal", "log"])
@pytest.mark.parametrize("name", FOREIGN)
def test_a_database_of_something_else_is_refused_and_left_as_it_is(
    name: str, wal: bool, tmp_path: Path
) -> None:
    script, message = FOREIGN[name]
    content = make_database(tmp_path / STORE_NAME, script, wal=wal)
    for opened in (open_store, read_store):
        with pytest.raises(StoreError, match=message):
            with opened(tmp_path):
                pass
    assert (tmp_path / STORE_NAME).read_bytes() == content


def test_a_database_without_a_version_gets_no_tables_of_ours(tmp_path: Path) -> None:
    path = tmp_path / STORE_NAME
    content = make_database(path, "CREATE TABLE orders (x);", version=0)
    with pytest.raises(StoreError, match="table orders already exists, which is not a run store's"):
        with open_store(tmp_path):
            pass
    assert path.read_bytes() == content
    assert sorted(p.name for p in tmp_path.iterdir()) == [LOCK_NAME, STORE_NAME]


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    (tmp_path / STORE_NAME).touch()
    with open_store(tmp_path) as store:
        store.add([row(0)])
        assert list(store.rows()) == ["id0"]


@pytest.mark.parametrize(
    "script",
    [
        "CREATE TRIGGER t AFTER INSERT ON runs BEGIN DELETE FROM studies; END;",
        "CREATE TABLE more (x);",
        f"CREATE VIEW v AS {SLOW} i FROM n;",
        "ALTER TABLE runs ADD COLUMN more TEXT;",
        "ALTER TABLE runs ADD COLUMN more INT GENERATED ALWAYS AS (length(result)) VIRTUAL;",
    ],
)
def test_a_store_with_more_in_it_is_refused(script: str, tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.add([row(0)])
    with closing(sqlite3.connect(tmp_path / STORE_NAME)) as connection:
        connection.executescript(script)
    for opened in (open_store, read_store):
        with pytest.raises(StoreError, match=r"got a run store with .* wanted its two tables"):
            with opened(tmp_path):
                pass


def test_what_sqlite_adds_itself_is_no_harm(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.add([row(0)])
    with closing(sqlite3.connect(tmp_path / STORE_NAME)) as connection:
        connection.executescript("ANALYZE; VACUUM;")
    with open_store(tmp_path) as store:
        assert list(store.rows()) == ["id0"]


GOOD = '{"curve":[1.0],"loss":2.0,"status":"finished"}'
MADE = '{"engine":"loop","seconds":1.5}'
DEEP = "[" * 100_000
ODD_ROWS: list[tuple[str, str, str]] = [
    ("", MADE, "not JSON"),
    ("[]", MADE, "is no object"),
    ("3", MADE, "is no object"),
    (DEEP, MADE, "not JSON"),
    ('{"curve":[],"loss":2.0}', MADE, "status None is none of finished"),
    ('{"curve":[],"loss":2.0,"status":["finished"]}', MADE, "is none of finished"),
    ('{"curve":[],"loss":null,"status":"finished"}', MADE, "a finished run has no loss"),
    ('{"curve":[],"loss":"2.0","status":"finished"}', MADE, "loss '2.0' is no number"),
    ('{"curve":[],"loss":true,"status":"finished"}', MADE, "loss True is no number"),
    ('{"curve":[],"loss":NaN,"status":"finished"}', MADE, "loss nan is not finite"),
    ('{"curve":[],"loss":1e999,"status":"finished"}', MADE, "loss inf is not finite"),
    (f'{{"curve":[],"loss":{"9" * 400},"status":"finished"}}', MADE, "loss inf is not finite"),
    ('{"curve":"abc","loss":2.0,"status":"finished"}', MADE, "curve 'abc' is no list"),
    ('{"curve":[null],"loss":2.0,"status":"finished"}', MADE, "curve None is no number"),
    ('{"curve":[[1]],"loss":2.0,"status":"finished"}', MADE, "is no number"),
    (GOOD, "{}", "no engine is named"),
    (GOOD, "null", "is no object"),
    (GOOD, '{"engine":"loop"}', "seconds None is no number"),
    (GOOD, '{"engine":"loop","seconds":"1"}', "seconds '1' is no number"),
    (GOOD, '{"engine":"loop","seconds":1,"parameters":[1]}', "is no whole number"),
    (GOOD, '{"engine":"loop","seconds":1,"torch":{}}', "torch {} is no text"),
]


@pytest.mark.parametrize(("result", "made", "message"), ODD_ROWS, ids=lambda v: v[:40])
def test_a_row_of_odd_form_is_named_though_its_checksum_is_right(
    result: str, made: str, message: str, tmp_path: Path
) -> None:
    with open_store(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / STORE_NAME)) as connection, connection:
        checksum = _compute_checksum("id7", "{}", result, made)
        connection.execute(
            "INSERT INTO runs VALUES ('id7', '{}', ?, ?, ?)", (result, made, checksum)
        )
    with read_store(tmp_path) as store, pytest.raises(StoreError) as caught:
        store.rows()
    assert "got no result of one (" in str(caught.value)
    assert message in str(caught.value)
    assert "for run id7" in str(caught.value)
    assert "the file is damaged" in str(caught.value)


@pytest.mark.parametrize(
    ("study", "digests"),
    [
        ("[]", "{}"),
        ("null", "{}"),
        ("3", "{}"),
        ('"text"', "{}"),
        ("{", "{}"),
        (DEEP, "{}"),
        ('{"widths":{"a":1}}', "{}"),
        ('{"schemes":["a\\u001b[2J"]}', "{}"),
        ("{}", "[]"),
        ("{}", '{"data":5}'),
        ("{}", '{"other":"x"}'),
        ("{}", DEEP),
    ],
    ids=lambda v: v[:30],
)
def test_odd_settings_in_a_store_are_one_error(
    study: str, digests: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_store(tmp_path) as store:
        store.begin_study(study, digests)
    with pytest.raises(UserError, match="another version of lrtransfer wrote"):
        review_study(tmp_path)
    assert main(["status", str(tmp_path)]) == 2
    assert "another version of lrtransfer wrote" in capsys.readouterr().err


def test_init_follows_no_link(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "study.toml").symlink_to(tmp_path / "nowhere")
    assert main(["init", str(tmp_path / "new")]) == 2
    assert "study.toml: got a file that is there already" in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists()


def write_runs(path: Path, scheme: str) -> Path:
    rows: list[Any] = ["width,lr,loss,scheme"]
    rows += [
        f"{width},{2.0**x},{3 + (x + 6.2) ** 2 / 16},{scheme}"
        for width in (64, 128)
        for x in range(-10, -2)
    ]
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["a\x1b[2Jb", "a\x9b31mb", "a\u202eb", "a\x07b"])
def test_a_name_in_a_file_does_not_steer_the_terminal(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verdict", str(write_runs(tmp_path / "runs.csv", name))]) == 0
    printed = capsys.readouterr()
    for text in (printed.out, printed.err):
        assert not set(text) & set("\x1b\x9b\u202e\x07")
    assert "transfers" in printed.out


def test_a_name_in_an_error_does_not_steer_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = tmp_path / "study.toml"
    study.write_text('schemes = ["mup"]\n"a\\u001b[2J" = 3\n')
    assert main(["tune", str(study)]) == 2
    error = capsys.readouterr().err
    assert "\x1b" not in error
    assert "\\x1b[2J" in error
