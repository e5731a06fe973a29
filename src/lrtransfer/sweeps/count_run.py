"""How large the model of a run is, and what a step of it computes."""

import json
import math

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from ..training.loop import Setting
from .run_parts import HERE, Place, builder_of, recipe_of, settings_of, task_of


def count_parameters(identity: str, place: Place = HERE) -> int:
    """Return the number of parameters of the model of a run."""
    recipe = recipe_of(json.loads(identity), place)
    return sum(math.prod(tensor.shape) for tensor in recipe.tensors)


def step_flops(identity: str, place: Place = HERE, *, device: str = "meta") -> float | None:
    """Return the floating-point operations of one training step.

    On `meta` nothing is computed or allocated; None for a model that needs values to run.
    """
    run = json.loads(identity)
    settings, task = settings_of(run, place), task_of(run, place)
    setting = Setting(device)
    batch = next(iter(task.batches(steps=1, seed=0)))
    try:
        # Plain attention is products of matrices, which are counted.
        with (
            torch.device(device),
            sdpa_kernel(SDPBackend.MATH),
            FlopCounterMode(display=False) as c,
        ):
            task.loss(builder_of(settings)(run["width"]), setting.moved(batch)).backward()
    except Exception:  # whatever a model raises without values
        return None
    return float(c.get_total_flops())
