"""Causal language models of `transformers`, made from a configuration; nothing is downloaded."""

import difflib
from collections.abc import Callable
from functools import partial
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
    known = _known(_made("model.type", repr(config.type), AutoConfig.for_model, config.type))
    for name in fields:
        # What a configuration does not know it keeps and never reads.
        if name not in known:
            raise ConfigError(f"model.fields.{name}: got a field that {config.type} has not.")

    given = f"{config.fields} for {config.type}"
    # A cache of keys and values is of use in generation alone.
    at_width = partial(AutoConfig.for_model, config.type, **({"use_cache": False} | fields))
    model: nn.Module = _made(
        "model.fields",
        given,
        AutoModelForCausalLM.from_config,
        _made("model.fields", given, at_width),
    )
    return model


def _known(plain: Any) -> set[str]:
    return {*vars(plain), *getattr(plain, "attribute_map", {}), *dir(plain)}


def _made(key: str, given: str, function: Callable[..., Any], *args: Any) -> Any:
    try:
        return function(*args)
    except Exception as error:
        said = " ".join(str(error).split())[:500].removesuffix(".")
        raise ConfigError(
            f"{key}: got {given}, from which transformers makes no causal language model: "
            f"{said}. Wanted a type and fields as in its documentation."
        ) from error
