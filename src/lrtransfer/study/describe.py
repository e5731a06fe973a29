"""A study's settings in words."""

from collections.abc import Iterator

from ..data.configs import DigitsConfig, TextConfig, TokensConfig, UserBatchesConfig
from ..data.digits import HELD_OUT
from ..models.configs import HuggingFaceConfig, MLPConfig, TransformerConfig, UserModelConfig
from .model_work import DEPTH_PATHS, ModelWork
from .program import Program
from .study import Study


def describe_conditions(study: Study) -> str:
    """Return what was held fixed while the size varied.

    Example:
        >>> describe_conditions(Study())
        '100 steps of 512 tokens, depth 2, adamw'
    """
    match study.work:
        case Program(command=command):
            return f"runs of `{command}`"
        case work:
            return ", ".join(_list_conditions(study, work))


def _list_conditions(study: Study, work: ModelWork) -> Iterator[str]:
    steps = "steps" if _varies(study, "training.steps") else f"{study.training.steps:,} steps"
    yield steps if _varies(study, "training.batch") else f"{steps} of {_describe_batch(work)}"
    if study.along != "width":
        yield f"width {study.width_at(study.base_size)}"
    if work.depth is not None and not _varies(study, DEPTH_PATHS[study.model.family]):
        yield f"depth {work.depth}"
    yield study.optimizer.family


def _varies(study: Study, path: str) -> bool:
    """Tell whether a setting differs between the study's runs."""
    return path in study.vary or (study.along != "width" and study.path_along == path)


def describe_varied(study: Study) -> str:
    """Return what is varied beside the learning rate, with its values."""
    values = (f"{path}: {', '.join(map(str, some))}" for path, some in study.vary.items())
    return "; ".join(values)


def _describe_batch(work: ModelWork) -> str:
    tokens = work.tokens_per_step
    return f"{work.training.batch:,} examples" if tokens is None else f"{tokens:,} tokens"


def describe_model(study: Study) -> str:
    """Return what is trained."""
    match study.model:
        case TransformerConfig(depth=depth, head_width=head_width):
            return f"decoder transformer{_describe_depth(study, depth)}, head width {head_width}"
        case MLPConfig(depth=depth, linear=linear):
            return f"{'linear network' if linear else 'MLP'}{_describe_depth(study, depth)}"
        case HuggingFaceConfig() as config:
            return f"{config.type} of transformers, growing in {', '.join(config.scales)}"
        case UserModelConfig() as config:
            arguments = [
                f"{key} {value}"
                for key, value in config.arguments.items()
                if not _varies(study, f"model.arguments.{key}")
            ]
            return ", ".join([config.build, *arguments])


def _describe_depth(study: Study, depth: int) -> str:
    return "" if _varies(study, DEPTH_PATHS[study.model.family]) else f", depth {depth}"


def describe_optimizer(study: Study) -> str:
    """Return the optimizer and its weight decay."""
    decay = getattr(study.optimizer, "weight_decay", 0.0)
    constant = "" if _varies(study, "optimizer.weight_decay") else f", weight decay {decay:g}"
    return f"{study.optimizer.family}{constant}"


def describe_data(study: Study) -> str:
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


def describe_held_out(study: Study) -> str:
    """Return what the held-out loss is measured on."""
    match study.data:
        case DigitsConfig():
            return f"{HELD_OUT} held-out images"
        case UserBatchesConfig() as config:
            return f"at most {config.held_out_batches:,} held-out batches"
        case config:
            return f"{config.held_out_tokens:,} held-out tokens"


def describe_measurement(study: Study) -> str:
    """Return what a step takes, and how the loss is measured."""
    match study.work:
        case Program(command=command, loss_from=loss_from):
            return f"Trained by `{command}`, loss from {loss_from}"
        case work:
            unit = "loss in nats" if work.training.loss == "cross-entropy" else "loss"
            is_fixed = not _varies(study, "training.batch")
            step = f"{_describe_batch(work)} per step; " if is_fixed else ""
            text = f"{step}{unit} on {describe_held_out(study)}"
            return text[0].upper() + text[1:]
