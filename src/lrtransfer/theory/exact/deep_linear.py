r"""The problem: data, depth, parametrization, trained roles and optimizer.

.. math:: f(x) = V W_L \cdots W_1 W_0 x

Layers are numbered 0 … L + 1: W_0 (n, d) is layer 0, V (k, n) is layer L + 1. Layer l maps space
l − 1 to space l; space −1 is that of the inputs, space L + 1 that of the outputs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...errors import UserError
from ..largest import require_bearable
from ..regression import ReducedBatch, Regression
from ..schemes import ROLES, AbcScheme, scheme_of


@dataclass(frozen=True, eq=False)
class Problem:
    r"""Training of a deep linear network by gradient descent.

    Attributes:
        data: N samples; the loss is :math:`\frac{1}{2N}\sum_i \lVert f(x_i) - y_i\rVert^2`.
        depth: Number L of hidden n×n matrices.
        scheme: Exponents of width, by role.
        trained: Roles that train; the paper trains the hidden matrices only.
        momentum: Heavy-ball momentum μ, :math:`u \leftarrow \mu u + \nabla + \lambda W`.
        weight_decay: λ; one step shrinks every trained tensor by ηλ, whatever its c.
        batches: Samples that each step trains on; None trains on all of them at every step.

    Raises:
        UserError: If a value is out of range.

    References:
        Hayou (2025). A Proof of Learning Rate Transfer under μP. https://arxiv.org/abs/2511.01734
    """

    data: Regression
    depth: int
    scheme: AbcScheme
    trained: tuple[str, ...]
    momentum: float
    weight_decay: float
    batches: tuple[ReducedBatch, ...] | None

    def __init__(
        self,
        data: Regression,
        *,
        depth: int,
        scheme: str | AbcScheme | Mapping[str, Mapping[str, float]] = "mup",
        trained: Sequence[str] = ("hidden",),
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        batches: Sequence[npt.ArrayLike] | None = None,
    ) -> None:
        """Check the values; a scheme is a name or rows of exponents."""
        _check(depth, trained, momentum, weight_decay)
        fields = {
            "data": data,
            "depth": depth,
            "scheme": scheme_of(scheme),
            "trained": tuple(role for role in ROLES if role in trained),
            "momentum": momentum,
            "weight_decay": weight_decay,
            "batches": None if batches is None else tuple(_batch(data, b) for b in batches),
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    @property
    def layers(self) -> range:
        """Numbers of the layers, 0 … L + 1."""
        return range(self.depth + 2)

    def role(self, layer: int) -> str:
        """Return the role of a layer: one of `ROLES`."""
        return ROLES[(layer > 0) + (layer > self.depth)]

    def is_trained(self, layer: int) -> bool:
        """Return whether a layer trains."""
        return self.role(layer) in self.trained

    def batch(self, step: int) -> ReducedBatch:
        """Return the samples of a step.

        Raises:
            UserError: If there are fewer batches than steps.
        """
        if self.batches is None:
            return self.data.full_batch
        if step >= len(self.batches):
            raise UserError(
                f"batches: got {len(self.batches)}, wanted one for each of the steps. Give more."
            )
        return self.batches[step]


def _batch(data: Regression, samples: npt.ArrayLike) -> ReducedBatch:
    index = np.asarray(samples)
    if index.ndim != 1 or not len(index) or index.dtype.kind not in "iu":
        raise UserError("batches: got an empty or irregular batch, wanted indices of samples.")
    if index.min() < 0 or index.max() >= data.count:
        raise UserError(
            f"batches: got an index {index.min()} … {index.max()}, wanted 0 … {data.count - 1}."
        )
    return data.batch(index.astype(np.intp))


def _check(depth: int, trained: Sequence[str], momentum: float, weight_decay: float) -> None:
    if depth < 1:
        raise UserError(
            f"depth: got {depth}, wanted at least 1: the number of hidden n×n matrices."
        )
    require_bearable(depth=depth)
    if not trained or set(trained) - set(ROLES):
        raise UserError(
            f"trained: got {', '.join(trained) or 'nothing'}, wanted some of {', '.join(ROLES)}."
        )
    if not 0 <= momentum < 1:
        raise UserError(f"momentum: got {momentum}, wanted 0 <= momentum < 1.")
    if not 0 <= weight_decay < np.inf:
        raise UserError(f"weight_decay: got {weight_decay}, wanted a finite number >= 0.")
