"""What one process holds of a tensor that is spread over several (FSDP2, HSDP, tensor parallel).

A `DTensor` has the shape of the whole tensor and the values of one part. Everything random or
measured is defined on the whole tensor, so that no result depends on how it is spread.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.distributed.tensor import DTensor, Placement, Replicate, distribute_tensor

from ...errors import ParametrizationError

# Values of a whole tensor are drawn this many at a time, so that a process holds one block of them
# beside its own part. Another number gives other draws to tensors that are larger.
BLOCK = 2**20


@dataclass(frozen=True)
class LocalPart:
    """The part of a tensor that lies in this process.

    Attributes:
        values: The part, of its local shape: writing to it writes to the tensor.
        positions: Index of each of its entries in the whole tensor, both flattened, of shape
            (entries,), ascending; None if the part is the whole.
    """

    values: torch.Tensor
    positions: torch.Tensor | None


def take_local_part(tensor: torch.Tensor) -> LocalPart:
    """Return the part of a tensor that lies in this process; no process waits for another.

    Raises:
        ParametrizationError: If the tensor is a sum whose terms lie in several processes.
    """
    if not isinstance(tensor, DTensor):
        return LocalPart(tensor, None)
    if any(placement.is_partial() for placement in tensor.placements):
        raise ParametrizationError(
            f"initialize: got a tensor of shape {tuple(tensor.shape)} with placements "
            f"{tensor.placements}, wanted Shard or Replicate on every dimension of the mesh: a "
            "Partial tensor has no values of its own. Redistribute it first."
        )
    with torch.no_grad():
        return LocalPart(tensor.to_local(), _positions(tensor))


def _positions(tensor: DTensor) -> torch.Tensor:
    """Return the flat positions of this process's entries, by spreading the indices likewise."""
    positions = torch.zeros((), dtype=torch.int64)
    stride = 1
    for dim in reversed(range(tensor.ndim)):
        shape = [1] * tensor.ndim
        shape[dim] = tensor.shape[dim]
        index = distribute_tensor(
            torch.arange(tensor.shape[dim]).view(shape),
            tensor.device_mesh,
            [_keep_along(dim, placement) for placement in tensor.placements],
            src_data_rank=None,
        )
        positions = positions + stride * index.to_local().cpu()
        stride *= tensor.shape[dim]
    return positions.flatten()


def _keep_along(dim: int, placement: Placement) -> Placement:
    """Return the placement of the indices of one dimension: cut only where that dimension is."""
    # Not `is_shard`: of the two placements of tensor parallel and FSDP on one dimension, the first
    # (strided) is no `Shard`.
    return placement if getattr(placement, "dim", None) == dim else Replicate()


def fill_(tensor: torch.Tensor, draws: Iterator[torch.Tensor]) -> None:
    """Fill a tensor, or the part of it that lies here.

    Arguments:
        tensor: The tensor.
        draws: Values of the whole tensor, flattened, in blocks of shape (at most `BLOCK`,).
    """
    part = take_local_part(tensor)
    # On the CPU whatever the tensor's device: the same numbers everywhere.
    values = torch.empty(part.values.shape, dtype=torch.float32)
    flat = values.view(-1)
    start = 0
    for block in draws:
        stop = start + len(block)
        if part.positions is None:
            flat[start:stop] = block
        else:
            first, last = torch.searchsorted(part.positions, torch.tensor([start, stop])).tolist()
            flat[first:last] = block[part.positions[first:last] - start]
        start = stop
    with torch.no_grad():
        part.values.copy_(values)


def mean(tensor: torch.Tensor) -> float:
    """Return the mean of all entries of the whole tensor; every process has to call it."""
    with torch.no_grad():
        return float(gather_values(tensor.double().sum())) / tensor.numel()


def standard_deviation(tensor: torch.Tensor) -> float:
    """Return the standard deviation of all entries of the whole tensor.

    If the tensor is sharded, every process has to call this: each contributes its sums.
    """
    if tensor.numel() < 2:
        return 0.0
    if not isinstance(tensor, DTensor):
        return float(tensor.detach().std(correction=0))
    with torch.no_grad():
        values = tensor.double()
        deviations = values - mean(tensor)
        return math.sqrt(float(gather_values(deviations.square().sum())) / tensor.numel())


def gather_values(tensor: torch.Tensor) -> torch.Tensor:
    """Return all values of a tensor, in its global shape.

    If the tensor is sharded, every process has to call this.
    """
    values = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return values.detach()
