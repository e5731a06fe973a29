"""The durable record of finished runs: one SQLite file, one writing process. Loads no torch.

Only facts are kept: a run is there with its result, or it is not there. Every row carries a
checksum, because SQLite's own check does not see a flipped bit in a value.
"""

import fcntl
import hashlib
import os
import shutil
import socket
import sqlite3
from collections.abc import Generator, Iterable
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Self

from ..errors import StoreError
from ..runs.result import TrainedRun
from ..runs.run import to_canonical_json
from .own_files import open_own, require_own_files
from .rows import read_outcome, read_provenance

SCHEMA_VERSION = 1
STORE_NAME = "runs.sqlite"
LOCK_NAME = "runs.lock"

_WRITTEN = ("prediction.json", ".prediction.json.tmp")
_CUT_SHORT = (sqlite3.SQLITE_READONLY_ROLLBACK, sqlite3.SQLITE_READONLY_RECOVERY)

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
        if not _matches(checksum, study, digests):
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
        if not _matches(checksum, identifier, identity, result, provenance):
            raise self._describe_damage(f"run {identifier}")
        try:
            outcome, made = read_outcome(result), read_provenance(provenance)
        except ValueError as error:
            raise self._describe_damage(
                f"run {identifier}", f"no result of one ({error})"
            ) from None
        return TrainedRun(identifier, identity, outcome, made)

    def _describe_damage(self, what: str, got: str = "a wrong checksum") -> StoreError:
        return StoreError(
            f"{self.path}: got {got} for {what}, wanted the bytes once written: the file is "
            "damaged. Restore it from a copy, or move it away to train again."
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
        require_own_files(directory, LOCK_NAME, STORE_NAME, *_beside(STORE_NAME), *_WRITTEN)
        lock = os.fdopen(open_own(directory / LOCK_NAME), "r+", encoding="utf-8")
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
        raise StoreError(
            f"{directory}: got a study in use by {_read_holder(lock) or 'another process'}, "
            "wanted one writer at a time. Wait for it, or choose another --out."
        ) from None
    except OSError as error:
        raise StoreError(_describe_unwritable(directory, error)) from None
    holder = _read_holder(lock)
    if holder and not holder.startswith("process "):
        raise StoreError(
            f"{directory / LOCK_NAME}: got a file of something else, wanted the lock of a study. "
            "Move it away, or choose another --out."
        )
    lock.seek(0)
    lock.truncate(0)
    lock.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    lock.flush()


def _read_holder(lock: IO[str]) -> str:
    """Return the process that a lock names; what else the file begins with, if it is none."""
    lock.seek(0)
    try:
        return lock.read(200).strip()
    except UnicodeDecodeError:
        return "bytes"


def _connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    try:
        if not read_only:
            _inspect(path)
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


def _inspect(path: Path) -> None:
    """Refuse a database of another program before it is opened for writing, which changes it.

    Raises:
        StoreError: If it is one.
    """
    if not _is_file(path) or not path.stat().st_size:
        return
    # Without a write-ahead log the file alone tells all, and reading leaves nothing beside it.
    has_log = path.with_name(f"{STORE_NAME}-wal").exists()
    mode = "mode=ro" if has_log else "immutable=1"
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True)) as connection:
        try:
            connection.execute("PRAGMA trusted_schema = OFF")
            _require_schema(path, connection, may_be_empty=True)
        except sqlite3.OperationalError as error:
            # Of a store whose making was cut short, which opening it for writing undoes.
            if error.sqlite_errorcode in _CUT_SHORT:
                return
            raise StoreError(_describe_unusable(path, error)) from None


def _prepare(path: Path, connection: sqlite3.Connection, *, read_only: bool) -> None:
    connection.execute("PRAGMA trusted_schema = OFF")
    is_new = _require_schema(path, connection, may_be_empty=not read_only)
    if not read_only:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    if is_new:
        connection.executescript(
            f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        )


def _require_schema(path: Path, connection: sqlite3.Connection, *, may_be_empty: bool) -> bool:
    """Return whether a database is empty; refuse one that holds anything but our tables.

    A view in the place of a table may compute for ever; a trigger writes what nobody asked for.

    Raises:
        StoreError: If it is no run store, or one of another version or form.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    objects = _list_objects(connection)
    if may_be_empty and not objects and not version:
        return True
    with closing(sqlite3.connect(":memory:")) as memory:
        memory.executescript(_SCHEMA)
        expected = _list_objects(memory)
    foreign = [f"{kind} {name}" for kind, name in objects if (kind, name) not in expected]
    if not expected.keys() <= objects.keys():
        what = f"{(foreign or [' '.join(key) for key in objects] or ['nothing'])[0]} already exists"
        raise StoreError(
            f"{path}: got a database in which {what}, which is not a run store's, wanted one that "
            "lrtransfer made. Choose another --out."
        )
    if version != SCHEMA_VERSION:
        raise StoreError(
            f"{path}: got a run store of version {version}, wanted version {SCHEMA_VERSION}. "
            "Use the release of lrtransfer that wrote it."
        )
    if objects != expected:
        what = foreign[0] if foreign else "a table of another form"
        raise StoreError(
            f"{path}: got a run store with {what}, wanted its two tables as lrtransfer makes them. "
            "Restore it from a copy, or choose another --out."
        )
    return False


def _list_objects(connection: sqlite3.Connection) -> dict[tuple[str, str], str]:
    """Return tables, views, triggers and indices by kind and name, as they were made."""
    rows = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    return {
        (kind, name): " ".join(str(sql).split())
        for kind, name, sql in rows
        if not name.startswith("sqlite_")  # SQLite's own
    }


def _beside(name: str) -> tuple[str, ...]:
    """Return the names of the files that SQLite writes beside a database."""
    return tuple(f"{name}-{end}" for end in ("wal", "shm", "journal"))


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


def _matches(checksum: object, *texts: object) -> bool:
    """Tell whether texts are those of a checksum; a file that was cut may hold nothing instead."""
    strings = [text for text in texts if isinstance(text, str)]
    return len(strings) == len(texts) and _compute_checksum(*strings) == checksum


def _compute_checksum(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
