"""Verdict and learning rate, which must not contradict each other.

"Transfers" says that a rate may be used at the target. Where the runs determine no rate for it, the
good news holds at the largest measured size alone, and the answer stays open; where the target was
measured, the rate used is the rate to state.
"""

from collections.abc import Sequence
from dataclasses import replace

from .answer import Prediction
from .axis import Axis
from .curves.fit import SizeFit
from .prediction import MOST_OCTAVES, list_locations
from .regret import Decision


def reconcile(
    decision: Decision,
    prediction: Prediction | None,
    fits: Sequence[SizeFit],
    *,
    target: int,
    words: Axis,
) -> tuple[Decision, Prediction | None]:
    """Return a verdict and a learning rate that go together.

    Arguments:
        decision: The verdict of the regret alone.
        prediction: Learning rate that the trend gives the target, if it does.
        fits: Fits of the scheme.
        target: Size the learning rate is for.
        words: Words for the axis.

    Returns:
        Both as they are, unless the rate transfers and none is predicted: then the rate used, if
        the target was measured, else an open verdict that says what is missing.

    Example:
        >>> from .axis import AXES
        >>> decision, _ = reconcile(Decision("transfers", "It costs at most 0.1 %."), None, [],
        ...                         target=1024, words=AXES["width"])
        >>> decision.verdict
        'inconclusive'
    """
    if decision.verdict != "transfers" or prediction is not None:
        return decision, prediction
    at_target = next((fit for fit in fits if fit.columns.size == target), None)
    if at_target is not None and decision.regret is not None:
        return decision, _state_used(decision.regret.log2_lr, at_target, words)
    few = len(list_locations(fits)) < 2
    cause = (
        f"fewer than two {words.plural} show where their optima are"
        if few
        else f"the optimum there is uncertain by more than {MOST_OCTAVES:.0f} octaves either way"
    )
    missing = f"No learning rate can be stated for {words.name} {target}: {cause}."
    return replace(decision, verdict="inconclusive", reason=f"{decision.reason} {missing}"), None


def _state_used(log2_lr: float, at_target: SizeFit, words: Axis) -> Prediction:
    """Return the rate used as the target's, with the interval of the optimum measured there."""
    optimum = at_target.optimum
    ends = [x for x in (optimum.low, optimum.high, optimum.log2_lr) if x is not None]
    middle = log2_lr if optimum.log2_lr is None else optimum.log2_lr
    return Prediction(
        size=optimum.size,
        lr=2.0**log2_lr,
        low=2.0 ** min(*ends, log2_lr),
        high=2.0 ** max(*ends, log2_lr),
        middle=2.0**middle,
        assumption=(
            f"nothing beyond the runs at this {words.name}: it is the rate used, within the "
            "tolerance of the best there"
        ),
    )
