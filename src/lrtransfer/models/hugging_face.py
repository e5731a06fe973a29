"""Causal language models of `transformers`, built from a configuration without any download."""

import difflib
from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

from ..errors import ConfigError
from .configs import HuggingFaceConfig


def hugging_face_model(width: int, config: HuggingFaceConfig, *, base_width: int) -> nn.Module:
    """Return a model of a width with random weights.

    Arguments:
        width: Value of the first field in `config.scales`.
        config: Type and fields.
        base_width: Width at which the fields hold.

    Raises:
        ConfigError: If `transformers` is missing, or has no such type or fields.
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
    default = _call("model.type", repr(config.type), AutoConfig.for_model, config.type)
    known_names = _list_names(default)
    for name in fields:
        # A configuration stores unknown fields and never reads them.
        if name not in known_names:
            raise ConfigError(f"model.fields.{name}: got a field that {config.type} has not.")

    text = f"{config.fields} for {config.type}"
    # A cache of keys and values is useful only for generating text.
    at_width = partial(AutoConfig.for_model, config.type, **({"use_cache": False} | fields))
    configuration = _call("model.fields", text, at_width)
    model: nn.Module = _call("model.fields", text, AutoModelForCausalLM.from_config, configuration)
    return model


def _list_names(configuration: Any) -> set[str]:
    return {
        *vars(configuration),
        *getattr(configuration, "attribute_map", {}),
        *dir(configuration),
    }


def _call(key: str, value: str, function: Callable[..., Any], *args: Any) -> Any:
    try:
        return function(*args)
    except Exception as error:
        message = " ".join(str(error).split())[:500].removesuffix(".")
        raise ConfigError(
            f"{key}: got {value}, from which transformers makes no causal language model: "
            f"{message}. Wanted a type and fields as in its documentation."
        ) from error
