"""Data as the settings say."""

from .configs import StandardLibraryConfig, TextConfig, TokenConfig
from .corpus import Corpus, standard_library
from .files import text_files, token_file


def corpus_of(config: TokenConfig) -> Corpus:
    """Return the text or tokens that the settings name.

    Raises:
        UserError: If they cannot be read.
    """
    if isinstance(config, StandardLibraryConfig):
        return standard_library()
    return text_files(config) if isinstance(config, TextConfig) else token_file(config)
