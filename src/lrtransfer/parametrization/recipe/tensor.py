"""The recipe of one tensor, and which parameter of a model it is for."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from ...errors import ParametrizationError
from ..roles.growth import Shape
from ..rules import Role
from .initial import InitialDistribution, Pattern

_DATA_PARALLEL = (nn.parallel.DistributedDataParallel, nn.DataParallel)


@dataclass(frozen=True)
class TensorRecipe:
    """How one tensor is initialised and trained.

    Attributes:
        name: Name of the parameter.
        role: What the tensor does.
        shape: Its global shape.
        initial: Distribution of its entries at the start.
        multiplier: Factor of the tensor in the forward pass.
        lr: Learning rate as a multiple of the one tuned.
        weight_decay: Weight decay as a multiple of the one given; 0 where the layer
            contracts nothing (biases, gains).
        eps: Adam's epsilon as a multiple of the one given.
        optimizer: Which of the recipe's optimizers trains it.
        source: Where its learning rate is from.
    """

    name: str
    role: Role
    shape: Shape
    initial: InitialDistribution
    multiplier: float
    lr: float
    weight_decay: float
    eps: float
    optimizer: str
    source: str = field(compare=False)

    @staticmethod
    def from_document(document: dict[str, Any]) -> "TensorRecipe":
        """Return the recipe whose fields stand in a JSON document."""
        initial = dict(document["initial"])
        if initial["pattern"] is not None:
            pattern = initial["pattern"]
            initial["pattern"] = Pattern(tuple(pattern["shape"]), tuple(pattern["values"]))
        initial["rows"] = tuple(map(tuple, initial["rows"]))
        fields: dict[str, Any] = {
            "role": Role(document["role"]),
            "shape": tuple(document["shape"]),
            "initial": InitialDistribution(**initial),
        }
        return TensorRecipe(**document | fields)


def unwrap(model: nn.Module) -> nn.Module:
    """Return the model inside torch.compile and data parallelism, nested in any order."""
    while True:
        if isinstance(model, _DATA_PARALLEL):
            model = model.module
        elif isinstance(inner := getattr(model, "_orig_mod", None), nn.Module):
            model = inner
        else:
            return model


def pair_parameters(
    model: nn.Module, tensors: Sequence[TensorRecipe], width: int
) -> list[tuple[nn.Parameter, TensorRecipe]]:
    """Return each parameter of a model with its recipe.

    Raises:
        ParametrizationError: If the model has other parameters than the recipe for its width.
    """
    parameters = dict(unwrap(model).named_parameters())
    shapes = {name: tuple(p.shape) for name, p in parameters.items()}
    recipe_shapes = {tensor.name: tensor.shape for tensor in tensors}
    if shapes != recipe_shapes:
        name = min(n for n in shapes | recipe_shapes if shapes.get(n) != recipe_shapes.get(n))
        raise ParametrizationError(
            f"recipe for width {width}: got {name!r} with shape {shapes.get(name)}, "
            f"wanted {recipe_shapes.get(name)}. Give it the model that build({width}) makes."
        )
    return [(parameters[tensor.name], tensor) for tensor in tensors]
