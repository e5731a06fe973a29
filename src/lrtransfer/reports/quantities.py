"""The numbers behind an answer, each with its name: the same wherever they are shown."""

from collections.abc import Iterator

from ..statistics.answer import OptimumStatus, Quality, SchemeAnswer
from ..statistics.axis import AXES, Axis
from .notation import (
    format_cost,
    format_drift,
    format_prediction,
    format_regret,
    format_scatter,
)

# What people read of the status of an optimum.
STATUSES: dict[OptimumStatus, str] = {"ok": "ok", "edge": "edge", "none": "no minimum"}


def list_quantities(answer: SchemeAnswer, *, target: int, unit: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the written value of every number that an answer rests on.

    Arguments:
        answer: What was concluded for a scheme.
        target: Size the learning rate is wanted for.
        unit: Unit of the loss.
    """
    axis = AXES[answer.axis]
    if answer.drift is not None:
        yield "drift", format_drift(answer.drift, axis)
    prediction = answer.prediction
    yield (
        f"learning rate for {axis.name} {target}",
        "cannot be said from these runs" if prediction is None else format_prediction(prediction),
    )
    if answer.narrowing is not None:
        yield "what would sharpen it most for its cost", str(answer.narrowing)
    decisive = () if answer.regret is None else (answer.regret,)
    for regret in answer.regrets or decisive:
        name = "regret" if regret.measured else "regret expected"
        yield f"{name} at {axis.name} {regret.size}", format_regret(regret, unit=unit)
    if quality := "; ".join(_describe(answer.quality, axis, unit)):
        yield "quality", quality


def _describe(quality: Quality, axis: Axis, unit: str) -> Iterator[str]:
    """Yield the three axes of quality as far as they are known."""
    if quality.scatter is not None:
        yield format_scatter(quality.scatter)
    for regret, what in (
        (quality.extrapolation, f"the rate that the {axis.smaller} {axis.plural} predict costs"),
        (quality.penalty, "the base's rate is expected to cost"),
    ):
        if regret is not None:
            cost = format_cost(regret, regret.estimate, unit=unit)
            yield f"{what} {cost} at {axis.name} {regret.size}"
