"""Causal language models of `transformers`, made from a configuration; nothing is downloaded."""

import difflib
from typing import Any

from torch import nn

from ..errors import ConfigError
from .configs import HuggingFaceConfig


def hugging_face_model(width: int, config: HuggingFaceConfig, *, base_width: int) -> nn.Module:
    """Return the model of a width, its weights at random.

    Raises:
        ConfigError: If `transformers` is missing, or knows no such type or fields.
    """
    try:
        from transformers import CONFIG_MAPPING, AutoConfig, AutoModelForCausalLM
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"model.type: got {config.type!r}, but the package {error.name!r} is missing, wanted "
            "it installed: `pip install transformers`."
        ) from None
    if config.type not in CONFIG_MAPPING:
        close = difflib.get_close_matches(config.type, list(CONFIG_MAPPING), n=1)
        hint = f"did you mean {close[0]!r}?" if close else "wanted one such as 'llama' or 'gpt2'."
        raise ConfigError(f"model.type: got {config.type!r}, which transformers has not, {hint}")
    fields = config.fields_at(width, base_width=base_width)
    # A cache of keys and values is of use in generation alone.
    found = _made("type", config.type, AutoConfig.for_model, config.type, **fields, use_cache=False)
    for name in fields:
        # What a configuration does not know it keeps and never reads.
        if name not in _known(found):
            raise ConfigError(f"model.fields.{name}: got a field that {config.type} has not.")
    model: nn.Module = _made("fields", config.fields, AutoModelForCausalLM.from_config, found)
    return model


def _known(config: Any) -> set[str]:
    plain = type(config)()
    return {*vars(plain), *getattr(plain, "attribute_map", {}), *dir(plain)}


def _made(key: str, given: Any, function: Any, *args: Any, **kwargs: Any) -> Any:
    try:
        return function(*args, **kwargs)
    except Exception as error:
        said = " ".join(str(error).split())[:500]
        raise ConfigError(
            f"model.{key}: got {given!r}, from which transformers makes no causal language model: "
            f"{said}. Wanted a type and fields as in its documentation."
        ) from error
