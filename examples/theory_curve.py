"""Compare the loss of wide deep linear networks with its infinite-width limit.

Under μP the loss after five steps is nearly the same function of the learning rate at every width:
the wider the network, the closer it is to the limit.
"""

import numpy as np

from lrtransfer.theory.exact.curve import loss_curve
from lrtransfer.theory.exact.deep_linear import Problem
from lrtransfer.theory.regression import draw_regression

STEPS, SEEDS = 5, 8


def distance(problem: Problem, width: int) -> float:
    """Return the root mean square difference between the losses at a width and in the limit."""
    lrs = np.linspace(0, 0.5, 11)  # stable at every width
    limit = loss_curve(problem, lrs, steps=STEPS).loss[:, -1]
    finite = loss_curve(problem, lrs, steps=STEPS, width=width, seeds=SEEDS).loss[:, -1]
    return float(np.sqrt(np.mean((finite - limit) ** 2)))


if __name__ == "__main__":
    problem = Problem(draw_regression(count=100, dimension=5, noise=0.1, seed=0), depth=3)
    distances = {width: distance(problem, width) for width in (64, 1024)}
    print(distances)
    assert distances[1024] < distances[64] / 2
