"""The settings of data. Loads neither torch nor NumPy."""

from typing import Annotated, Literal

from pydantic import Field

from ..settings import Count, Named, Settings

PathText = Annotated[str, Field(min_length=1)]


class StandardLibraryConfig(Settings):
    """Take the sources of Python's standard library, and how much of them is held out."""

    source: Literal["python-standard-library"] = "python-standard-library"
    held_out_tokens: Count = 65_536


class TextConfig(Settings):
    """Take the bytes of a text file, or of all files of a folder."""

    source: Literal["text"] = "text"
    path: PathText
    held_out_tokens: Count = 65_536


class TokensConfig(Settings):
    """Take a file of whole numbers, one after the other without a header."""

    source: Literal["tokens"] = "tokens"
    path: PathText
    dtype: Literal["uint16", "uint32"] = "uint16"
    held_out_tokens: Count = 65_536


class DigitsConfig(Settings):
    """Take scikit-learn's digits: 1,797 images of 8 x 8 pixels in ten classes."""

    source: Literal["digits"] = "digits"
    shape: Literal["flat", "image"] = "flat"


class UserBatchesConfig(Settings):
    """Name a function of the user's own, called as `batches(split, seed=, batch=)`."""

    source: Literal["own"] = "own"
    batches: Named
    held_out_batches: Count = 32


TokenConfig = StandardLibraryConfig | TextConfig | TokensConfig
