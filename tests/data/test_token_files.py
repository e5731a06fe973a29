"""Files of tokens of every kind: read as what they are, or refused with the setting that reads."""

import gzip
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lrtransfer.data.configs import TextConfig, TokensConfig
from lrtransfer.data.corpus import Corpus
from lrtransfer.data.files import read_text_files, read_token_file
from lrtransfer.data.token_types import recognise_type
from lrtransfer.errors import ConfigError
from lrtransfer.runs.digests import compute_digests
from lrtransfer.study.load import load

from .token_files import (
    Ids,
    draw_ids,
    write_chunk,
    write_litdata,
    write_llm_c,
    write_megatron,
)

needs_litdata = pytest.mark.skipif(
    importlib.util.find_spec("litdata") is None, reason="litdata is not installed"
)
GPT2, LLAMA3 = 50_257, 128_256
CODES = {"uint16": 8, "int32": 4, "int64": 5}


def read(path: Path, **settings: Any) -> Corpus:
    return read_token_file(TokensConfig(path=str(path), **settings))


def tokens_of(corpus: Corpus) -> Ids:
    return np.concatenate([corpus.train, corpus.held_out])


def write_plain(path: Path, ids: Ids, dtype: str) -> Path:
    path.write_bytes(ids.astype(dtype).tobytes())
    return path


Write = Callable[[Path, Ids], Path]
FORMATS: dict[str, tuple[Write, int, str]] = {
    "llm.c, GPT-2": (
        lambda p, ids: write_llm_c(p / "a.bin", ids, magic=20240520, version=1, dtype="<u2"),
        GPT2,
        "llm.c",
    ),
    "llm.c, Llama 3": (
        lambda p, ids: write_llm_c(p / "a.bin", ids, magic=20240801, version=7, dtype="<u4"),
        LLAMA3,
        "llm.c",
    ),
    "megatron int32": (
        lambda p, ids: write_megatron(p / "a", ids, dtype="<i4", code=4),
        LLAMA3,
        "megatron",
    ),
    "megatron int64": (
        lambda p, ids: write_megatron(p / "a", ids, dtype="<i8", code=5),
        LLAMA3,
        "megatron",
    ),
    "chunk of litdata": (
        lambda p, ids: write_chunk(p / "chunk-0-0.bin", ids, dtype="<u2"),
        GPT2,
        "litdata",
    ),
}


def write_npy(dtype: str) -> Write:
    def write(folder: Path, ids: Ids) -> Path:
        np.save(folder / "a.npy", ids.astype(dtype))
        return folder / "a.npy"

    return write


FORMATS |= {
    f"npy {dtype}": (write_npy(dtype), GPT2, "npy") for dtype in ("uint16", "<i8", ">i4", "int32")
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_named_where_numbers_are_expected_and_read_where_it_is_given(
    name: str, tmp_path: Path
) -> None:
    write, vocabulary, known = FORMATS[name]
    ids = draw_ids(vocabulary)
    path = write(tmp_path, ids)
    with pytest.raises(ConfigError, match=rf"data.format: got 'raw' .* data.format = '{known}'"):
        read(path)
    corpus = read(path, format=known)
    assert np.array_equal(tokens_of(corpus), ids)
    assert corpus.train.dtype.kind == "u"
    assert isinstance(corpus.train, np.memmap)


@pytest.mark.slow
@needs_litdata
@pytest.mark.parametrize(
    ("kind", "dtype"),
    [("numpy", "uint16"), ("tensor", "int32"), ("tensor", "int64"), ("tensor", "uint16")],
)
def test_what_litdata_wrote_is_read(kind: str, dtype: str, tmp_path: Path) -> None:
    ids = draw_ids(GPT2, count=10_000)
    folder = write_litdata(tmp_path / "data", ids, kind=kind, dtype=dtype)
    (first, *_) = chunks = sorted(folder.glob("chunk-*.bin"))
    assert len(chunks) > 1
    for path in (folder, first):
        with pytest.raises(ConfigError, match=r"data.format = 'litdata'"):
            read(path)
    assert np.array_equal(tokens_of(read(folder, format="litdata")), ids)
    assert np.array_equal(tokens_of(read(first, format="litdata")), ids[:3000])


def test_a_folder_of_chunks_is_read_by_its_index(tmp_path: Path) -> None:
    ids, names = draw_ids(GPT2), ("chunk-0-0.bin", "chunk-0-1.bin")
    for name, part in zip(names, np.array_split(ids, 2), strict=True):
        write_chunk(tmp_path / name, part, dtype="<i4")
    index: dict[str, Any] = {
        "chunks": [{"filename": name} for name in names],
        "config": {"data_format": ["no_header_tensor:16"], "compression": None},
    }
    (tmp_path / "index.json").write_text(json.dumps(index))
    assert np.array_equal(tokens_of(read(tmp_path, format="litdata")), ids)
    for key, value, message in (
        ("compression", "zstd", "compression 'zstd'"),
        ("data_format", ["no_header_tensor:0"], "chunks of 'no_header_tensor:0'"),
        ("data_format", ["jpeg", "int"], "as litdata's TokensLoader reads"),
        ("data_format", None, "as litdata's TokensLoader reads"),
    ):
        changed = index | {"config": index["config"] | {key: value}}
        (tmp_path / "index.json").write_text(json.dumps(changed))
        with pytest.raises(ConfigError, match=message):
            read(tmp_path, format="litdata")
    (tmp_path / "index.json").write_text("[]")
    with pytest.raises(ConfigError, match="no index of litdata"):
        read(tmp_path, format="litdata")


def test_a_megatron_dataset_is_named_by_its_prefix_or_either_file(tmp_path: Path) -> None:
    ids = draw_ids(LLAMA3)
    write_megatron(tmp_path / "c4.en_text_document", ids, dtype="<i4", code=4)
    for end in ("", ".bin", ".idx"):
        path = tmp_path / f"c4.en_text_document{end}"
        assert np.array_equal(tokens_of(read(path, format="megatron")), ids)
    # What was read rightly before still is, and is the same data.
    plain = read(tmp_path / "c4.en_text_document.bin", dtype="uint32")
    assert plain.digest == read(tmp_path / "c4.en_text_document", format="megatron").digest
    small = draw_ids(GPT2)
    path = write_megatron(tmp_path / "small", small, dtype="<u2", code=8)
    assert np.array_equal(tokens_of(read(path)), small)
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(ConfigError, match=r"wanted 20,000 of 2 bytes each: the file is cut off"):
        read(path, format="megatron")


TYPES = ("uint8", "uint16", "uint32", "int32", "int64")
WRITTEN = {
    "uint16": ("<u2", GPT2),
    "int32": ("<i4", LLAMA3),
    "int32, few": ("<i4", 60),
    "int32, of GPT-2": ("<i4", GPT2),
    "int64": ("<i8", LLAMA3),
    "int64, few": ("<i8", 11),
    "big-endian uint16": (">u2", GPT2),
    "big-endian uint16, few": (">u2", 200),
    "big-endian int32": (">i4", LLAMA3),
    "big-endian int64": (">i8", LLAMA3),
}


def evenly(vocabulary: int) -> Ids:
    return np.random.default_rng(0).integers(vocabulary, size=20_000)


@pytest.mark.parametrize("draw", [draw_ids, evenly], ids=["as words", "evenly"])
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", WRITTEN)
def test_numbers_are_read_as_what_they_are_or_refused_with_their_type(
    name: str, dtype: Any, draw: Callable[[int], Ids], tmp_path: Path
) -> None:
    code, vocabulary = WRITTEN[name]
    ids = draw(vocabulary)
    path = write_plain(tmp_path / "tokens.bin", ids, code)
    kind = name.partition(",")[0]
    if kind.removeprefix("u") == dtype.removeprefix("u"):
        assert np.array_equal(tokens_of(read(path, dtype=dtype)), ids)
        return
    with pytest.raises(ConfigError, match=rf"^data.dtype: got '{dtype}', .* of {kind} numbers"):
        read(path, dtype=dtype)


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "int64"])
def test_bytes_of_a_text_are_no_wider_numbers(dtype: Any, tmp_path: Path) -> None:
    text = Path(np.__file__).with_name("conftest.py").read_bytes()[:8000]
    (tmp_path / "text.bin").write_bytes(text)
    with pytest.raises(ConfigError, match=r"Give data.dtype = 'uint8'"):
        read(tmp_path / "text.bin", dtype=dtype)
    assert tokens_of(read(tmp_path / "text.bin", dtype="uint8")).tobytes() == text


@pytest.mark.parametrize("vocabulary", [2, 4, 17, 65, 256, 1000, GPT2, 65_000, 2**16])
@pytest.mark.parametrize("draw", [draw_ids, evenly], ids=["as words", "evenly"])
def test_no_vocabulary_in_two_bytes_is_mistaken(
    vocabulary: int, draw: Callable[[int], Ids], tmp_path: Path
) -> None:
    ids = draw(vocabulary)
    assert np.array_equal(tokens_of(read(write_plain(tmp_path / "t", ids, "<u2"))), ids)


@pytest.mark.parametrize(
    "ids",
    [
        np.zeros(1000, int),
        np.full(1000, 7),
        np.arange(1000),
        np.arange(1000) * 65,
        np.tile([0, 1], 500),
        np.arange(30),
    ],
    ids=["zeros", "constant", "counting", "in steps", "alternating", "short"],
)
def test_odd_data_is_read_as_said(ids: Ids, tmp_path: Path) -> None:
    for dtype in ("uint16", "uint32", "int64"):
        path = write_plain(tmp_path / "t", ids, f"<u{np.dtype(dtype).itemsize}")
        assert np.array_equal(tokens_of(read(path, dtype=dtype)), ids)


def test_the_advice_for_another_byte_order_is_right(tmp_path: Path) -> None:
    ids = draw_ids(GPT2)
    path = write_plain(tmp_path / "tokens.bin", ids, ">u2")
    with pytest.raises(ConfigError, match=r"Write it again: np.fromfile") as caught:
        read(path)
    other = tmp_path / "other.bin"
    eval(
        str(caught.value).partition("Write it again: ")[2].partition("; if")[0],
        {"np": np, "path": path, "other": other},
    )
    assert np.array_equal(tokens_of(read(other)), ids)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(bytes(1000), mtime=0), "compressed by gzip"),
        (b"PK\x03\x04" + bytes(1000), "a zip archive, as np.savez"),
        (b"PAR1" + bytes(1000), "a Parquet file"),
        (b"\x80\x04\x95" + bytes(1001), "a pickle"),
    ],
)
def test_what_holds_no_tokens_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read(tmp_path / "t")


def test_a_file_of_another_kind_is_no_text(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", draw_ids(GPT2))
    with pytest.raises(ConfigError, match=r"data.source = 'tokens' and data.format = 'npy'"):
        read_text_files(TextConfig(path=str(tmp_path / "a.npy")))
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"text" * 100))
    with pytest.raises(ConfigError, match=r"a.gz, compressed by gzip, wanted text"):
        read_text_files(TextConfig(path=str(tmp_path / "a.gz")))
    (tmp_path / "a.txt").write_bytes("μ\0\x80 text".encode() * 50)  # whatever else is text
    assert len(read_text_files(TextConfig(path=str(tmp_path / "a.txt"))).train)


def test_damaged_and_misnamed_files_are_one_error(tmp_path: Path) -> None:
    ids = draw_ids(GPT2)
    path = write_llm_c(tmp_path / "a.bin", ids, magic=20240520, version=1, dtype="<u2")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ConfigError, match=r"wanted 20,000 of 2 bytes each: the file is cut off"):
        read(path, format="llm.c")
    evaluations = write_llm_c(tmp_path / "b.bin", ids, magic=20240522, version=1, dtype="<u2")
    with pytest.raises(ConfigError, match="multiple-choice evaluations"):
        read(evaluations, format="llm.c")
    plain = write_plain(tmp_path / "c.bin", ids, "<u2")
    for name, message in (
        ("llm.c", "without a header of llm.c"),
        ("npy", "no .npy file of plain numbers"),
        ("megatron", r"c.idx \(No such file or directory\)"),
        ("litdata", "no chunk of litdata"),
    ):
        with pytest.raises(ConfigError, match=message):
            read(plain, format=name)
    np.save(tmp_path / "floats.npy", np.ones(10))
    with pytest.raises(ConfigError, match="numbers of type float64"):
        read(tmp_path / "floats.npy", format="npy")
    np.save(tmp_path / "objects.npy", np.array([{}] * 10), allow_pickle=True)
    with pytest.raises(ConfigError, match=r"no .npy file of plain numbers"):
        read(tmp_path / "objects.npy", format="npy")
    np.save(tmp_path / "wide.npy", ids)
    with pytest.raises(ConfigError, match=r"data.dtype: got 'uint32', but .* are int64"):
        read(tmp_path / "wide.npy", format="npy", dtype="uint32")


def study(path: Path, *, vocabulary: int = GPT2, **data: Any) -> Any:
    settings = {"source": "tokens", "path": str(path), "held_out_tokens": 512, **data}
    model = {"vocabulary": vocabulary, "depth": 1, "context": 16}
    return load(None, {"data": settings, "model": model, "widths": (16, 32), "base_width": 16})


def test_ids_beyond_the_vocabulary_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    path = write_plain(tmp_path / "t", np.append(draw_ids(1000), 1000), "<u2")
    compute_digests(study(path, vocabulary=1001))
    with pytest.raises(ConfigError, match=r"got the token 1,000 in t, .* model.vocabulary, 1,000"):
        compute_digests(study(path, vocabulary=1000))
    ignored = write_plain(tmp_path / "n", np.append(draw_ids(1000), -100), "<i4")
    with pytest.raises(ConfigError, match="got the token -100 in n, wanted ids from 0"):
        compute_digests(study(ignored, dtype="int32"))


def test_the_same_tokens_are_the_same_data_in_whatever_file(tmp_path: Path) -> None:
    from lrtransfer.sweeps.sweep import prepare_sweep

    ids = draw_ids(1000)
    np.save(tmp_path / "a.npy", ids.astype("<u2"))
    plain = study(write_plain(tmp_path / "t", ids, "<u2"))
    saved = study(tmp_path / "a.npy", format="npy")
    names = [
        {planned.run.id for planned in sweep.expand(sweep.design.first())}
        for sweep in map(prepare_sweep, (plain, saved))
    ]
    assert names[0] == names[1]


def test_types_are_recognised_from_few_numbers() -> None:
    ids = draw_ids(LLAMA3, count=100)
    assert recognise_type(ids.astype("<i4").view(np.uint8)) == "int32"
    assert recognise_type(ids.astype("<i8").view(np.uint8)) == "int64"
