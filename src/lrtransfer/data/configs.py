"""Settings of data. Loads neither torch nor NumPy."""

from typing import Annotated, Literal

from pydantic import Field

from ..settings import Count, ObjectReference, Settings

PathText = Annotated[str, Field(min_length=1)]


class StandardLibraryConfig(Settings):
    """Settings of the built-in text: the source code of Python's standard library."""

    source: Literal["python-standard-library"] = "python-standard-library"
    held_out_tokens: Count = 65_536


class TextConfig(Settings):
    """Settings of a text: a file, or all files below a folder, read as bytes."""

    source: Literal["text"] = "text"
    path: PathText
    held_out_tokens: Count = 65_536


TokenFormat = Literal["raw", "llm.c", "megatron", "npy", "litdata"]


class TokensConfig(Settings):
    """Settings of a file of tokens: whole numbers, one after the other.

    `format` is `raw` for numbers without a header, whose type is `dtype`; the others say their own.
    """

    source: Literal["tokens"] = "tokens"
    path: PathText
    format: TokenFormat = "raw"
    dtype: Literal["uint8", "uint16", "uint32", "int32", "int64"] = "uint16"
    held_out_tokens: Count = 65_536


class DigitsConfig(Settings):
    """Settings of scikit-learn's digits: 1,797 images of 8 x 8 pixels in ten classes."""

    source: Literal["digits"] = "digits"
    shape: Literal["flat", "image"] = "flat"


class UserBatchesConfig(Settings):
    """Settings of the user's batches: a function called as `batches(split, seed=, batch=)`."""

    source: Literal["own"] = "own"
    batches: ObjectReference
    held_out_batches: Count = 32


TokenConfig = StandardLibraryConfig | TextConfig | TokensConfig
