r"""How much larger a matrix is in its largest direction than one of independent entries.

For independent entries of standard deviation σ the largest singular value of an (m, n) matrix is

.. math:: \lVert W \rVert_2 \approx \sigma (\sqrt m + \sqrt n)

with fluctuations of relative size :math:`\min(m, n)^{-2/3}`. A step of training changes a matrix
by one of low rank, whose norm grows as that of a sum of equal signs.

References:
    Bai & Yin (1993). Limit of the smallest eigenvalue of a large dimensional sample covariance
    matrix. https://doi.org/10.1214/aop/1176989118
    Johnstone (2001). On the distribution of the largest eigenvalue in principal components
    analysis. https://doi.org/10.1214/aos/1009210544
"""

import math

import torch

_LARGEST = 512  # rows and columns looked at, evenly spread
_ITERATIONS = 24
_FLUCTUATION = 2.0  # of the largest singular value, in units of min(m, n)^-2/3


def relative_norm(tensor: torch.Tensor) -> float:
    """Return a lower bound of the largest singular value, over that of independent entries.

    Arguments:
        tensor: A matrix; of more dimensions, the first against all others.

    Returns:
        At most 1, with room for fluctuations, for independent entries, and for orthogonal ones; 0
        for a vector or a constant.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> random = torch.randn(64, 64, generator=generator)
        >>> relative_norm(random) < 1 < relative_norm(random + 4 * torch.eye(64)[0])
        True
    """
    if tensor.ndim < 2 or tensor.numel() == 0:
        return 0.0
    rows = tensor.detach().flatten(1)
    block = rows[:: -(-rows.shape[0] // _LARGEST), :: -(-rows.shape[1] // _LARGEST)]
    block = block.to("cpu", torch.float64)
    block = block - block.mean()
    sigma = float(block.square().mean().sqrt())
    if sigma == 0:
        return 0.0
    direction = block[int(block.square().sum(1).argmax())]
    for _ in range(_ITERATIONS):
        direction = direction / direction.norm()
        direction = block.T @ (block @ direction)
    norm = float(direction.norm().sqrt())
    m, n = block.shape
    independent = sigma * (math.sqrt(m) + math.sqrt(n))
    return norm / independent / (1 + _FLUCTUATION / math.cbrt(min(m, n)) ** 2)
