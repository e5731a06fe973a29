r"""Which runs would narrow the predicted learning rate most for what they cost.

Candidates are another size, rates between those tried, and more seeds where the rates are dense.
The trend (`trend`) says what each would bring: its interval is computed again with a further
optimum, where the trend has it and as well known as the median size's, or with one that is known
better. Rates at half the gap halve an optimum's standard deviation, twice the seeds divide it by
:math:`\sqrt 2`. The best is the one with the largest

.. math:: (\text{octaves now} - \text{octaves then}) / \text{cost}

among those that take at least a tenth off, octaves being standard deviations of the optimum.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from .answer import Narrowing, Prediction
from .axis import AXES, AxisName
from .curves.fit import SizeFit
from .evidence import (
    FINE_SPACING,
    RunProposal,
    choose_next_size,
    halve_gaps,
    price_proposal,
    sum_cost,
    take_around,
)
from .prediction import list_locations, take_interval
from .trend import Location, predict_optimum

LEAST_GAIN = 0.1  # share of the interval: less is not worth a run
AROUND = 1.0  # octaves on either side of an optimum's interval where runs help to place it
BY_RATES, BY_SEEDS = 0.5, 0.5**0.5  # what the sd of an optimum is multiplied by


class _Candidate(NamedTuple):
    """Runs, and where all optima would then be known to be."""

    proposal: RunProposal
    places: Sequence[Location]


def find_narrowing(
    scheme: str,
    fits: Sequence[SizeFit],
    prediction: Prediction | None,
    *,
    axis: AxisName = "width",
) -> Narrowing | None:
    """Return the runs that narrow the prediction most for what they cost.

    Arguments:
        scheme: Name of the scheme.
        fits: Fits of all its sizes.
        prediction: Learning rate for the target, if one is stated.
        axis: What is varied.

    Returns:
        The runs; None without a prediction, or if no candidate takes a tenth off its interval.

    Example:
        >>> from .table import LossCurve
        >>> from .curves.fit import fit_sizes
        >>> from .prediction import predict
        >>> x = np.arange(-10.0, -2.0)
        >>> loss = np.array([3 + (x + 6) ** 2 / 16])
        >>> fits = fit_sizes([LossCurve(size=n, log2_lr=x, loss=loss) for n in (64, 128)])
        >>> narrowing = find_narrowing("mup", fits, predict(fits, size=1024))
        >>> narrowing.expected < narrowing.octaves
        True
    """
    places = list_locations(fits)
    if prediction is None or len(places) < 2:
        return None
    size, words = prediction.size, AXES[axis]
    so_far, now = sum_cost(fits, words), predict_optimum(places, size=size, axis=axis).sd
    best, most = None, 0.0
    for candidate in _list_candidates(fits, places, size, axis):
        runs = price_proposal(candidate.proposal, scheme, words, so_far)
        # Standard deviations tell which is best, and take a tenth of the time of quantiles.
        sd = predict_optimum(candidate.places, size=size, axis=axis).sd
        if sd <= (1 - LEAST_GAIN) * now and (now - sd) / runs.cost > most:
            best, most = (runs, candidate.places), (now - sd) / runs.cost
    if best is None:
        return None
    runs, known = best
    then = predict_optimum(known, size=size, axis=axis)
    low, _, high = take_interval(then, known, size=size)
    return Narrowing(
        runs=runs, octaves=math.log2(prediction.high / prediction.low), expected=high - low
    )


def _list_candidates(
    fits: Sequence[SizeFit], places: Sequence[Location], target: int, axis: AxisName
) -> Iterator[_Candidate]:
    """Yield another size, and better known optima at the sizes that are known least and largest."""
    further = choose_next_size(fits, target)
    if all(fit.columns.size != further for fit in fits):
        usual = max((fit.columns for fit in fits), key=lambda column: len(column.tried))
        expected = predict_optimum(places, size=further, axis=axis).mean
        sd = float(np.median([place.sd for place in places]))
        yield _Candidate(
            RunProposal("add runs", further, usual.tried.tolist(), usual.seeds),
            [*places, Location(further, expected, sd)],
        )
    widest = max(places, key=lambda place: place.sd)
    nearest = min(places, key=lambda place: abs(math.log2(place.size / target)))
    for place in dict.fromkeys((widest, nearest)):
        (fit,) = [fit for fit in fits if fit.columns.size == place.size]
        proposal, factor = _refine(fit, place)
        known = replace(place, sd=factor * place.sd)
        yield _Candidate(proposal, [known if one is place else one for one in places])


def _refine(fit: SizeFit, place: Location) -> tuple[RunProposal, float]:
    """Return runs that place an optimum better, and what its sd is multiplied by."""
    column = fit.columns
    reach = 2 * place.sd + AROUND
    low, high = place.log2_lr - reach, place.log2_lr + reach
    halves = halve_gaps(column.tried, low, high, finest=FINE_SPACING)
    if halves:
        action = "add learning rates halfway between those tried"
        return RunProposal(action, column.size, halves, column.seeds), BY_RATES
    action = f"add seeds: {2 * column.seeds} per learning rate, {column.seeds} so far,"
    around = take_around(column.tried, low, high)
    return RunProposal(action, column.size, around, column.seeds), BY_SEEDS
