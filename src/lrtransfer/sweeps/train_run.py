"""Train one run as its identity says: model, recipe, optimizer, loop.

This is where parametrization and training meet; nothing but the identity decides the result.
"""

import json
import math
from functools import lru_cache, partial
from typing import Any

import torch
from torch import nn

from ..data.corpus import Corpus, standard_library
from ..errors import UserError
from ..models.configs import TransformerConfig
from ..models.transformer import Transformer
from ..parametrization.parametrize import parametrize
from ..parametrization.recipe import Recipe
from ..randomness import seed_of
from ..training.loop import Outcome, train
from ..training.schedule import linear_warmup_and_decay
from ..training.task import NextToken
from .plan import SHARED_SCHEME
from .study import OptimizerConfig, TrainingConfig

# The corpus and the recipes are the same for many runs of one worker.
_corpus = lru_cache(maxsize=1)(standard_library)


def train_run(identity: str) -> Outcome:
    """Train the run with this identity (canonical JSON) and return the outcome.

    Raises:
        UserError: If the corpus is not the one that the run was planned with.
    """
    run = json.loads(identity)
    settings = run["settings"]
    training = TrainingConfig.model_validate(settings["training"])
    study_seed, seed = settings["study_seed"], run["seed"]
    recipe = _recipe(_identity_of_recipe(run))
    model = recipe.initialize(
        Transformer(run["width"], TransformerConfig.model_validate(settings["model"])),
        seed=seed_of("init", study_seed, seed),
    )
    config = OptimizerConfig.model_validate(settings["optimizer"])
    optimizer = make_optimizer(recipe, model, config, lr=run["lr"])
    recipe.verify(model, optimizer)
    return train(
        model,
        optimizer,
        _task(json.dumps(settings)),
        steps=training.steps,
        seed=seed_of("data", study_seed, seed),
        schedule=partial(
            linear_warmup_and_decay,
            steps=training.steps,
            warmup_share=training.warmup_share,
            final_factor=training.final_factor,
        ),
    )


def make_optimizer(
    recipe: Recipe, model: nn.Module, config: OptimizerConfig, *, lr: float
) -> torch.optim.Optimizer:
    """Return the optimizer of a study over the recipe's groups."""
    groups = recipe.param_groups(model, lr=lr, weight_decay=config.weight_decay, eps=config.eps)
    if config.family == "sgd":
        return torch.optim.SGD(groups, momentum=config.momentum)
    return torch.optim.AdamW(groups, betas=config.betas, fused=True)


def count_parameters(identity: str) -> int:
    """Return the number of parameters of the model of a run."""
    recipe = _recipe(_identity_of_recipe(json.loads(identity)))
    return sum(math.prod(tensor.shape) for tensor in recipe.tensors)


def _identity_of_recipe(run: dict[str, Any]) -> str:
    """Return the part of a run's identity on which its recipe depends."""
    settings = run["settings"]
    return json.dumps({
        "scheme": run["scheme"],
        "width": run["width"],
        "base_width": settings["base_width"],
        "optimizer": settings["optimizer"]["family"],
        "model": settings["model"],
    })


@lru_cache(maxsize=64)
def _recipe(identity: str) -> Recipe:
    wanted = json.loads(identity)
    config = TransformerConfig.model_validate(wanted["model"])
    # At the base width all relative schemes are one; any of them gives the same recipe.
    scheme = "sp" if wanted["scheme"] == SHARED_SCHEME else wanted["scheme"]
    return parametrize(
        lambda width: Transformer(width, config),
        width=wanted["width"],
        base_width=wanted["base_width"],
        scheme=scheme,
        optimizer=wanted["optimizer"],
    )


@lru_cache(maxsize=1)
def _task(settings: str) -> NextToken:
    wanted = json.loads(settings)
    corpus: Corpus = _corpus()
    if corpus.digest != wanted["data_digest"]:
        raise UserError(
            f"corpus: got digest {corpus.digest[:12]}, wanted {wanted['data_digest'][:12]}: the "
            "text changed since the study was planned. Start the command again."
        )
    return NextToken(
        corpus,
        batch=wanted["training"]["batch"],
        context=wanted["model"]["context"],
        held_out_tokens=wanted["data"]["held_out_tokens"],
    )
