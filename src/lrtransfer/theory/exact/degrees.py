r"""Degrees of outputs as polynomials in the learning rate.

With M trained matrices, each of degree :math:`w_t` after t steps, outputs have degree
:math:`D_t = M w_t`; a gradient is a product of the M − 1 others and a residual, so

.. math:: w_0 = 0, \quad w_{t+1} = 1 + (M - 1) w_t + D_t,
    \qquad D_{t+1} = M + (2M - 1) D_t

In the limit under μP outputs start at 0, and without weight decay the first step moves them
in proportion to η: :math:`D_1 = 1`.
"""

from .deep_linear import Problem


def output_degree(problem: Problem, *, steps: int) -> int:
    """Return the degree of outputs in the learning rate at finite width: half that of the loss.

    Arguments:
        problem: Depth and trained roles.
        steps: t.

    Returns:
        D_t.

    Example:
        >>> problem = Problem(Regression([[1.0]], [1.0]), depth=3)
        >>> [output_degree(problem, steps=t) for t in range(5)]
        [0, 3, 18, 93, 468]
    """
    return _degree(problem, steps, first=_trained(problem))


def limit_degree(problem: Problem, *, steps: int) -> int:
    """Return an upper bound of the degree of outputs in the limit under μP.

    Arguments:
        problem: Depth, trained roles and weight decay.
        steps: t.

    Returns:
        D_t of the limit; its loss has twice this degree at most.

    Example:
        >>> problem = Problem(Regression([[1.0]], [1.0]), depth=3)
        >>> [limit_degree(problem, steps=t) for t in range(5)]
        [0, 1, 8, 43, 218]
    """
    return _degree(problem, steps, first=_trained(problem) if problem.weight_decay else 1)


def _degree(problem: Problem, steps: int, *, first: int) -> int:
    count = _trained(problem)
    degree = first if steps else 0
    for _ in range(1, steps):
        degree = count + (2 * count - 1) * degree
    return degree


def _trained(problem: Problem) -> int:
    return sum(problem.is_trained(layer) for layer in problem.layers)
