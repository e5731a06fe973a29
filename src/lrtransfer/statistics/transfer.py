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
from .optimum import SizeFit, fit_sizes
from .quality import rate_quality
from .regret import Decision, decide, rate_used
from .table import Observation, RunTable


@dataclass(frozen=True, eq=False)
class Judgement(Mapping[str, SchemeAnswer]):
    """Map every scheme of a table to its answer, which rests on its own runs alone.

    Attributes:
        answers: One per scheme, in the order of the table.
        comparisons: Every further scheme against the first.
        fits: What was fitted of each scheme, one per size.
    """

    answers: Mapping[str, SchemeAnswer]
    comparisons: tuple[Comparison, ...]
    fits: Mapping[str, tuple[SizeFit, ...]]

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
    target: int,
    base: int | None = None,
    tolerance: float = 0.01,
    absolute_tolerance: float | None = None,
    conditions: str = "",
    looks: int = 1,
    seed: int = 0,
    axis: AxisName = "width",
) -> Judgement:
    """Judge for every scheme of a table whether its learning rate transfers.

    The optimum of the base size is used at the target size if that was measured, else at the
    widest measured size; the regret there decides (`regret.decide`). The answer of a scheme
    depends on its own runs alone, and on no order.

    Arguments:
        table: Runs, of at least two sizes under some scheme.
        target: Size the learning rate is wanted for.
        base: Size whose optimum would be used; None for the narrowest measured.
        tolerance: Regret, as a share of the best loss, up to which a rate transfers.
        absolute_tolerance: The same in units of the loss; if given, it takes the share's place.
        conditions: What all runs have in common, such as "200 steps of 1,024 tokens, AdamW".
        looks: How often a growing table is judged at most before it is taken as settled: the error
            of the verdict is shared between the looks (Bonferroni), so that all of them together
            err no more often than one.
        seed: Seed of the posterior draws.
        axis: What is varied: sizes, here and in the table, are sizes along it. Numbers are the same
            along every axis, but for the cost of evidence.

    Returns:
        One answer per scheme, in the order of the table, and their comparisons.

    Raises:
        TableError: If the table or an option cannot be used; the message says what to do.

    Example:
        >>> rows = [Observation("mup", size, 2.0**x, seed, 3 + (x + 6.3) ** 2 / 16 + seed / 50)
        ...         for size in (64, 128) for x in range(-10, -2) for seed in (0, 1)]
        >>> answer = judge(RunTable(tuple(rows)), target=1024)["mup"]
        >>> answer.verdict, answer.regret.size, answer.drift
        ('transfers', 128, None)
    """
    words = AXES[checked_axis(axis, "judge, axis")]
    _check_options(target, tolerance, absolute_tolerance, words)
    _check_rows(table.observations, words)
    _check_sizes(table, base, words)
    question = _Question(target, base, tolerance, absolute_tolerance, conditions, looks, seed, axis)
    # One thread, for equal bits: sums split over threads differ in their last digits.
    with threadpool_limits(limits=1, user_api="blas"):
        curves = {scheme: table.curves(scheme) for scheme in table.schemes}
        fits = {name: fit_sizes(found, seed=seed) for name, found in curves.items()}
        answers = {name: _answer(question, name, found) for name, found in fits.items()}
        compared = compare({
            name: SchemeFits(curves[name], fits[name], question.base_of(fits[name]))
            for name in curves
        })
    return Judgement(answers, compared, fits)


@dataclass(frozen=True)
class _Question:
    """What is asked of every scheme: the options of `judge`."""

    target: int
    base: int | None
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

    def base_of(self, fits: Sequence[SizeFit]) -> int:
        """Return the base size of a scheme."""
        return self.base or min(fit.columns.size for fit in fits)

    def share_at(self, wide: SizeFit) -> float:
        """Return the tolerance as a share of the best loss at a size."""
        if self.absolute_tolerance is None:
            return self.tolerance
        return self.absolute_tolerance / wide.columns.best_loss


def _answer(question: _Question, scheme: str, fits: tuple[SizeFit, ...]) -> SchemeAnswer:
    optima = tuple(fit.optimum for fit in fits)
    prediction = predict(optima, size=question.target, axis=question.axis)
    by_size = {fit.columns.size: fit for fit in fits}
    start = question.base_of(fits)
    base, wide = by_size.get(start), _wide(by_size, start, question.target)
    if base is None or wide is None:
        name = question.words.name
        missing = f"{name} {start}" if base is None else f"a second {name} beside {start}"
        decision = Decision("inconclusive", f"Scheme {scheme} has no runs at {missing}.")
    else:
        decision = _decide(base, wide, question)
    evidence = missing_evidence(
        scheme,
        fits,
        decision,
        base=base,
        wide=wide,
        start=start,
        target=question.target,
        predicted=prediction is not None,
        axis=question.axis,
    )
    return SchemeAnswer(
        scheme=scheme,
        verdict=decision.verdict,
        reason=decision.reason,
        covers=_covers(sorted(by_size), question),
        regret=decision.regret,
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


def _wide(by_size: dict[int, SizeFit], base: int, target: int) -> SizeFit | None:
    """Return the fit at the target if measured, else at the widest size, unless it is the base."""
    others = {size: fit for size, fit in by_size.items() if size != base}
    return others.get(target, others.get(max(by_size)))


def _regrets(
    base: SizeFit | None, fits: Sequence[SizeFit], question: _Question
) -> tuple[Regret, ...]:
    """Return what the base's optimum costs at other sizes, and is expected to at the target."""
    if base is None:
        return ()
    decisions = (_decide(base, fit, question) for fit in fits if fit is not base)
    regrets = tuple(decision.regret for decision in decisions if decision.regret is not None)
    sizes = [fit.columns.size for fit in fits]
    used = rate_used(base.optimum)
    if used is None or question.target <= max(sizes):
        return regrets
    widest = max(fits, key=lambda fit: fit.columns.size)
    expected = expected_regret(
        used,
        fits,
        size=question.target,
        tolerance=question.share_at(widest),
        rng=np.random.default_rng([question.seed, question.target]),
    )
    return regrets if expected is None else (*regrets, expected)


def _decide(base: SizeFit, wide: SizeFit, question: _Question) -> Decision:
    used = rate_used(base.optimum)
    if used is None:
        where = f"{question.words.name} {base.columns.size}".capitalize()
        return Decision("inconclusive", f"{where} shows no optimum to be used.")
    at_target = wide.columns.size == question.target
    return decide(
        used,
        wide,
        tolerance=question.share_at(wide),
        at_target=at_target,
        looks=question.looks,
        axis=question.axis,
    )


def _covers(sizes: Sequence[int], question: _Question) -> str:
    target, words = question.target, question.words
    within = sizes[0] <= target <= sizes[-1]
    beyond = "" if within else f" the target {words.name} {target} itself;"
    return (
        f"Covered: {words.name} only, between the measured {words.plural} {sizes[0]} and "
        f"{sizes[-1]}, at these conditions: "
        f"{question.conditions or 'those of the runs in the table'}. "
        f"Not covered:{beyond} another {others(question.axis)} at the target."
    )


def _band(fit: SizeFit) -> CurveFit:
    """Return the fitted curve between the finite rates, at every second point drawn."""
    assert fit.draws is not None  # its optimum is ok
    x, rates = fit.draws.log2_lr, fit.columns.log2_lr
    within = np.flatnonzero((x >= rates[0]) & (x <= rates[-1]))[::2]
    low, middle, high = np.quantile(fit.draws.loss[:, within], (0.025, 0.5, 0.975), axis=0)
    return CurveFit(fit.columns.size, x[within], middle, low, high)


def _check_options(
    target: int, tolerance: float, absolute_tolerance: float | None, axis: Axis
) -> None:
    if target <= 0:
        raise TableError(
            f"judge: got target={target}, wanted a positive {axis.name}. "
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
        where = f"scheme {row.scheme}, {axis.name} {row.size}, lr {row.lr}, seed {row.seed}"
        if row.size <= 0 or not 0 < row.lr < math.inf:
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
        key = (row.scheme, row.size, row.lr, row.seed)
        if seen.setdefault(key, loss) != loss:
            raise TableError(
                f"judge: got losses {seen[key]} and {loss} for the same run ({where}), wanted one. "
                "Remove one, or number the seeds differently."
            )


def _check_sizes(table: RunTable, base: int | None, axis: Axis) -> None:
    sizes: dict[str, set[int]] = {}
    for row in table.observations:
        sizes.setdefault(row.scheme, set()).add(row.size)
    measured = sorted(set().union(*sizes.values()))
    if all(len(found) < 2 for found in sizes.values()):
        raise TableError(
            f"judge: got {axis.name} {', '.join(map(str, measured))} alone under every scheme, "
            f"wanted at least two {axis.plural}: transfer is between {axis.plural}. Add runs at "
            f"another {axis.name}."
        )
    if base is not None and base not in measured:
        raise TableError(
            f"judge: got base={base}, wanted one of the measured "
            f"{axis.plural} {', '.join(map(str, measured))}. Choose one of them or add its runs."
        )
