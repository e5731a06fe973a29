"""The parts of a run as its identity says: model, recipe and task.

Recipes and tasks are kept for the runs of one process that share them.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from torch import nn

from ..data.configs import DigitsConfig, TokenConfig, UserBatchesConfig
from ..data.digits import read_digits
from ..data.sources import read_corpus
from ..errors import UserError
from ..models.configs import (
    HuggingFaceConfig,
    MLPConfig,
    TransformerConfig,
    UserModelConfig,
)
from ..models.hugging_face import hugging_face_model
from ..models.mlp import MLP
from ..models.transformer import Transformer
from ..parametrization.choices import Choices, Tuned
from ..parametrization.parametrize import parametrize
from ..parametrization.recipe import Recipe
from ..parametrization.rules import SCHEMES
from ..training.causality import require_causal
from ..training.objective import Loss, cross_entropy, squared_error
from ..training.task import Classes, NextToken, OwnBatches, Task
from .code_digest import code_digest
from .named_code import load_callable
from .optimizers import rule_of
from .plan import SHARED_SCHEME
from .sections import RunSettings, context_of, depth_of
from .streams import begin

# Runs of one worker share their text, whatever else differs between them.
_corpus = lru_cache(maxsize=1)(read_corpus)

_LOSSES: dict[str, Loss] = {"cross-entropy": cross_entropy, "squared-error": squared_error}


@dataclass(frozen=True)
class Place:
    """Say where a run is trained and where its data are, neither of which decides its result.

    Attributes:
        device: Such as `cpu` or `cuda`.
        path: Of the data, if they are files.
    """

    device: str = "cpu"
    path: str | None = None


HERE = Place()


def settings_of(run: dict[str, Any], place: Place) -> RunSettings:
    """Return the settings of a run, given by its identity."""
    return _settings(json.dumps(run["settings"]), place)


def task_of(run: dict[str, Any], place: Place) -> Task:
    """Return the data and the loss of a run.

    Raises:
        UserError: If the data are not those that the run was planned with.
    """
    return _task(_shared(run), place)


def recipe_of(run: dict[str, Any], place: Place) -> Recipe:
    """Return the recipe of a run.

    Raises:
        UserError: If the code is not that which the run was planned with, or there is no recipe for
            the model.
    """
    key = {"scheme": run["scheme"], "width": run["width"], "settings": _shared(run)}
    return _recipe(json.dumps(key), place)


def _settings(text: str, place: Place) -> RunSettings:
    settings = json.loads(text)
    if place.path is not None:
        settings["data"]["path"] = place.path
    return RunSettings.model_validate(settings)


def builder_of(settings: RunSettings) -> Callable[[int], nn.Module]:
    """Return the function from width to model."""
    match settings.model:
        case TransformerConfig() as config:
            return partial(Transformer, config=config)
        case MLPConfig() as config:
            return partial(MLP, config=config)
        case HuggingFaceConfig() as config:
            return partial(hugging_face_model, config=config, base_width=settings.base_width)
        case UserModelConfig() as config:
            return partial(load_callable("model.build", config.build), **config.arguments)


def _shared(run: dict[str, Any]) -> str:
    """Return the settings on which task and recipe depend: not on study seed and length."""
    settings = run["settings"]
    return json.dumps(settings | {"study_seed": 0, "training": settings["training"] | {"steps": 1}})


@lru_cache(maxsize=64)
def _recipe(key: str, place: Place) -> Recipe:
    wanted = json.loads(key)
    text = wanted["settings"]
    settings = _settings(text, place)
    _require_code(settings)
    # At the base width all relative schemes are one; any of them gives the same recipe.
    scheme = "sp" if wanted["scheme"] == SHARED_SCHEME else wanted["scheme"]
    example = _task(text, place).example()
    begin("recipe")
    if isinstance(settings.data, TokenConfig):
        require_causal(builder_of(settings)(settings.base_width), example)
    begin("recipe")
    return parametrize(
        builder_of(settings),
        width=wanted["width"],
        base_width=settings.base_width,
        scheme=scheme,
        optimizer=rule_of(settings.optimizer),
        example=example,
        choices=_choices(settings, scheme),
    )


def _choices(settings: RunSettings, scheme: str) -> Choices:
    chosen = settings.parametrization
    depth = depth_of(settings.model)
    scales_depth = chosen.base_depth is not None and SCHEMES[scheme].depth
    if scales_depth and depth is None:
        raise UserError(
            "parametrization.base_depth: got a value, but the model's depth is not known, wanted "
            "it in model.depth, model.fields.num_hidden_layers or model.arguments.depth."
        )
    return Choices(
        **chosen.model_dump(exclude={"base_depth", "tuned"}),
        depth=depth if scales_depth else None,
        base_depth=chosen.base_depth if scales_depth else None,
        tuned={role: Tuned(own.lr, own.init_std) for role, own in chosen.tuned.items()},
    )


def _require_code(settings: RunSettings) -> None:
    if code_digest(settings.named_code) != settings.code_digest:
        raise UserError(
            "code: got other code than the study was planned with: it changed since. Start the "
            "command again."
        )


@lru_cache(maxsize=16)
def _task(text: str, place: Place) -> Task:
    """Return the task of runs; held-out batches are drawn at once, the same in every process."""
    task = _new_task(text, place)
    begin("held out")
    task.example()
    return task


def _new_task(text: str, place: Place) -> Task:
    settings = _settings(text, place)
    batch, loss = settings.training.batch, settings.training.loss
    objective = _LOSSES.get(loss) or load_callable("training.loss", loss)
    match settings.data:
        case DigitsConfig() as config:
            return Classes(*read_digits(config), batch=batch, objective=objective)
        case UserBatchesConfig() as config:
            # A model that is called by keywords gives its own loss.
            own = objective if loss != "cross-entropy" else None
            function = load_callable("data.batches", config.batches)
            return OwnBatches(function, batch, config.held_out_batches, own)
        case config:
            corpus = _corpus(config)
    if corpus.digest != settings.data_digest:
        raise UserError(
            f"corpus: got digest {corpus.digest[:12]}, wanted {settings.data_digest[:12]}: the "
            "text changed since the study was planned. Start the command again."
        )
    return NextToken(
        corpus,
        batch=batch,
        context=context_of(settings.model),
        held_out_tokens=config.held_out_tokens,
        objective=objective,
        vocabulary=_vocabulary(settings),
    )


def _vocabulary(settings: RunSettings) -> int | None:
    if isinstance(settings.model, TransformerConfig):
        return settings.model.vocabulary
    if isinstance(settings.model, HuggingFaceConfig):
        return settings.model.fields.get("vocab_size")
    return None
