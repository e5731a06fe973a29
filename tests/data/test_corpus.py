"""The embedded corpus: its split, its digest, its refusals."""

from pathlib import Path

import numpy as np
import pytest

from lrtransfer.data.corpus import Corpus, read_standard_library, tokens_of
from lrtransfer.data.windows import even_windows, random_windows
from lrtransfer.errors import UserError


def library(root: Path, *, files: int = 200, size: int = 20_000) -> Path:
    for i in range(files):
        (root / f"package{i % 3}").mkdir(exist_ok=True)
        (root / f"package{i % 3}" / f"module{i}.py").write_bytes(b"%05d" % i * (size // 5))
    return root


def test_the_real_library_is_large_and_split_by_file() -> None:
    corpus = read_standard_library()
    assert len(corpus.train) > 3_000_000
    assert 0.05 < len(corpus.held_out) / len(corpus.train) < 0.25
    assert corpus.digest == read_standard_library().digest
    train, held_out = (
        set(tokens.tobytes().split(b"\0")) for tokens in (corpus.train, corpus.held_out)
    )
    assert train & held_out <= {b""}


def test_the_split_does_not_depend_on_other_files(tmp_path: Path) -> None:
    before = read_standard_library(library(tmp_path)).held_out.tobytes().split(b"\0")
    (tmp_path / "a_new_module.py").write_bytes(b"new")
    after = read_standard_library(tmp_path).held_out.tobytes().split(b"\0")
    assert [part for part in after if part != b"new"] == before


def test_tests_and_installed_packages_are_left_out(tmp_path: Path) -> None:
    digest = read_standard_library(library(tmp_path)).digest
    for folder in ("test", "site-packages"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "module.py").write_bytes(b"left out")
    assert read_standard_library(tmp_path).digest == digest


def test_the_digest_knows_text_and_split() -> None:
    digests = {
        Corpus("a", *map(tokens_of, parts)).digest
        for parts in [(b"ab", b"c"), (b"a", b"bc"), (b"ab", b"d")]
    }
    assert len(digests) == 3


def test_a_stripped_library_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"got 100,0\d\d bytes .* keeps its library as .py files"):
        read_standard_library(library(tmp_path, files=5))


def test_even_windows_are_the_same_and_span_the_text() -> None:
    text = tokens_of(bytes(range(100)))
    windows = even_windows(text, count=4, length=10)
    assert windows[:, 0].tolist() == [0, 30, 60, 90]
    assert windows[3].tolist() == list(range(90, 100))


def test_random_windows_come_from_the_generator_alone() -> None:
    def draw(seed: int) -> np.ndarray:
        generator = np.random.default_rng(seed)
        return random_windows(tokens_of(bytes(range(50))), count=300, length=5, generator=generator)

    assert np.array_equal(draw(1), draw(1))
    assert not np.array_equal(draw(1), draw(2))
    assert (np.diff(draw(1), axis=1) == 1).all()
    # Every start 0 .. 45 occurs: 300 draws miss one of 46 with probability below 0.1 in all.
    assert set(draw(1)[:, 0]) >= {0, 45}


def test_short_texts_are_refused() -> None:
    with pytest.raises(UserError, match=r"got 9 tokens, wanted at least 20"):
        even_windows(tokens_of(b"123456789"), count=2, length=10)
