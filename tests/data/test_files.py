"""Corpora of the user's files: what is read, what is held out, and what the digest covers."""

import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from lrtransfer.data import corpus
from lrtransfer.data.configs import TextConfig, TokensConfig
from lrtransfer.data.corpus import Corpus
from lrtransfer.data.files import read_text_files, read_token_file
from lrtransfer.data.sources import read_corpus
from lrtransfer.data.windows import random_windows
from lrtransfer.errors import ConfigError


def text(path: Path) -> Corpus:
    return read_text_files(TextConfig(path=str(path)))


def tokens(path: Path, dtype: Literal["uint16", "uint32"] = "uint16") -> Corpus:
    return read_token_file(TokensConfig(path=str(path), dtype=dtype))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "books"
    (root / "b" / "deep").mkdir(parents=True)
    (root / "a.txt").write_bytes(b"a" * 90 + b"A" * 10)
    (root / "b" / "b.md").write_bytes(b"b" * 180 + b"B" * 20)
    (root / "b" / "deep" / "c").write_bytes(b"c" * 9 + b"C")
    return root


def test_the_last_tenth_of_every_file_below_a_folder_is_held_out(folder: Path) -> None:
    corpus = text(folder)
    parts = [b"a" * 90, b"b" * 180, b"c" * 9, b""]
    assert corpus.train.tobytes() == b"\0".join(parts)
    assert corpus.held_out.tobytes() == b"\0".join([b"A" * 10, b"B" * 20, b"C", b""])
    assert corpus.name == "books"


def test_a_single_file_is_a_text_too(folder: Path) -> None:
    corpus = text(folder / "a.txt")
    assert corpus.train.tobytes() == b"a" * 90 + b"\0"
    assert corpus.held_out.tobytes() == b"A" * 10 + b"\0"
    assert read_corpus(TextConfig(path=str(folder / "a.txt"))).digest == corpus.digest


def test_hidden_files_and_folders_are_left_out(folder: Path) -> None:
    before = text(folder).digest
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_bytes(b"hidden")
    (folder / "b" / ".DS_Store").write_bytes(b"hidden")
    assert text(folder).digest == before


def test_a_folder_below_a_hidden_one_is_read(tmp_path: Path) -> None:
    (tmp_path / ".cache" / "text").mkdir(parents=True)
    (tmp_path / ".cache" / "text" / "a").write_bytes(b"a" * 20)
    assert text(tmp_path / ".cache" / "text").train.tobytes() == b"a" * 18 + b"\0"


def test_the_digest_knows_content_and_order_and_no_names(folder: Path) -> None:
    before = text(folder).digest
    moved = folder.rename(folder.with_name("other"))
    assert text(moved).digest == before
    (moved / "a.txt").rename(moved / "aa.txt")  # still the first
    assert text(moved).digest == before
    (moved / "aa.txt").rename(moved / "z.txt")  # now the last
    assert text(moved).digest != before
    (moved / "z.txt").rename(moved / "a.txt")
    assert text(moved).digest == before
    (moved / "a.txt").write_bytes(b"a" * 89 + b"!" + b"A" * 10)
    assert text(moved).digest != before


@pytest.mark.parametrize("files", [(), ("empty", "empty too")])
def test_a_folder_without_text_is_refused(tmp_path: Path, files: tuple[str, ...]) -> None:
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(ConfigError, match=r"data.path: got .* without any text in it"):
        text(tmp_path)


@pytest.mark.parametrize("read", [text, tokens])
def test_a_missing_path_is_named_in_full(
    read: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    message = (
        rf"data.path: got {re.escape(str(tmp_path / 'nowhere'))} \(No such file or directory\)"
    )
    with pytest.raises(ConfigError, match=message):
        read(Path("nowhere"))


@pytest.mark.parametrize("dtype", ["uint16", "uint32"])
def test_tokens_stay_on_the_disk_and_the_last_tenth_is_held_out(
    tmp_path: Path, dtype: Literal["uint16", "uint32"]
) -> None:
    written = np.arange(1000, dtype=dtype) * 65
    (tmp_path / "tokens.bin").write_bytes(written.astype(written.dtype.newbyteorder("<")).tobytes())
    corpus = tokens(tmp_path / "tokens.bin", dtype)
    for part, expected in ((corpus.train, written[:900]), (corpus.held_out, written[900:])):
        assert isinstance(part, np.memmap)
        assert not part.flags.writeable
        assert np.array_equal(part, expected)
    windows = random_windows(corpus.train, count=3, length=5, generator=np.random.default_rng(0))
    assert windows.dtype == np.int64
    assert (np.diff(windows, axis=1) == 65).all()


def test_equal_bytes_of_another_type_are_other_data(tmp_path: Path) -> None:
    (tmp_path / "tokens.bin").write_bytes(np.arange(1000, dtype="<u2").tobytes())
    assert (
        tokens(tmp_path / "tokens.bin").digest != tokens(tmp_path / "tokens.bin", "uint32").digest
    )


@pytest.mark.parametrize(
    ("content", "dtype", "message"),
    [
        (b"", "uint16", r"of 0 bytes, wanted uint16 numbers of 2 bytes each"),
        (b"abc", "uint16", r"of 3 bytes, wanted uint16 numbers of 2 bytes each"),
        (b"abcdef", "uint32", r"of 6 bytes, wanted uint32 numbers of 4 bytes each"),
    ],
)
def test_a_file_of_another_size_is_refused(
    tmp_path: Path, content: bytes, dtype: Literal["uint16", "uint32"], message: str
) -> None:
    (tmp_path / "tokens.bin").write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        tokens(tmp_path / "tokens.bin", dtype)


def test_a_folder_is_no_file_of_tokens(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"data.path: got .*books .*wanted"):
        tokens(folder)


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Return more tokens than a digest reads: four blocks of ten of a hundred."""
    monkeypatch.setattr(corpus, "_LARGEST_HASHED", 100)
    monkeypatch.setattr(corpus, "_BLOCKS", 4)
    monkeypatch.setattr(corpus, "_BLOCK", 10)
    return np.zeros(100, dtype=np.uint16)


def digest_with(large: np.ndarray, place: int | None = None, *, length: int | None = None) -> str:
    changed = large[:length].copy()
    if place is not None:
        changed[place] = 1
    return Corpus("large", train=changed, held_out=large[:10]).digest


@pytest.mark.parametrize(("place", "is_read"), [(0, True), (9, True), (99, True), (20, False)])
def test_the_digest_of_many_tokens_sees_the_blocks_it_reads(
    large: np.ndarray, place: int, is_read: bool
) -> None:
    assert (digest_with(large, place) != digest_with(large)) == is_read


def test_the_digest_of_many_tokens_sees_their_number(large: np.ndarray) -> None:
    assert digest_with(large, length=99) != digest_with(large)
