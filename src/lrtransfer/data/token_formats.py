"""Files of tokens that say what they hold: a header, or an index beside them.

Each format is read as its own library reads it. A file of one that is given as plain numbers is
recognised by its first bytes.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError
from .configs import TokenFormat, TokensConfig
from .corpus import Tokens

# llm.c, dev/data/data_common.py: 256 int32, of which magic, version and number of tokens; tokens.
_LLM_C_HEADER = 256
_LLM_C_TYPES = {20240520: "<u2", 20240801: "<u4"}  # GPT-2, Llama 3
_LLM_C_OTHERS = {20240522: "multiple-choice evaluations", 20240326: "weights", 20240328: "merges"}
# Megatron-LM, megatron/core/datasets/indexed_dataset.py: PREFIX.bin and PREFIX.idx, which begins
# with these bytes, version 1 as uint64, the code of a type as uint8, and two counts as uint64.
_MEGATRON_HEADER = b"MMIDIDX\0\0"
_MEGATRON_TYPES = {1: "u1", 2: "i1", 3: "<i2", 4: "<i4", 5: "<i8", 8: "<u2"}
# litdata 0.2.76, streaming/constants.py: codes of torch's types, and of NumPy's.
_LITDATA_TYPES = {
    "tensor": {11: "u1", 12: "i1", 13: "<i2", 14: "<i2", 15: "<i4", 16: "<i4", 17: "<i8",
               18: "<i8", 20: "<u2"},
    "numpy": {0: "i1", 1: "<i2", 2: "<i4", 3: "<i8", 4: "u1", 5: "<u2", 6: "<u4", 7: "<u8"},
}  # fmt: skip
_LITDATA_INDEX = "index.json"
_NPY_HEADER = b"\x93NUMPY"
# What else a file may be, by its first bytes.
_NO_TOKENS = {
    b"PK\x03\x04": "a zip archive, as np.savez and torch.save write",
    b"\x1f\x8b\x08": "compressed by gzip",
    b"\x28\xb5\x2f\xfd": "compressed by zstd",
    b"\xfd7zXZ\0": "compressed by xz",
    b"PAR1": "a Parquet file",
    b"ARROW1\0\0": "an Arrow file",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file",
    b"\x80\x04\x95": "a pickle",
    b"TNTIDX\0\0": "an index of a fairseq dataset that is not memory-mapped",
}


def read_formatted(config: TokensConfig) -> Tokens:
    """Return the tokens of a file whose format says what they are, mapped into memory.

    Those of several files, the chunks of litdata, are read into memory.

    Arguments:
        config: Path and format.

    Raises:
        ConfigError: If the file is not of that format, or its type is not the one given.
        OSError: If it cannot be read.
    """
    path = Path(config.path)
    tokens = _READERS[config.format](path, config.dtype)
    own = tokens.dtype
    if own.kind not in "iu":
        raise ConfigError(_describe(path, f"numbers of type {own}", "whole numbers"))
    if config.dtype not in {"uint16", own.name}:  # uint16 is the default: it may not be meant
        raise ConfigError(
            f"data.dtype: got {config.dtype!r}, but {path} says that its tokens are {own.name}, "
            "wanted no type beside a format that says its own. Remove data.dtype."
        )
    # Ids are the same numbers whether their type has a sign, and so are the runs on them.
    unsigned: Tokens = tokens.view(own.str.replace("i", "u"))
    return unsigned


def recognise_format(path: Path) -> TokenFormat | None:
    """Return the format that a file says it has, None if its first bytes are plain numbers.

    Raises:
        ConfigError: If it is a file of another kind, which holds no tokens.
        OSError: If it cannot be read.
    """
    if path.is_dir():
        return "litdata" if (path / _LITDATA_INDEX).is_file() else None
    with path.open("rb") as file:
        start = file.read(4 * _LLM_C_HEADER)
    if kind := _name_other_kind(start):
        raise ConfigError(_describe(path, kind, "the tokens themselves, as whole numbers"))
    if start.startswith(_NPY_HEADER):
        return "npy"
    if start.startswith(_MEGATRON_HEADER):
        return "megatron"
    if _read_llm_c_magic(start) in {*_LLM_C_TYPES, *_LLM_C_OTHERS}:
        return "llm.c"
    return "litdata" if _is_chunk(path, start) else None


def require_no_other_kind(path: Path) -> None:
    """Refuse a file that says it is no text: its bytes would be trained on all the same.

    Raises:
        ConfigError: If its first bytes are those of another kind of file.
        OSError: If it cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(4 * _LLM_C_HEADER)
    if kind := _name_other_kind(start):
        raise ConfigError(_describe(path, kind, "text"))
    if (known := recognise_format(path)) is not None:
        raise ConfigError(
            f"data.source: got 'text' with {path}, a file of tokens in the format {known!r}, "
            f"wanted tokens. Give data.source = 'tokens' and data.format = {known!r}."
        )


def _name_other_kind(start: bytes) -> str | None:
    return next((kind for magic, kind in _NO_TOKENS.items() if start.startswith(magic)), None)


def find_megatron_type(path: Path) -> str | None:
    """Return the type in the Megatron index beside a file of numbers, None without one."""
    index = _split_prefix(path).with_name(_split_prefix(path).name + ".idx")
    if path.suffix != ".bin" or not index.is_file():
        return None
    with index.open("rb") as file:
        start = file.read(18)
    if not start.startswith(_MEGATRON_HEADER) or start[17] not in _MEGATRON_TYPES:
        return None
    return np.dtype(_MEGATRON_TYPES[start[17]]).name


def _describe(path: Path, got: str, wanted: str) -> str:
    return f"data.path: got {path}, {got}, wanted {wanted}. Convert it, or name another."


def _map(path: Path, dtype: str, *, offset: int = 0, count: int | None = None) -> npt.NDArray[Any]:
    """Map numbers of a file into memory.

    Raises:
        ConfigError: If the file does not hold so many, or a number is cut off.
    """
    size = np.dtype(dtype).itemsize
    rest = path.stat().st_size - offset
    wanted = rest // size if count is None else count
    if rest != wanted * size or wanted < 1:
        raise ConfigError(
            f"data.path: got {path} with {rest:,} bytes of tokens, wanted {max(wanted, 1):,} of "
            f"{size} bytes each: the file is cut off, or not what its header says."
        )
    return np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=(wanted,))


def _read_llm_c(path: Path, dtype: str) -> npt.NDArray[Any]:
    with path.open("rb") as file:
        start = file.read(4 * _LLM_C_HEADER)
    magic = _read_llm_c_magic(start)
    if magic in _LLM_C_OTHERS:
        raise ConfigError(
            _describe(path, f"a file of llm.c with {_LLM_C_OTHERS[magic]}", "one of its tokens")
        )
    if magic not in _LLM_C_TYPES:
        raise ConfigError(_describe(path, f"without a header of llm.c ({_list_magics()})", "one"))
    count = int.from_bytes(start[8:12], "little")
    return _map(path, _LLM_C_TYPES[magic], offset=4 * _LLM_C_HEADER, count=count)


def _read_llm_c_magic(start: bytes) -> int | None:
    """Return the first number of a header of llm.c; the rest of one is mostly 0."""
    is_header = len(start) == 4 * _LLM_C_HEADER and not any(start[32:])
    return int.from_bytes(start[:4], "little") if is_header else None


def _list_magics() -> str:
    return "it begins with " + " or ".join(map(str, _LLM_C_TYPES))


def _read_npy(path: Path, dtype: str) -> npt.NDArray[Any]:
    try:
        array: npt.NDArray[Any] = np.lib.format.open_memmap(path, mode="r")
    except ValueError as error:
        raise ConfigError(
            _describe(path, f"no .npy file of plain numbers ({error})", "one")
        ) from None
    if not array.flags.c_contiguous or not array.size:
        raise ConfigError(
            _describe(path, f"an array of shape {array.shape}", "rows of tokens in C order")
        )
    return array.reshape(-1)


def _split_prefix(path: Path) -> Path:
    """Return the path without the .bin or .idx of a Megatron dataset."""
    return path.with_name(re.sub(r"\.(bin|idx)$", "", path.name))


def _read_megatron(path: Path, dtype: str) -> npt.NDArray[Any]:
    prefix = _split_prefix(path)
    index, numbers = (prefix.with_name(f"{prefix.name}.{end}") for end in ("idx", "bin"))
    start = index.read_bytes()[:34]
    if (
        not start.startswith(_MEGATRON_HEADER)
        or len(start) < 34
        or start[17] not in _MEGATRON_TYPES
    ):
        raise ConfigError(
            _describe(index, "no index of tokens by Megatron-LM", "one beside the .bin file")
        )
    sequences = int.from_bytes(start[18:26], "little")
    lengths = np.memmap(index, dtype=np.uint8, mode="r", offset=34)[: 4 * sequences].view("<i4")
    return _map(numbers, _MEGATRON_TYPES[start[17]], count=int(lengths.sum(dtype=np.int64)))


def _read_litdata(path: Path, dtype: str) -> npt.NDArray[Any]:
    folder = path if path.is_dir() else path.parent
    index = folder / _LITDATA_INDEX
    chunks = [path]
    if path.is_dir() or index.is_file():
        document = _read_litdata_index(index)
        dtype = _find_litdata_type(index, document["config"])
        if path.is_dir():
            chunks = [folder / Path(chunk["filename"]).name for chunk in document["chunks"]]
    parts = [_read_chunk(chunk, dtype) for chunk in chunks]
    if not parts:
        raise ConfigError(_describe(index, "an index without chunks", "tokens"))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _read_litdata_index(index: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(index.read_text(encoding="utf-8"))
        config, chunks = document["config"], document["chunks"]
        is_index = isinstance(config, dict) and all(isinstance(c["filename"], str) for c in chunks)
    except (ValueError, KeyError, TypeError, RecursionError):
        is_index = False
    if not is_index:
        raise ConfigError(
            _describe(index, "no index of litdata", "one, with the names of its chunks")
        )
    return dict(document)


def _find_litdata_type(index: Path, config: Mapping[str, Any]) -> str:
    """Return the type of the tokens in the chunks."""
    for key in ("compression", "encryption"):
        if config.get(key) is not None:
            raise ConfigError(_describe(index, f"chunks with {key} {config[key]!r}", "plain ones"))
    formats = config.get("data_format")
    text = str(formats[0]) if isinstance(formats, list) and len(formats) == 1 else str(formats)
    match = re.fullmatch(r"no_header_(tensor|numpy):(\d+)", text)
    dtype = _LITDATA_TYPES[match[1]].get(int(match[2])) if match else None
    if dtype is None:
        wanted = "whole numbers without headers, as litdata's TokensLoader reads"
        raise ConfigError(_describe(index, f"chunks of {text!r}", wanted))
    return dtype


def _read_chunk(path: Path, dtype: str) -> npt.NDArray[Any]:
    with path.open("rb") as file:
        start = file.read(4 * _LLM_C_HEADER)
    if not _is_chunk(path, start):
        raise ConfigError(_describe(path, "no chunk of litdata", "one"))
    return _map(path, np.dtype(dtype).newbyteorder("<").str, offset=_count_chunk_header(start))


def _is_chunk(path: Path, start: bytes) -> bool:
    """Tell whether a file begins with a number N of items and N + 1 offsets, the last its end."""
    size, header = path.stat().st_size, _count_chunk_header(start)
    if not 12 <= header < size or start[4:8] != header.to_bytes(4, "little"):
        return False
    with path.open("rb") as file:
        offsets = np.frombuffer(file.read(header), "<u4")[1:].astype(np.int64)
    return offsets[0] == header and offsets[-1] == size and bool((np.diff(offsets) > 0).all())


def _count_chunk_header(start: bytes) -> int:
    """Return the bytes before the first item of a chunk, if it is one."""
    return 4 * (int.from_bytes(start[:4], "little") + 2) if len(start) >= 12 else 0


_READERS: Mapping[str, Callable[[Path, str], npt.NDArray[Any]]] = {
    "llm.c": _read_llm_c,
    "megatron": _read_megatron,
    "npy": _read_npy,
    "litdata": _read_litdata,
}
