"""Does the learning rate tuned on a small model stay right for the big one?

From a table of runs to one answer per scheme. The verdict rests on the zero-shot regret alone;
drift and prediction are reported beside it.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from ..errors import TableError
from .answer import Comparison, CurveFit, Regret, SchemeAnswer
from .axis import AXES, Axis, AxisName, checked_axis, others
from .compare import SchemeFits, compare
from .drift import drift_of, predict
from .evidence import missing_evidence
from .expected import expected_regret
from .optimum import WidthFit, fit_widths
from .quality import rate_quality
from .regret import Ruling, rate_used, rule
from .table import Observation, RunTable


@dataclass(frozen=True, eq=False)
class Judgement(Mapping[str, SchemeAnswer]):
    """Map every scheme of a table to its answer, which rests on its own runs alone.

    Attributes:
        answers: One per scheme, in the order of the table.
        comparisons: Every further scheme against the first.
        fits: What was fitted of each scheme, one per width.
    """

    answers: Mapping[str, SchemeAnswer]
    comparisons: tuple[Comparison, ...]
    fits: Mapping[str, tuple[WidthFit, ...]]

    def __getitem__(self, scheme: str) -> SchemeAnswer:
        """Return the answer of a scheme."""
        return self.answers[scheme]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the schemes."""
        return iter(self.answers)

    def __len__(self) -> int:
        """Return the number of schemes."""
        return len(self.answers)


def judge(
    table: RunTable,
    *,
    target_width: int,
    base_width: int | None = None,
    tolerance: float = 0.01,
    absolute_tolerance: float | None = None,
    conditions: str = "",
    looks: int = 1,
    seed: int = 0,
    axis: AxisName = "width",
) -> Judgement:
    """Judge for every scheme of a table whether its learning rate transfers.

    The optimum of the base width is used at the target width if that was measured, else at the
    widest measured width; the regret there decides (`regret.rule`). The answer of a scheme depends
    on its own runs alone, and on no order.

    Arguments:
        table: Runs, of at least two widths under some scheme.
        target_width: Width the learning rate is wanted for.
        base_width: Width whose optimum would be used; None for the narrowest measured.
        tolerance: Regret, as a share of the best loss, up to which a rate transfers.
        absolute_tolerance: The same in units of the loss; if given, it takes the share's place.
        conditions: What all runs have in common, such as "200 steps of 1,024 tokens, AdamW".
        looks: How often a growing table is judged at most before it is taken as settled: the error
            of the verdict is shared between the looks (Bonferroni), so that all of them together
            err no more often than one.
        seed: Seed of the posterior draws.
        axis: What is varied. Along another axis than width, every width, here and in the table, is
            the size along that axis; numbers are the same, but for the cost of evidence.

    Returns:
        One answer per scheme, in the order of the table, and their comparisons.

    Raises:
        TableError: If the table or an option cannot be used; the message says what to do.

    Example:
        >>> rows = [Observation("mup", width, 2.0**x, seed, 3 + (x + 6.3) ** 2 / 16 + seed / 50)
        ...         for width in (64, 128) for x in range(-10, -2) for seed in (0, 1)]
        >>> answer = judge(RunTable(tuple(rows)), target_width=1024)["mup"]
        >>> answer.verdict, answer.regret.width, answer.drift
        ('transfers', 128, None)
    """
    words = AXES[checked_axis(axis, "judge, axis")]
    _check_options(target_width, tolerance, absolute_tolerance, words)
    _check_rows(table.observations, words)
    _check_widths(table, base_width, words)
    question = _Question(
        target_width, base_width, tolerance, absolute_tolerance, conditions, looks, seed, axis
    )
    # One thread, for equal bits: sums split over threads differ in their last digits.
    with threadpool_limits(limits=1, user_api="blas"):
        curves = {scheme: table.curves(scheme) for scheme in table.schemes}
        fits = {name: fit_widths(found, seed=seed) for name, found in curves.items()}
        answers = {name: _answer(question, name, found) for name, found in fits.items()}
        compared = compare({
            name: SchemeFits(curves[name], fits[name], question.base_of(fits[name]))
            for name in curves
        })
    return Judgement(answers, compared, fits)


@dataclass(frozen=True)
class _Question:
    """What is asked of every scheme: the options of `judge`."""

    target_width: int
    base_width: int | None
    tolerance: float
    absolute_tolerance: float | None
    conditions: str
    looks: int
    seed: int
    axis: AxisName

    @property
    def words(self) -> Axis:
        """The words for the axis."""
        return AXES[self.axis]

    def base_of(self, fits: Sequence[WidthFit]) -> int:
        """Return the base width of a scheme."""
        return self.base_width or min(fit.columns.width for fit in fits)

    def share_at(self, wide: WidthFit) -> float:
        """Return the tolerance as a share of the best loss at a width."""
        if self.absolute_tolerance is None:
            return self.tolerance
        return self.absolute_tolerance / wide.columns.best_loss


def _answer(question: _Question, scheme: str, fits: tuple[WidthFit, ...]) -> SchemeAnswer:
    optima = tuple(fit.optimum for fit in fits)
    prediction = predict(optima, width=question.target_width, axis=question.axis)
    by_width = {fit.columns.width: fit for fit in fits}
    start = question.base_of(fits)
    base, wide = by_width.get(start), _wide(by_width, start, question.target_width)
    if base is None or wide is None:
        name = question.words.name
        missing = f"{name} {start}" if base is None else f"a second {name} beside {start}"
        ruling = Ruling("inconclusive", f"Scheme {scheme} has no runs at {missing}.")
    else:
        ruling = _rule(base, wide, question)
    evidence = missing_evidence(
        scheme,
        fits,
        ruling,
        base=base,
        wide=wide,
        start=start,
        target=question.target_width,
        predicted=prediction is not None,
        axis=question.axis,
    )
    return SchemeAnswer(
        scheme=scheme,
        verdict=ruling.verdict,
        reason=ruling.reason,
        covers=_covers(sorted(by_width), question),
        regret=ruling.regret,
        regrets=_regrets(base, fits, question),
        quality=rate_quality(
            None if base is None else rate_used(base.optimum),
            fits,
            tolerance=question.tolerance,
            rng=np.random.default_rng([question.seed, len(fits)]),
        ),
        drift=drift_of(optima),
        optima=optima,
        prediction=prediction,
        fits=tuple(_band(fit) for fit in fits if fit.optimum.status == "ok"),
        evidence=evidence,
        axis=question.axis,
    )


def _wide(by_width: dict[int, WidthFit], base: int, target: int) -> WidthFit | None:
    """Return the fit at the target if measured, else at the widest width, unless it is the base."""
    others = {width: fit for width, fit in by_width.items() if width != base}
    return others.get(target, others.get(max(by_width)))


def _regrets(
    base: WidthFit | None, fits: Sequence[WidthFit], question: _Question
) -> tuple[Regret, ...]:
    """Return what the base's optimum costs at other widths, and is expected to at the target."""
    if base is None:
        return ()
    rulings = (_rule(base, fit, question) for fit in fits if fit is not base)
    regrets = tuple(ruling.regret for ruling in rulings if ruling.regret is not None)
    widths = [fit.columns.width for fit in fits]
    used = rate_used(base.optimum)
    if used is None or question.target_width <= max(widths):
        return regrets
    widest = max(fits, key=lambda fit: fit.columns.width)
    expected = expected_regret(
        used,
        fits,
        width=question.target_width,
        tolerance=question.share_at(widest),
        rng=np.random.default_rng([question.seed, question.target_width]),
    )
    return regrets if expected is None else (*regrets, expected)


def _rule(base: WidthFit, wide: WidthFit, question: _Question) -> Ruling:
    used = rate_used(base.optimum)
    if used is None:
        where = f"{question.words.name} {base.columns.width}".capitalize()
        return Ruling("inconclusive", f"{where} shows no optimum to be used.")
    at_target = wide.columns.width == question.target_width
    return rule(
        used,
        wide,
        tolerance=question.share_at(wide),
        at_target=at_target,
        looks=question.looks,
        axis=question.axis,
    )


def _covers(widths: Sequence[int], question: _Question) -> str:
    target, words = question.target_width, question.words
    within = widths[0] <= target <= widths[-1]
    beyond = "" if within else f" the target {words.name} {target} itself;"
    return (
        f"Covered: {words.name} only, between the measured {words.plural} {widths[0]} and "
        f"{widths[-1]}, at these conditions: "
        f"{question.conditions or 'those of the runs in the table'}. "
        f"Not covered:{beyond} another {others(question.axis)} at the target."
    )


def _band(fit: WidthFit) -> CurveFit:
    """Return the fitted curve between the finite rates, at every second point drawn."""
    assert fit.draws is not None  # its optimum is ok
    x, rates = fit.draws.log2_lr, fit.columns.log2_lr
    within = np.flatnonzero((x >= rates[0]) & (x <= rates[-1]))[::2]
    low, middle, high = np.quantile(fit.draws.loss[:, within], (0.025, 0.5, 0.975), axis=0)
    return CurveFit(fit.columns.width, x[within], middle, low, high)


def _option(end: str, width: int, axis: Axis) -> str:
    """Name an option of `judge` that is a width, in words along another axis."""
    return f"{end}_width={width}" if axis is AXES["width"] else f"{end} {axis.name} {width}"


def _check_options(
    target_width: int, tolerance: float, absolute_tolerance: float | None, axis: Axis
) -> None:
    if target_width <= 0:
        raise TableError(
            f"judge: got {_option('target', target_width, axis)}, wanted a positive {axis.name}. "
            f"Give the {axis.whole} the learning rate is wanted for."
        )
    if not 0 < tolerance < math.inf:
        raise TableError(
            f"judge: got tolerance={tolerance}, wanted a positive share of the best loss. "
            "Give 0.01 for 1 %."
        )
    if absolute_tolerance is not None and not 0 < absolute_tolerance < math.inf:
        raise TableError(
            f"judge: got absolute_tolerance={absolute_tolerance}, wanted a positive number in "
            "units of the loss, such as 0.02."
        )


def _check_rows(rows: Sequence[Observation], axis: Axis) -> None:
    if not rows:
        raise TableError(
            f"judge: got a table without runs, wanted runs at two or more {axis.plural}. Add some."
        )
    seen: dict[tuple[str, int, float, int], float | None] = {}
    for row in rows:
        where = f"scheme {row.scheme}, {axis.name} {row.width}, lr {row.lr}, seed {row.seed}"
        if row.width <= 0 or not 0 < row.lr < math.inf:
            raise TableError(
                f"judge: got a run of {where}, wanted a positive {axis.name} and a positive "
                "learning rate (not its logarithm). Correct or remove the row."
            )
        loss = None if row.diverged or row.loss is None or not math.isfinite(row.loss) else row.loss
        if loss is not None and loss <= 0:
            raise TableError(
                f"judge: got loss {loss} in the run of {where}, wanted a positive loss: regret is "
                "a share of the best one. Give a loss such as cross-entropy, not a score."
            )
        key = (row.scheme, row.width, row.lr, row.seed)
        if seen.setdefault(key, loss) != loss:
            raise TableError(
                f"judge: got losses {seen[key]} and {loss} for the same run ({where}), wanted one. "
                "Remove one, or number the seeds differently."
            )


def _check_widths(table: RunTable, base_width: int | None, axis: Axis) -> None:
    widths: dict[str, set[int]] = {}
    for row in table.observations:
        widths.setdefault(row.scheme, set()).add(row.width)
    measured = sorted(set().union(*widths.values()))
    if all(len(found) < 2 for found in widths.values()):
        raise TableError(
            f"judge: got {axis.name} {', '.join(map(str, measured))} alone under every scheme, "
            f"wanted at least two {axis.plural}: transfer is between {axis.plural}. Add runs at "
            f"another {axis.name}."
        )
    if base_width is not None and base_width not in measured:
        raise TableError(
            f"judge: got {_option('base', base_width, axis)}, wanted one of the measured "
            f"{axis.plural} {', '.join(map(str, measured))}. Choose one of them or add its runs."
        )
