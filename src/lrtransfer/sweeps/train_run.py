"""Train one run as its identity says: model, recipe, optimizer, loop.

This is where parametrization and training meet; nothing but the identity decides the result.
"""

import json
from functools import partial

import torch

from ..errors import UserError
from ..randomness import seed_of
from ..training.loop import Outcome, Setting, train
from ..training.schedule import schedule_factor
from .optimizers import make_optimizers
from .run_parts import HERE, Place, builder_of, recipe_of, settings_of, task_of
from .streams import begin


def train_run(identity: str, place: Place = HERE) -> Outcome:
    """Train the run with this identity (canonical JSON) and return the outcome.

    Raises:
        UserError: If data or code are not those that the run was planned with, or model, data and
            optimizer do not work together.
    """
    run = json.loads(identity)
    settings = settings_of(run, place)
    training, seeds = settings.training, (settings.study_seed, run["seed"])
    task, recipe = task_of(run, place), recipe_of(run, place)
    setting = Setting(place.device, training.precision, training.accumulate, training.clip)
    begin("model", *seeds)  # of what a model itself draws, such as dropout
    model = recipe.initialize(
        builder_of(settings)(run["width"]),
        seed=seed_of("init", *seeds),
    )
    _require_device(place.device)
    setting.place(model)
    optimizers = make_optimizers(recipe, model, settings.optimizer, lr=run["lr"])
    recipe.verify(model, *optimizers)
    begin("training", *seeds)  # a user's data may draw from the common streams, too
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


def _require_device(device: str) -> None:
    try:
        torch.empty(1, device=device)
    except Exception as error:
        raise UserError(
            f"device: got {device!r}, on which torch computes nothing ({error}), wanted one that "
            "this machine and this torch have, such as cpu."
        ) from None
