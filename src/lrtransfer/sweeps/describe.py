"""A study's settings in words."""

from collections.abc import Iterator

from ..data.configs import DigitsConfig, TextConfig, TokensConfig, UserBatchesConfig
from ..data.digits import HELD_OUT
from ..models.configs import HuggingFaceConfig, MLPConfig, TransformerConfig, UserModelConfig
from .sections import DEPTH, context_of
from .study import Study


def conditions(study: Study) -> str:
    """Return what was held fixed while the size varied.

    Example:
        >>> conditions(Study())
        '100 steps of 512 tokens, depth 2, adamw'
    """
    if study.trainer is not None:
        return f"runs of `{study.trainer.command}`"
    return ", ".join(_conditions(study))


def _conditions(study: Study) -> Iterator[str]:
    steps = "steps" if _varies(study, "training.steps") else f"{study.training.steps:,} steps"
    yield steps if _varies(study, "training.batch") else f"{steps} of {_batch(study)}"
    if study.along != "width":
        yield f"width {study.width_at(study.base)}"
    if study.depth is not None and not _varies(study, DEPTH[study.model.family]):
        yield f"depth {study.depth}"
    yield study.optimizer.family


def _varies(study: Study, path: str) -> bool:
    """Tell whether a setting differs between the study's runs."""
    return path in study.vary or (study.along != "width" and study.path_along == path)


def varied(study: Study) -> str:
    """Return what is varied beside the learning rate, with its values."""
    values = (f"{path}: {', '.join(map(str, some))}" for path, some in study.vary.items())
    return "; ".join(values)


def tokens_per_step(study: Study) -> int | None:
    """Return the tokens of a step; None where examples are no sequences of tokens."""
    if isinstance(study.data, (DigitsConfig, UserBatchesConfig)):
        return None
    return study.training.batch * context_of(study.model)


def _batch(study: Study) -> str:
    tokens = tokens_per_step(study)
    return f"{study.training.batch:,} examples" if tokens is None else f"{tokens:,} tokens"


def model(study: Study) -> str:
    """Return what is trained."""
    match study.model:
        case TransformerConfig() as config:
            return f"decoder transformer{_depth(study)}, head width {config.head_width}"
        case MLPConfig() as config:
            return f"{'linear network' if config.linear else 'MLP'}{_depth(study)}"
        case HuggingFaceConfig() as config:
            return f"{config.type} of transformers, growing in {', '.join(config.scales)}"
        case UserModelConfig() as config:
            fixed = [
                key for key in config.arguments if not _varies(study, f"model.arguments.{key}")
            ]
            return ", ".join([config.build, *(f"{key} {config.arguments[key]}" for key in fixed)])


def _depth(study: Study) -> str:
    return "" if _varies(study, DEPTH[study.model.family]) else f", depth {study.depth}"


def optimizer(study: Study) -> str:
    """Return the optimizer and its weight decay."""
    decay = getattr(study.optimizer, "weight_decay", 0.0)
    told = "" if _varies(study, "optimizer.weight_decay") else f", weight decay {decay:g}"
    return f"{study.optimizer.family}{told}"


def data(study: Study) -> str:
    """Return what it is trained on."""
    match study.data:
        case TextConfig() | TokensConfig() as config:
            return config.path
        case DigitsConfig():
            return "scikit-learn's digits"
        case UserBatchesConfig() as config:
            return config.batches
        case config:
            return config.source


def held_out(study: Study) -> str:
    """Return what the held-out loss is measured on."""
    match study.data:
        case DigitsConfig():
            return f"{HELD_OUT} held-out images"
        case UserBatchesConfig() as config:
            return f"at most {config.held_out_batches:,} held-out batches"
        case config:
            return f"{config.held_out_tokens:,} held-out tokens"


def measure(study: Study) -> str:
    """Return what a step takes, and how the loss is measured."""
    if study.trainer is not None:
        return f"Trained by `{study.trainer.command}`, loss from {study.trainer.loss_from}"
    unit = "loss in nats" if study.training.loss == "cross-entropy" else "loss"
    step = "" if _varies(study, "training.batch") else f"{_batch(study)} per step; "
    told = f"{step}{unit} on {held_out(study)}"
    return told[0].upper() + told[1:]
