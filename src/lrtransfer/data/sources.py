"""The corpus that the settings of data describe."""

from .configs import StandardLibraryConfig, TextConfig, TokenConfig
from .corpus import Corpus, read_standard_library
from .files import read_text_files, read_token_file


def read_corpus(config: TokenConfig) -> Corpus:
    """Return the corpus that the settings describe.

    Arguments:
        config: Settings of the built-in text, of a text or of a file of tokens.

    Raises:
        UserError: If it cannot be read.
    """
    if isinstance(config, StandardLibraryConfig):
        return read_standard_library()
    return read_text_files(config) if isinstance(config, TextConfig) else read_token_file(config)
