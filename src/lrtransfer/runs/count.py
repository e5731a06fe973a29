"""How large the model of a run is, and what a step of it computes."""

import math

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from ..training.step_options import StepOptions
from .assemble import make_builder, make_recipe, make_task, require_model_settings
from .own_process import end_forked_children
from .run import RunSpec


def count_parameters(run: RunSpec) -> int:
    """Return the number of parameters of the model of a run."""
    return sum(math.prod(tensor.shape) for tensor in make_recipe(run).tensors)


def count_step_flops(run: RunSpec, *, device: str = "meta") -> float | None:
    """Return the floating-point operations of one training step.

    On `meta` nothing is computed or allocated; None for a model that needs values to run.
    """
    settings = require_model_settings(run)
    task, options = make_task(settings), StepOptions(device)
    batch = next(iter(task.batches(steps=1, seed=0)))
    try:
        # Plain attention is products of matrices, which are counted.
        with (
            end_forked_children(),
            torch.device(device),
            sdpa_kernel(SDPBackend.MATH),
            FlopCounterMode(display=False) as counter,
        ):
            model = make_builder(settings)(run.width)
            task.loss(model, options.move(batch)).backward()
    except Exception:  # whatever a model raises without values
        return None
    return float(counter.get_total_flops())
