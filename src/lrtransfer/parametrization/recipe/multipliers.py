"""Forward multipliers, without editing the model: hooks that scale what a module takes or gives.

A multiplier A of a weight used as x W is a factor of x, whatever the module's bias. Hooks are
objects of this module, so that deepcopy and pickle take them along.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from ...errors import ParametrizationError

_LOOKUPS = (nn.Embedding, nn.EmbeddingBag)
_AFFINE = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
)
# Its weight is used by MultiheadAttention directly: a hook on it would never run.
_BYPASSED = (nn.modules.linear.NonDynamicallyQuantizableLinear,)


@dataclass(frozen=True)
class Multiplier:
    """Factor of what a module takes or gives.

    Attributes:
        module: Name of the module.
        side: Whether its `input` or its `output` is multiplied.
        factor: The factor.
    """

    module: str
    side: Literal["input", "output"]
    factor: float


class ScaleInput:
    """Hook that multiplies a module's first argument."""

    def __init__(self, factor: float) -> None:
        """Store the factor."""
        self.factor = factor

    def __call__(self, module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the arguments with the first one scaled."""
        return (args[0] * self.factor, *args[1:])


class ScaleOutput:
    """Hook that multiplies what a module gives."""

    def __init__(self, factor: float) -> None:
        """Store the factor."""
        self.factor = factor

    def __call__(self, module: nn.Module, args: Any, output: torch.Tensor) -> torch.Tensor:
        """Return the output, scaled."""
        return output * self.factor


def place_multiplier(model: nn.Module, name: str, factor: float) -> Multiplier:
    """Return the multiplier of a module that multiplies one weight.

    Raises:
        ParametrizationError: If its module gives no place for it.
    """
    owner = name.rpartition(".")[0]
    module = model.get_submodule(owner)
    if isinstance(module, _LOOKUPS):
        return Multiplier(owner, "output", factor)
    require_affine(module, name)
    return Multiplier(owner, "input", factor)


def require_affine(module: nn.Module, tensor: str) -> None:
    """Check that scaling a module's input scales its weight.

    Raises:
        ParametrizationError: If it does not.
    """
    if not is_affine(module):
        raise ParametrizationError(
            f"parametrize: got tensor {tensor!r} of {type(module).__name__}, which needs a forward "
            "multiplier, wanted a module whose output is x @ weight (+ bias). Give the tensor a "
            "module of its own, such as nn.Linear, or use the scheme 'mup' with "
            "gauge='table3', which needs no multipliers."
        )


def is_affine(module: nn.Module) -> bool:
    """Return whether scaling a module's input scales its weight."""
    if isinstance(module, _BYPASSED):
        return False
    return isinstance(module, _AFFINE) or _is_affine_matrix(module)


def is_lookup(module: nn.Module) -> bool:
    """Return whether a module looks up rows of its weight, so that scaling its output scales it."""
    return isinstance(module, _LOOKUPS)


def _is_affine_matrix(module: nn.Module) -> bool:
    """Return whether a module that is not torch's maps x to x @ W + b, W its only matrix."""
    matrices = [p for p in module.parameters() if p.ndim == 2]
    if next(module.children(), None) is not None or len(matrices) != 1 or matrices[0].is_meta:
        return False
    (matrix,) = matrices
    sides = set(matrix.shape)
    generator = torch.Generator().manual_seed(0)
    for fan_in in sides:
        x = torch.randn(2, fan_in, generator=generator).to(matrix)
        try:
            with torch.no_grad():
                outs = [module(x * k) for k in (0.0, 1.0, 2.0)]
        except Exception:  # of the other orientation; or it takes other arguments, and is no layer
            continue
        return _is_affine(*outs)
    return False


def _is_affine(zero: Any, once: Any, twice: Any) -> bool:
    """Return whether outputs for 0, 1 and 2 times an input are affine; not so if they are tuples.

    A router that gives its choice beside the logits does more with its weight than multiply.
    """
    if not all(isinstance(out, torch.Tensor) for out in (zero, once, twice)):
        return False
    return torch.allclose(twice - zero, 2 * (once - zero), rtol=1e-3, atol=1e-5)


def attach(model: nn.Module, multipliers: Iterable[Multiplier]) -> None:
    """Register hooks for the multipliers on a model; those of earlier calls are removed."""
    for module in model.modules():
        for table in (module._forward_pre_hooks, module._forward_hooks):
            for key in [
                k for k, hook in table.items() if isinstance(hook, ScaleInput | ScaleOutput)
            ]:
                del table[key]
    for m in multipliers:
        module = model.get_submodule(m.module)
        if m.side == "input":
            module.register_forward_pre_hook(ScaleInput(m.factor))
        else:
            module.register_forward_hook(ScaleOutput(m.factor))


def require_attached(model: nn.Module, multipliers: Iterable[Multiplier]) -> None:
    """Check that a model has the hooks of these multipliers, and no others of these classes.

    Raises:
        ParametrizationError: If one is missing, doubled or of another factor.
    """
    present = sorted(
        (name, "input" if isinstance(hook, ScaleInput) else "output", hook.factor)
        for name, module in model.named_modules()
        for table in (module._forward_pre_hooks, module._forward_hooks)
        for hook in table.values()
        if isinstance(hook, ScaleInput | ScaleOutput)
    )
    expected = sorted((m.module, m.side, m.factor) for m in multipliers)
    if present != expected:
        raise ParametrizationError(
            f"verify: got forward multipliers {present}, wanted {expected}. Call "
            "recipe.attach(model): a model built or copied anew does not have them."
        )
