"""Every size predicted from the others, in words."""

from collections.abc import Iterator

from ..statistics.answer import LeftOut, SchemeAnswer, SecondOpinion
from ..statistics.axis import AXES, Axis
from .notation import (
    compute_log2,
    format_cost,
    format_interval,
    format_optimum,
    format_optimum_range,
    format_prediction_range,
    format_rate,
    format_slope,
)


def describe_check(opinion: SecondOpinion, axis: Axis) -> str:
    """Return in one line how well sizes are predicted by the others.

    Example:
        >>> describe_check(SecondOpinion(()), AXES["width"])
        'it takes three widths to predict each from the others'
    """
    if not opinion.sizes:
        return f"it takes three {axis.plural} to predict each from the others"
    line = (
        f"leaving out one {axis.name} at a time, {opinion.held} of {opinion.judged} predictions "
        "held the measured optimum"
    )
    if opinion.miss is not None:
        line += f"; median miss {opinion.miss:.2g} octave"
    silent = len(opinion.sizes) - opinion.judged
    return f"{line}; {silent} could not be compared" if silent else line


def list_left_out(answer: SchemeAnswer, *, unit: str) -> Iterator[str]:
    """Yield in one line how well sizes are predicted by the others, then a line for each.

    Arguments:
        answer: What was concluded for a scheme; nothing is said where nothing was left out.
        unit: Unit of the loss.
    """
    if answer.left_out is not None:
        axis = AXES[answer.axis]
        yield f"second opinion: {describe_check(answer.left_out, axis)}"
        for one in answer.left_out.sizes:
            yield f"{axis.name} {one.size} from the others: {_describe(one, unit)}"


def _describe(one: LeftOut, unit: str) -> str:
    measured = f"measured {format_optimum(one.optimum)}"
    if one.optimum.status == "ok":
        measured += f" {format_interval(format_optimum_range(one.optimum))}"
    if one.predicted is None:
        return f"no prediction, {measured}"
    interval = format_interval(format_prediction_range(one.predicted))
    line = f"predicted {format_rate(compute_log2(one.predicted.lr))} {interval}, {measured}"
    if one.octaves is not None:
        line += f", its middle {format_slope(one.octaves, signed=True)} octaves off"
    if one.holds is not None:
        line += ", holds" if one.holds else ", does not hold"
    if one.regret is not None:
        least = "" if one.regret.outside is None else "at least "
        line += (
            f"; would have cost {least}{format_cost(one.regret, one.regret.estimate, unit=unit)}"
        )
    return line
