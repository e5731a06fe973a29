"""Folders of studies that are damaged or a stranger's, and trainers and data that misbehave."""

import sqlite3
import struct
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random

import numpy as np

from lrtransfer.cli.main import main

from .case import WrongInput
from .studies import QUICK

Folder = Mapping[str, bytes]

STATEMENTS = (
    "DROP TABLE runs",
    "DROP TABLE studies",
    "DELETE FROM studies",
    "DELETE FROM runs",
    "UPDATE runs SET result = '{}'",
    "UPDATE runs SET identity = 'x'",
    "UPDATE runs SET checksum = ''",
    "UPDATE studies SET study = '[]'",
    "UPDATE studies SET study = '\x1b[31m'",
    "ALTER TABLE runs RENAME COLUMN result TO answer",
    "CREATE TABLE strange (a)",
    "PRAGMA user_version = 99",
    "ALTER TABLE runs RENAME TO kept; CREATE VIEW runs AS SELECT * FROM kept",
    "INSERT INTO runs SELECT 'x' || id, identity, result, record, checksum FROM runs",
)
PRINTED = (
    "nan", "inf", "-inf", "-3", "0", "1e400", "loss", "", "1,5", "1e", "0x1p3", "1_0", "3 3",
    "None", "\x1b[31m2.5", "9" * 5000, "2.5\\n2.6", "\\xff",
)  # fmt: skip
PATTERNS = (
    "stdout:([0-9.]+", "stdout:", "stdout:(x)", "stdout:.*", "file:x", "{out}/no.json:loss", ":",
    "x", "{out}:loss", "{nothing}/x:loss", "stdout:(?P<a>.)(.)", "{out}/result.json:",
    "stdout:(.*)*",
)  # fmt: skip
TOKEN_FILES: tuple[bytes, ...] = (
    b"",
    b"\x01",
    b"\x01\x02\x03",
    np.arange(20, dtype=np.uint16).tobytes(),
    np.full(4096, 65535, np.uint16).tobytes(),
    np.arange(4096, dtype=np.int32).tobytes(),
    np.arange(4096, dtype=np.int64).tobytes(),
    np.arange(4096, dtype=np.float32).tobytes(),
    np.arange(4096, dtype=">u2").tobytes(),
    struct.pack("<3i1012x", 20240520, 1, 4096) + np.arange(4096, dtype=np.uint16).tobytes(),
    struct.pack("<3i1012x", 20240801, 1, 4096) + np.arange(4096, dtype=np.uint32).tobytes(),
    b"\x93NUMPY\x01\x00",
    b"once upon a time " * 500,
    b"PK\x03\x04" + bytes(5000),
    bytes(8192),
)  # fmt: skip


def make_folders(random: Random, count: int) -> Iterator[WrongInput]:
    """Draw damaged folders of a study that had been finished."""
    sound = _make_sound_folder()
    for _ in range(count):
        damage = random.choice(DAMAGES)
        command = random.choice((
            ("status", "out"), ("status", "out", "--json"), ("report", "out"), ("tune", *QUICK),
        ))  # fmt: skip
        yield WrongInput(
            kind=f"{damage.__name__.strip('_')}, {command[0]}",
            arguments=command,
            files=damage(sound, random),
        )


def make_trainers(random: Random, count: int) -> Iterator[WrongInput]:
    """Draw programs that print odd losses, fail, or are asked for what they do not leave."""
    for _ in range(count):
        given = dict(zip(QUICK[::2], QUICK[1::2], strict=True))
        if random.random() < 0.6:
            text = random.choice(PRINTED)
            given["--command"] = f"printf 'loss {text}' {{width}} {{lr}}"
            given["--loss-from"] = "stdout:loss (.*)"
        else:
            text = given["--loss-from"] = random.choice(PATTERNS)
        options = tuple(f"{name}={value}" for name, value in given.items())
        end = random.choice(((), ("--json",)))
        yield WrongInput(kind=f"trainer {text[:20]!r}", arguments=("tune", *options, *end))


def make_token_files(random: Random, count: int) -> Iterator[WrongInput]:
    """Draw files of tokens that hold something else."""
    for _ in range(count):
        content = random.choice(TOKEN_FILES)
        setting = random.choice((
            "",
            'dtype = "uint16"\n',
            'dtype = "int32"\n',
            'dtype = "float32"\n',
        ))
        vocabulary = random.choice((0, 50, 4096, 50304))
        study = (
            "widths = [16, 32]\nbase_width = 16\ntarget = 64\nseeds = 1\n"
            f'[data]\nsource = "tokens"\npath = "tokens.bin"\nvocabulary = {vocabulary}\n{setting}'
        )
        yield WrongInput(
            kind=f"token file {content[:12]!r}, vocabulary {vocabulary}, {setting.strip()}",
            arguments=("tune", "study.toml", "--dry-run"),
            files={"study.toml": study.encode(), "tokens.bin": content},
        )


def _make_sound_folder() -> Folder:
    """Return the folder of a finished study."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        assert main(("tune", *QUICK[:-1], str(out), "--json")) in (0, 2)
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in out.rglob("*")
            if path.is_file()
        }


def _cut(folder: Folder, random: Random) -> Folder:
    name = random.choice(tuple(folder))
    content = folder[name]
    return {**folder, name: content[: random.randrange(len(content) + 1)]}


def _flip(folder: Folder, random: Random) -> Folder:
    name = random.choice(tuple(folder))
    content = bytearray(folder[name])
    for _ in range(random.choice((1, 20))):
        if content:
            content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    return {**folder, name: bytes(content)}


def _lose(folder: Folder, random: Random) -> Folder:
    gone = random.choice(tuple(folder))
    return {name: content for name, content in folder.items() if name != gone}


def _replace(folder: Folder, random: Random) -> Folder:
    name = random.choice(tuple(folder))
    content = random.choice((b"", b"{}", b"SQLite format 3\x00", b"\x00" * 4096, b"<html>", b"[]"))
    return {**folder, name: content}


def _execute(folder: Folder, random: Random) -> Folder:
    name = next(name for name in folder if name.endswith(".sqlite"))
    with tempfile.NamedTemporaryFile(suffix=".sqlite") as file:
        Path(file.name).write_bytes(folder[name])
        connection = sqlite3.connect(file.name)
        connection.executescript(random.choice(STATEMENTS))
        connection.commit()
        connection.close()
        return {**folder, name: Path(file.name).read_bytes()}


def _stranger(folder: Folder, random: Random) -> Folder:
    return random.choice((
        {"out": b"a file"}, {"out/notes.txt": b"mine"}, {"out/runs.sqlite": b"mine"},
        {"out/report.html/x": b"mine"}, {"out/runs.lock/x": b"mine"}, {"out/runs": b"mine"},
    ))  # fmt: skip


DAMAGES: tuple[Callable[[Folder, Random], Folder], ...] = (
    _cut, _flip, _flip, _lose, _replace, _execute, _execute, _stranger,
)  # fmt: skip
