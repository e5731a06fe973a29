"""Does the learning rate tuned on a small model stay right for the big one?

From a table of runs to one answer per scheme. The verdict rests on the zero-shot regret alone;
drift and prediction are reported beside it.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from threadpoolctl import threadpool_limits

from ..errors import TableError
from .answer import TAIL, Comparison, CurveFit, Quality, Regret, SchemeAnswer, SecondOpinion
from .axis import AXES, Axis, AxisName, check_axis, list_others
from .compare import SchemeFits, compare
from .curves.fit import SizeFit, fit_sizes
from .drift import fit_drift
from .evidence import list_evidence
from .expected import expected_regret
from .failures import FailedRuns, exclude_failures
from .hangs_on import say_what_it_hangs_on
from .leave_out import leave_each_out
from .narrowing import find_narrowing
from .prediction import list_locations, predict
from .quality import rate_quality
from .regret import Decision, carry_over, decide_transfer
from .rows import check_rows, check_sizes
from .statement import reconcile
from .table import LossCurve, RunTable


@dataclass(frozen=True, eq=False)
class Judgement(Mapping[str, SchemeAnswer]):
    """Answers for every scheme of a table, a mapping; each rests on its scheme's runs alone.

    Attributes:
        answers: One per scheme, in the order of the table.
        comparisons: Every further scheme against the first.
        fits: What was fitted of each scheme, one per size.
        failures: Runs with finite losses that no curve explains; they count as failed.
        curves: Runs of each scheme that its fits rest on.
        question: What was asked; None where nothing was.
    """

    answers: Mapping[str, SchemeAnswer]
    comparisons: tuple[Comparison, ...]
    fits: Mapping[str, tuple[SizeFit, ...]]
    failures: tuple[FailedRuns, ...] = ()
    curves: Mapping[str, tuple[LossCurve, ...]] = field(default_factory=dict)
    question: "JudgeOptions | None" = None

    def __getitem__(self, scheme: str) -> SchemeAnswer:
        """Return the answer of a scheme."""
        return self.answers[scheme]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the schemes."""
        return iter(self.answers)

    def __len__(self) -> int:
        """Return the number of schemes."""
        return len(self.answers)

    def check(self) -> dict[str, SecondOpinion]:
        """Return, for every scheme, how well each size is predicted by the others.

        All other sizes are fitted anew for each, which takes longer than the answer itself did.
        """
        question = self.question
        if question is None:
            return {}
        with threadpool_limits(limits=1, user_api="blas"):
            return {
                scheme: leave_each_out(
                    curves,
                    self.fits[scheme],
                    tolerance=question.tolerance,
                    absolute=question.absolute,
                    seed=question.seed,
                    axis=question.axis,
                )
                for scheme, curves in self.curves.items()
            }

    def with_check(self) -> "Judgement":
        """Return the same judgement, its answers with that second opinion (`left_out`)."""
        opinions = self.check()
        answers = {
            scheme: replace(answer, left_out=opinions.get(scheme))
            for scheme, answer in self.answers.items()
        }
        return replace(self, answers=answers)


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
    largest measured size; the regret there decides (`decide_transfer`). The answer of a scheme
    depends on its own runs alone, and on no order.

    Arguments:
        table: Runs, of at least two sizes under some scheme.
        target: Size the learning rate is for.
        base: Size whose optimum would be used; None for the smallest measured.
        tolerance: Regret, as a share of the best loss, up to which a rate transfers.
        absolute_tolerance: The same in units of the loss; if given, it takes the share's place, and
            losses may have any sign.
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
        >>> from .table import Observation
        >>> rows = [Observation("mup", size, 2.0**x, seed, 3 + (x + 6.3) ** 2 / 16 + seed / 50)
        ...         for size in (64, 128) for x in range(-10, -2) for seed in (0, 1)]
        >>> answer = judge(RunTable(tuple(rows)), target=1024)["mup"]
        >>> answer.verdict, answer.regret.size, round(answer.drift.estimate, 1)
        ('transfers', 128, 0.0)
    """
    question = JudgeOptions(
        target=target,
        base=base,
        tolerance=tolerance if absolute_tolerance is None else absolute_tolerance,
        absolute=absolute_tolerance is not None,
        conditions=conditions,
        looks=looks,
        seed=seed,
        axis=check_axis(axis, "judge, axis"),
    )
    _check_options(question)
    check_rows(table.columns, question.words, any_sign=question.absolute)
    check_sizes(table.columns, question.words, base=question.base)
    # One thread, for equal bits: sums split over threads differ in their last digits.
    with threadpool_limits(limits=1, user_api="blas"):
        curves, failures = _read_curves(table, absolute_tolerance)
        fits = {
            scheme: fit_sizes(curves[scheme], seed=seed, any_sign=question.absolute)
            for scheme in curves
        }
        answers = {scheme: _answer(question, scheme, fits[scheme]) for scheme in fits}
        of_schemes = {
            scheme: SchemeFits(curves[scheme], fits[scheme], question.find_base(fits[scheme]))
            for scheme in curves
        }
        comparisons = compare(of_schemes, absolute_tolerance=absolute_tolerance, axis=question.axis)
    return Judgement(answers, comparisons, fits, failures, curves, question)


@dataclass(frozen=True, kw_only=True)
class JudgeOptions:
    """Options of `judge`: what is asked of every scheme."""

    target: int
    base: int | None
    tolerance: float
    absolute: bool
    conditions: str
    looks: int
    seed: int
    axis: AxisName

    @property
    def words(self) -> Axis:
        """The words for the axis."""
        return AXES[self.axis]

    def find_base(self, fits: Sequence[SizeFit]) -> int:
        """Return the base size of a scheme."""
        return self.base or min(fit.columns.size for fit in fits)


def _read_curves(
    table: RunTable, absolute_tolerance: float | None
) -> tuple[dict[str, tuple[LossCurve, ...]], tuple[FailedRuns, ...]]:
    """Return the curves of every scheme without their failed runs, and these."""
    curves, failures = dict[str, tuple[LossCurve, ...]](), list[FailedRuns]()
    for scheme in table.schemes:
        curves[scheme], failed = exclude_failures(
            scheme, table.curves(scheme), absolute_tolerance=absolute_tolerance
        )
        failures += failed
    return curves, tuple(failures)


def _answer(question: JudgeOptions, scheme: str, fits: tuple[SizeFit, ...]) -> SchemeAnswer:
    optima = tuple(fit.optimum for fit in fits)
    by_size = {fit.columns.size: fit for fit in fits}
    start = question.find_base(fits)
    base, destination = by_size.get(start), _find_destination(by_size, start, question.target)
    decision = _decide_scheme(scheme, base, destination, question, start=start)
    predicted = predict(fits, size=question.target, axis=question.axis)
    stated, prediction = reconcile(
        decision, predicted, fits, target=question.target, words=question.words
    )
    evidence = list_evidence(
        scheme,
        fits,
        decision,
        base=base,
        destination=destination,
        start=start,
        target=question.target,
        predicted=prediction is not None,
        axis=question.axis,
    )
    return SchemeAnswer(
        scheme=scheme,
        verdict=stated.verdict,
        reason=stated.reason,
        covers=_describe_coverage(sorted(by_size), question),
        regret=decision.regret,
        regrets=_list_regrets(base, fits, question),
        quality=_rate_quality(base, fits, question),
        drift=fit_drift(list_locations(fits), axis=question.axis),
        optima=optima,
        prediction=prediction,
        fits=tuple(_take_band(fit) for fit in fits if fit.optimum.status == "ok"),
        evidence=evidence,
        hangs_on=say_what_it_hangs_on(
            decision, base, destination, evidence=evidence, words=question.words
        ),
        narrowing=find_narrowing(scheme, fits, prediction, axis=question.axis),
        axis=question.axis,
    )


def _find_destination(by_size: dict[int, SizeFit], base: int, target: int) -> SizeFit | None:
    """Return the fit at the target if measured, else at the largest size, unless it is the base."""
    others = {size: fit for size, fit in by_size.items() if size != base}
    return others.get(target, others.get(max(by_size)))


def _rate_quality(base: SizeFit | None, fits: Sequence[SizeFit], question: JudgeOptions) -> Quality:
    return rate_quality(
        None if base is None else carry_over(base),
        fits,
        tolerance=question.tolerance,
        rng=np.random.default_rng([question.seed, len(fits)]),
        absolute=question.absolute,
        axis=question.axis,
    )


def _list_regrets(
    base: SizeFit | None, fits: Sequence[SizeFit], question: JudgeOptions
) -> tuple[Regret, ...]:
    """Return what the base's optimum costs at other sizes, and is expected to at the target."""
    if base is None:
        return ()
    decisions = (_decide_pair(base, fit, question) for fit in fits if fit is not base)
    regrets = tuple(decision.regret for decision in decisions if decision.regret is not None)
    largest = max(fits, key=lambda fit: fit.columns.size)
    used = carry_over(base)
    if used is None or question.target <= largest.columns.size:
        return regrets
    expected = expected_regret(
        used,
        fits,
        size=question.target,
        tolerance=question.tolerance,
        rng=np.random.default_rng([question.seed, question.target]),
        absolute=question.absolute,
        axis=question.axis,
    )
    return regrets if expected is None else (*regrets, expected)


def _decide_scheme(
    scheme: str,
    base: SizeFit | None,
    destination: SizeFit | None,
    question: JudgeOptions,
    *,
    start: int,
) -> Decision:
    if base is not None and destination is not None:
        return _decide_pair(base, destination, question)
    name = question.words.name
    missing = f"{name} {start}" if base is None else f"a second {name} beside {start}"
    return Decision("inconclusive", f"Scheme {scheme} has no runs at {missing}.")


def _decide_pair(base: SizeFit, destination: SizeFit, question: JudgeOptions) -> Decision:
    used = carry_over(base)
    if used is None:
        where = f"{question.words.name} {base.columns.size}".capitalize()
        return Decision("inconclusive", f"{where} shows no optimum to be used.")
    return decide_transfer(
        used,
        destination,
        tolerance=question.tolerance,
        at_target=destination.columns.size == question.target,
        absolute=question.absolute,
        looks=question.looks,
        axis=question.axis,
    )


def _describe_coverage(sizes: Sequence[int], question: JudgeOptions) -> str:
    target, words = question.target, question.words
    within = sizes[0] <= target <= sizes[-1]
    beyond = "" if within else f" the target {words.name} {target} itself;"
    return (
        f"Covered: {words.name} only, between the measured {words.plural} {sizes[0]} and "
        f"{sizes[-1]}, at these conditions: "
        f"{question.conditions or 'those of the runs in the table'}. "
        f"Not covered:{beyond} another {list_others(question.axis)} at the target."
    )


def _take_band(fit: SizeFit) -> CurveFit:
    """Return the fitted curve between the finite rates."""
    assert fit.draws is not None  # its optimum is ok
    x, rates = fit.draws.log2_lr, fit.columns.log2_lr
    within = np.flatnonzero((x >= rates[0]) & (x <= rates[-1]))
    low, middle, high = np.quantile(fit.draws.loss[:, within], (TAIL, 0.5, 1 - TAIL), axis=0)
    return CurveFit(size=fit.columns.size, log2_lr=x[within], loss=middle, low=low, high=high)


def _check_options(question: JudgeOptions) -> None:
    target, words = question.target, question.words
    if target <= 0:
        raise TableError(
            f"judge: got target={target}, wanted a positive {words.name}. "
            f"Give the {words.described} that the learning rate is for."
        )
    if 0 < question.tolerance < math.inf:
        return
    if question.absolute:
        raise TableError(
            f"judge: got absolute_tolerance={question.tolerance}, wanted a positive number in "
            "units of the loss, such as 0.02."
        )
    raise TableError(
        f"judge: got tolerance={question.tolerance}, wanted a positive share of the best loss. "
        "Give 0.01 for 1 %."
    )
