"""Train one run as its identity says: model, recipe, optimizer, loop.

This is where parametrization and training meet; nothing but the identity decides the result.
"""

import json
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from ..data.configs import DigitsConfig, OwnBatchesConfig, TokenConfig
from ..data.digits import digits
from ..data.sources import corpus_of
from ..errors import UserError
from ..models.configs import (
    HuggingFaceConfig,
    MLPConfig,
    OwnModelConfig,
    TransformerConfig,
)
from ..models.hugging_face import hugging_face_model
from ..models.mlp import MLP
from ..models.transformer import Transformer
from ..parametrization.choices import Choices, Tuned
from ..parametrization.parametrize import parametrize
from ..parametrization.recipe import Recipe
from ..parametrization.rules import SCHEMES
from ..randomness import seed_of
from ..training.causality import require_causal
from ..training.loop import Outcome, Setting, train
from ..training.objective import Loss, cross_entropy, squared_error
from ..training.schedule import schedule_factor
from ..training.task import Classes, NextToken, OwnBatches, Task
from .code_digest import code_digest
from .named_code import load_callable
from .optimizers import make_optimizers, rule_of
from .plan import SHARED_SCHEME
from .sections import RunSettings, context_of, depth_of

# Runs of one worker share their text, whatever else differs between them.
_corpus = lru_cache(maxsize=1)(corpus_of)

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


def train_run(identity: str, place: Place = HERE) -> Outcome:
    """Train the run with this identity (canonical JSON) and return the outcome.

    Raises:
        UserError: If data or code are not those that the run was planned with, or model, data and
            optimizer do not work together.
    """
    run = json.loads(identity)
    settings = _settings(json.dumps(run["settings"]), place)
    training, seeds = settings.training, (settings.study_seed, run["seed"])
    task, recipe = _task(_shared(run), place), _recipe(_recipe_key(run), place)
    setting = Setting(place.device, training.precision, training.accumulate, training.clip)
    _begin("model", *seeds)  # of what a model itself draws, such as dropout
    model = recipe.initialize(
        _builder(settings)(run["width"]),
        seed=seed_of("init", *seeds),
    )
    _require_device(place.device)
    setting.place(model)
    optimizers = make_optimizers(recipe, model, settings.optimizer, lr=run["lr"])
    recipe.verify(model, *optimizers)
    _begin("training", *seeds)  # a user's data may draw from the common streams, too
    return train(
        model,
        optimizers,
        task,
        steps=training.steps,
        seed=seed_of("data", *seeds),
        schedule=partial(
            schedule_factor,
            steps=training.steps,
            warmup_share=training.warmup_share,
            final_factor=training.final_factor,
            decay=training.schedule,
            decay_share=training.decay_share,
        ),
        setting=setting,
    )


def count_parameters(identity: str, place: Place = HERE) -> int:
    """Return the number of parameters of the model of a run."""
    recipe = _recipe(_recipe_key(json.loads(identity)), place)
    return sum(math.prod(tensor.shape) for tensor in recipe.tensors)


def _settings(text: str, place: Place) -> RunSettings:
    settings = json.loads(text)
    if place.path is not None:
        settings["data"]["path"] = place.path
    return RunSettings.model_validate(settings)


def _builder(settings: RunSettings) -> Callable[[int], nn.Module]:
    """Return the function from width to model."""
    match settings.model:
        case TransformerConfig() as config:
            return partial(Transformer, config=config)
        case MLPConfig() as config:
            return partial(MLP, config=config)
        case HuggingFaceConfig() as config:
            return partial(hugging_face_model, config=config, base_width=settings.base_width)
        case OwnModelConfig() as config:
            return partial(load_callable("model.build", config.build), **config.arguments)


def _shared(run: dict[str, Any]) -> str:
    """Return the settings on which task and recipe depend: not on study seed and length."""
    settings = run["settings"]
    return json.dumps(settings | {"study_seed": 0, "training": settings["training"] | {"steps": 1}})


def _recipe_key(run: dict[str, Any]) -> str:
    """Return the part of a run's identity on which its recipe depends."""
    return json.dumps({"scheme": run["scheme"], "width": run["width"], "settings": _shared(run)})


@lru_cache(maxsize=64)
def _recipe(identity: str, place: Place) -> Recipe:
    wanted = json.loads(identity)
    text = wanted["settings"]
    settings = _settings(text, place)
    _require_code(settings)
    # At the base width all relative schemes are one; any of them gives the same recipe.
    scheme = "sp" if wanted["scheme"] == SHARED_SCHEME else wanted["scheme"]
    example = _task(text, place).example()
    _begin("recipe")
    if isinstance(settings.data, TokenConfig):
        require_causal(_builder(settings)(settings.base_width), example)
    _begin("recipe")
    return parametrize(
        _builder(settings),
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


def _begin(*name: int | str) -> None:
    """Start all random streams anew, and undo what a run before may have set for the process."""
    seed = seed_of(*name)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # ruff: ignore[numpy-legacy-random] (that of the user's own code)
    torch.manual_seed(seed)
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    torch.set_grad_enabled(True)


def _require_device(device: str) -> None:
    try:
        torch.empty(1, device=device)
    except Exception as error:
        raise UserError(
            f"device: got {device!r}, on which torch computes nothing ({error}), wanted one that "
            "this machine and this torch have, such as cpu."
        ) from None


@lru_cache(maxsize=16)
def _task(text: str, place: Place) -> Task:
    """Return the task of runs; held-out batches are drawn at once, the same in every process."""
    task = _new_task(text, place)
    _begin("held out")
    task.example()
    return task


def _new_task(text: str, place: Place) -> Task:
    settings = _settings(text, place)
    batch, loss = settings.training.batch, settings.training.loss
    objective = _LOSSES.get(loss) or load_callable("training.loss", loss)
    match settings.data:
        case DigitsConfig() as config:
            return Classes(*digits(config), batch=batch, objective=objective)
        case OwnBatchesConfig() as config:
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


def step_flops(identity: str, place: Place = HERE, *, device: str = "meta") -> float | None:
    """Return the floating-point operations of one training step.

    On `meta` nothing is computed or allocated; None for a model that needs values to run.
    """
    run = json.loads(identity)
    text = _shared(run)
    settings, task = _settings(text, place), _task(text, place)
    setting = Setting(device)
    batch = next(iter(task.batches(steps=1, seed=0)))
    try:
        # Plain attention is products of matrices, which are counted.
        with (
            torch.device(device),
            sdpa_kernel(SDPBackend.MATH),
            FlopCounterMode(display=False) as c,
        ):
            task.loss(_builder(settings)(run["width"]), setting.moved(batch)).backward()
    except Exception:  # whatever a model raises without values
        return None
    return float(c.get_total_flops())
