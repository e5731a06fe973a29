"""Files of tokens as their libraries write them."""

import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[Any]


def draw_ids(vocabulary: int, *, count: int = 20_000, seed: int = 0) -> Ids:
    """Draw ids as frequent as the words of a language: the k-th with probability 1 / k (Zipf)."""
    weights = 1 / np.arange(1, vocabulary + 1)
    rng = np.random.default_rng(seed)
    return rng.choice(vocabulary, size=count, p=weights / weights.sum())


def write_llm_c(path: Path, ids: Ids, *, magic: int, version: int, dtype: str) -> Path:
    """Write a file as llm.c does: `write_datafile` of dev/data/data_common.py."""
    header = np.zeros(256, dtype="<i4")
    header[:3] = magic, version, len(ids)
    path.write_bytes(header.tobytes() + ids.astype(dtype).tobytes())
    return path


def write_megatron(prefix: Path, ids: Ids, *, dtype: str, code: int, sequence: int = 100) -> Path:
    """Write a dataset as Megatron-LM does: megatron/core/datasets/indexed_dataset.py."""
    lengths = [len(part) for part in np.split(ids, range(sequence, len(ids), sequence))]
    size = np.dtype(dtype).itemsize
    pointers = size * np.cumsum([0, *lengths[:-1]])
    index = b"MMIDIDX\x00\x00" + struct.pack("<QB", 1, code)
    index += struct.pack("<QQ", len(lengths), len(lengths) + 1)
    index += np.array(lengths, "<i4").tobytes() + np.array(pointers, "<i8").tobytes()
    index += np.arange(len(lengths) + 1, dtype="<i8").tobytes()
    prefix.with_name(prefix.name + ".idx").write_bytes(index)
    numbers = prefix.with_name(prefix.name + ".bin")
    numbers.write_bytes(ids.astype(dtype).tobytes())
    return numbers


_LITDATA = """
import sys
import numpy as np
import torch
from litdata.streaming import Cache
from litdata.streaming.item_loader import TokensLoader

folder, kind, dtype = sys.argv[1:]
ids = np.load(folder + ".npy").astype(dtype)
cache = Cache(folder, chunk_size=3000, item_loader=TokensLoader(block_size=10))
for index, part in enumerate(np.split(ids, range(100, len(ids), 100))):
    cache._add_item(index, torch.from_numpy(part) if kind == "tensor" else part)
cache.done()
cache.merge()
"""


def write_litdata(folder: Path, ids: Ids, *, kind: str, dtype: str) -> Path:
    """Write a dataset with litdata itself, in chunks of 3,000 tokens."""
    folder.mkdir()
    np.save(folder.with_name(folder.name + ".npy"), ids)
    subprocess.run([sys.executable, "-c", _LITDATA, str(folder), kind, dtype], check=True)
    return folder


def write_chunk(path: Path, ids: Ids, *, dtype: str, items: int = 10) -> Path:
    """Write a chunk as litdata does: `_create_chunk` of streaming/writer.py."""
    parts = [part.astype(dtype).tobytes() for part in np.array_split(ids, items)]
    start = 4 * (items + 2)
    offsets = start + np.cumsum([0, *map(len, parts)])
    path.write_bytes(np.array([items, *offsets], "<u4").tobytes() + b"".join(parts))
    return path
