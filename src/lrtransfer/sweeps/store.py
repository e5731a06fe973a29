"""The durable record of finished runs: one SQLite file, one writing process. Loads no torch.

Only facts are kept: a run is there with its result, or it is not there. Every row carries a
checksum, because SQLite's own check does not see a flipped bit in a value.
"""

import fcntl
import hashlib
import json
import os
import shutil
import socket
import sqlite3
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self

from ..errors import StoreError
from ..runs.result import Provenance, TrainedRun
from ..runs.run import to_canonical_json
from ..training.outcome import Outcome

SCHEMA_VERSION = 1
STORE_NAME = "runs.sqlite"
LOCK_NAME = "runs.lock"

_SCHEMA = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    identity TEXT NOT NULL,
    result TEXT NOT NULL,
    record TEXT NOT NULL,
    checksum TEXT NOT NULL
) STRICT;
CREATE TABLE studies (
    sequence INTEGER PRIMARY KEY,
    study TEXT NOT NULL,
    data_digest TEXT NOT NULL,
    checksum TEXT NOT NULL
) STRICT;
"""


class Store:
    """The finished runs of a folder, to be read and appended to; opened by `open_store`."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Wrap an open connection to the store at this path."""
        self.path = path
        self._connection = connection

    def __enter__(self) -> Self:
        """Return the store itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close the connection."""
        self._connection.close()

    def add(self, rows: Iterable[TrainedRun]) -> None:
        """Append rows in one durable transaction; a row already there must be equal.

        Raises:
            StoreError: If a run is there with another result, or the file cannot be written.
        """
        with self._transaction():
            for row in rows:
                self._insert(row)

    def rows(self) -> dict[str, TrainedRun]:
        """Return all finished runs by id.

        Raises:
            StoreError: If a row does not match its checksum.
        """
        with self._translate_errors():
            records = self._connection.execute(
                "SELECT id, identity, result, record, checksum FROM runs ORDER BY rowid"
            ).fetchall()
        return {record[0]: self._read_row(record) for record in records}

    def begin_study(self, study: str, digests: str) -> None:
        """Keep the settings of a study and its digests, both JSON, unless they are the latest."""
        if self.latest_study() == (study, digests):
            return
        with self._transaction():
            # The column is named for the data; it holds the digest of the code, too.
            self._connection.execute(
                "INSERT INTO studies (study, data_digest, checksum) VALUES (?, ?, ?)",
                (study, digests, _compute_checksum(study, digests)),
            )

    def latest_study(self) -> tuple[str, str] | None:
        """Return the settings and the digests kept last, both JSON; None if there are none.

        Raises:
            StoreError: If they do not match their checksum.
        """
        with self._translate_errors():
            latest = self._connection.execute(
                "SELECT study, data_digest, checksum FROM studies ORDER BY sequence DESC LIMIT 1"
            ).fetchone()
        if latest is None:
            return None
        study, digests, checksum = latest
        if _compute_checksum(study, digests) != checksum:
            raise self._describe_damage("the settings of its study")
        return study, digests

    def _insert(self, row: TrainedRun) -> None:
        result = to_canonical_json(vars(row.outcome))
        record = to_canonical_json(row.provenance.to_document())
        checksum = _compute_checksum(row.id, row.identity, result, record)
        present = self._connection.execute(
            "SELECT identity, result FROM runs WHERE id = ?", (row.id,)
        ).fetchone()
        if present is None:
            self._connection.execute(
                "INSERT INTO runs VALUES (?, ?, ?, ?, ?)",
                (row.id, row.identity, result, record, checksum),
            )
        elif present != (row.identity, result):
            raise StoreError(
                f"{self.path}: got a second, different result for run {row.id}, wanted the same "
                "bits. The machine or the versions changed; use another --out."
            )

    def _read_row(self, record: tuple[str, str, str, str, str]) -> TrainedRun:
        identifier, identity, result, provenance, checksum = record
        if _compute_checksum(identifier, identity, result, provenance) != checksum:
            raise self._describe_damage(f"run {identifier}")
        values = json.loads(result)
        return TrainedRun(
            identifier,
            identity,
            Outcome(values["status"], values["loss"], tuple(values["curve"])),
            Provenance.from_document(json.loads(provenance)),
        )

    def _describe_damage(self, what: str) -> StoreError:
        return StoreError(
            f"{self.path}: got a wrong checksum for {what}, wanted the bytes once written: the "
            "file is damaged. Restore it from a copy, or move it away to train again."
        )

    @contextmanager
    def _transaction(self) -> Generator[None, None, None]:
        # IMMEDIATE: a deferred transaction that turns into a write fails at once when another
        # process writes, whatever the timeout.
        with self._translate_errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self._connection.in_transaction:  # SQLite ends it itself when the disk is full
                    self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    @contextmanager
    def _translate_errors(self) -> Generator[None, None, None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(_describe_unusable(self.path, error)) from None


@contextmanager
def open_store(directory: Path) -> Generator[Store, None, None]:
    """Open the store in a folder for writing, making both if need be.

    Raises:
        StoreError: If the folder or the file cannot be used, or another process writes to it.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = (directory / LOCK_NAME).open("a+", encoding="utf-8")
    except OSError as error:
        raise StoreError(_describe_unwritable(directory, error)) from None
    with lock:
        _lock(lock, directory)
        path = directory / STORE_NAME
        with Store(path, _connect(path)) as store:
            yield store


@contextmanager
def read_store(directory: Path) -> Generator[Store, None, None]:
    """Open the store in a folder for reading only.

    Raises:
        StoreError: If there is none.
    """
    path = directory / STORE_NAME
    if not _is_file(path):
        raise StoreError(
            f"{directory}: got no readable {STORE_NAME} in it, wanted the folder of a study, as "
            "given to `lrtransfer tune --out`."
        )
    with Store(path, _connect(path, read_only=True)) as store:
        yield store


def _lock(lock: IO[str], directory: Path) -> None:
    """Take the writer's lock; it ends with the process, however that ends."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        raise StoreError(
            f"{directory}: got a study in use by {lock.read().strip() or 'another process'}, "
            "wanted one writer at a time. Wait for it, or choose another --out."
        ) from None
    except OSError as error:
        raise StoreError(_describe_unwritable(directory, error)) from None
    lock.truncate(0)
    lock.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    lock.flush()


def _connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(_make_uri(path, read_only=read_only), uri=True)
        connection.isolation_level = None
        try:
            _prepare(path, connection, read_only=read_only)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise StoreError(_describe_unusable(path, error)) from None
    return connection


def _make_uri(path: Path, *, read_only: bool) -> str:
    if not read_only:
        mode = "mode=rwc"
    elif os.access(path.parent, os.W_OK) or path.with_name(f"{STORE_NAME}-wal").exists():
        mode = "mode=ro"
    else:
        # Reading a write-ahead log needs a file beside it, which a read-only folder refuses.
        mode = "immutable=1"
    return f"{path.resolve().as_uri()}?{mode}"


def _prepare(path: Path, connection: sqlite3.Connection, *, read_only: bool) -> None:
    connection.execute("PRAGMA trusted_schema = OFF")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if not read_only:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    if version == 0 and not read_only:
        connection.executescript(
            f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        )
    elif version != SCHEMA_VERSION:
        raise StoreError(
            f"{path}: got a run store of version {version}, wanted version {SCHEMA_VERSION}. "
            "Use the release of lrtransfer that wrote it."
        )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long, or a folder that may not be entered
        return False


def _describe_unwritable(directory: Path, error: OSError) -> str:
    return (
        f"{directory}: got '{error.strerror}', wanted a folder that can be written to and locked. "
        "Choose another --out, on a local disk."
    )


def _describe_unusable(path: Path, error: sqlite3.Error) -> str:
    free = shutil.disk_usage(path.parent).free
    return (
        f"{path}: got '{error}' with {free:,} bytes free, wanted a run store that can be used. "
        "Check free space and permissions; if the file is not a run store, choose another --out."
    )


def _compute_checksum(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
