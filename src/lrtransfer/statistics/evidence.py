"""What would settle an open answer: one line each, to be done as it stands."""

from .answer import Optimum, SchemeAnswer, Side
from .optimum import WidthFit
from .regret import Ruling, power

ENOUGH_SEEDS = 3
FINE_SPACING = 0.5  # octaves between rates, below which seeds help more than rates


def open_edges(answer: SchemeAnswer) -> tuple[tuple[int, Side], ...]:
    """Return where learning rates must be added before anything finer can be said.

    Arguments:
        answer: Answer of `judge` for one scheme.

    Returns:
        Pairs of a width and the side of its rates to extend, by increasing width: sides on which
        an optimum is not bounded, and the side on which the rate used for the regret was not
        tried at the width of the verdict.

    Example:
        >>> from .answer import Optimum, SchemeAnswer
        >>> edge = Optimum(width=512, log2_lr=-9.0, low=None, high=-8.2, status="edge")
        >>> answer = SchemeAnswer("sp", "inconclusive", "", "", None, None, (edge,), None, (), ())
        >>> open_edges(answer)
        ((512, 'low'),)
    """
    sides: set[tuple[int, Side]] = set()
    for optimum in answer.optima:
        sides |= {(optimum.width, side) for side in _open_sides(optimum)}
    if answer.regret is not None and answer.regret.outside is not None:
        sides.add((answer.regret.width, answer.regret.outside))
    return tuple(sorted(sides))


def missing_evidence(
    scheme: str,
    fits: tuple[WidthFit, ...],
    ruling: Ruling,
    *,
    base: WidthFit,
    wide: WidthFit,
    predicted: bool,
) -> tuple[str, ...]:
    """Return what would settle the open answers of one scheme.

    Arguments:
        scheme: Name of the scheme.
        fits: Fits of all its widths.
        ruling: The verdict reached.
        base: Fit of the width whose optimum was used.
        wide: Fit of the width where it was used.
        predicted: Whether a learning rate for the target could be stated.

    Returns:
        One line per thing to be done, the most useful first.
    """
    lines = [line for fit in fits for line in _extend(fit, scheme)]
    if ruling.verdict == "inconclusive":
        lines += _settle(scheme, ruling, base, wide)
    if not predicted and not any(_open_sides(fit.optimum) for fit in fits):
        lines.append(
            f"add widths (scheme {scheme}): {len(fits)} do not determine the target's learning rate"
        )
    return tuple(lines)


def _open_sides(optimum: Optimum) -> tuple[Side, ...]:
    if optimum.status == "ok":
        return ()
    bounds: tuple[tuple[Side, float | None], ...] = (("low", optimum.low), ("high", optimum.high))
    return tuple(side for side, bound in bounds if bound is None)


def _extend(fit: WidthFit, scheme: str) -> list[str]:
    at = f"at width {fit.columns.width} (scheme {scheme})"
    tried = fit.columns.tried
    if not len(tried):
        return [f"add learning rates {at}: none was finished"]
    lines = []
    for side in _open_sides(fit.optimum):
        bound = f"below {power(tried[0])}" if side == "low" else f"above {power(tried[-1])}"
        lines.append(f"add learning rates {bound} {at}")
    if fit.optimum.status == "none" and not lines:
        lines.append(f"add learning rates between {power(tried[0])} and {power(tried[-1])} {at}")
    return lines


def _settle(scheme: str, ruling: Ruling, base: WidthFit, wide: WidthFit) -> list[str]:
    """Say what narrows the regret at the wide width; open edges come first."""
    regret, best = ruling.regret, wide.optimum
    at = f"at width {wide.columns.width} (scheme {scheme})"
    rate = base.optimum.log2_lr
    if rate is None or base.optimum.status != "ok":
        return []
    if regret is not None and regret.outside is not None:
        return [f"add the learning rate {power(rate)} {at}"]
    if best.status != "ok":
        return []
    ends = [x for x in (best.low, best.high, rate) if x is not None]
    lines = []
    if wide.columns.gap(min(ends), max(ends)) > FINE_SPACING:
        between = f"between {power(min(ends))} and {power(max(ends))}"
        lines.append(f"add learning rates halfway {between} {at}")
    if wide.columns.seeds < ENOUGH_SEEDS or not lines:
        wanted = max(ENOUGH_SEEDS, 2 * wide.columns.seeds)
        lines.append(f"add seeds: {wanted} per learning rate, {wide.columns.seeds} so far, {at}")
    return lines
