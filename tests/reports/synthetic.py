"""Reports with made-up runs: the shapes a page must tell well, from a clean study to none at all.

x is the learning rate as log2. The numbers are invented; no statistics are computed here.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from lrtransfer.reports.html import Report
from lrtransfer.statistics.answer import (
    Comparison,
    CurveFit,
    Evidence,
    Interval,
    Optimum,
    Prediction,
    Regret,
    SchemeAnswer,
    VerdictName,
)
from lrtransfer.statistics.table import Observation, RunTable
from lrtransfer.statistics.transfer import Judgement

WIDTHS = (128, 256, 512, 1024)
RATES = tuple(range(-12, 0))
FACTS = (
    ("model", "transformer, 4 layers, head width 64"),
    ("data", "wikitext-103, bytes"),
    ("steps", "2000, batch 64 × 256 tokens, cosine to 0"),
    ("optimizer", "AdamW, β = (0.9, 0.95), weight decay 0.1"),
    ("precision", "bfloat16, fp32 master weights"),
    ("engine", "batched, checked against the loop"),
    ("study seed", "17"),
)
COVERS = (
    "Width only, 128 to 1024, at 2000 steps and batch 64. A longer horizon, another batch size "
    "or depth at the target is not covered."
)


def valley(x: float, *, centre: float, floor: float) -> float:
    """Return a loss that rises slowly to the left and turns into a wall on the right."""
    away = x - centre
    wall = 0.06 * away * away + 0.02 * math.expm1(1.1 * away)
    return floor + (0.045 * away * away if away < 0 else wall)


def centre_of(scheme: str, width: int) -> float:
    drift = {"SP": -0.72, "NTP": -0.45}.get(scheme, -0.03)
    return -5.2 + drift * math.log2(width / 128)


def floor_of(width: int) -> float:
    return 2.55 + 2.4 * math.pow(width / 32, -0.55)


def runs(
    scheme: str,
    *,
    widths: Sequence[int] = WIDTHS,
    rates: Sequence[float] = RATES,
    seeds: int = 3,
    centre: Callable[[str, int], float] = centre_of,
) -> tuple[Observation, ...]:
    noise = np.random.default_rng(sum(map(ord, scheme)))
    rows = []
    for width in widths:
        for x in rates:
            for seed in range(seeds):
                middle = centre(scheme, width)
                loss = valley(x, centre=middle, floor=floor_of(width))
                loss += float(noise.normal(0, 0.006))
                diverged = x - middle > 3.4 + float(noise.normal(0, 0.3))
                rows.append(
                    Observation(scheme, width, 2.0**x, seed, None if diverged else loss, diverged)
                )
    return tuple(rows)


def fit(scheme: str, width: int) -> CurveFit:
    centre = centre_of(scheme, width)
    x = np.linspace(-12, min(centre + 3.2, -1), 120)
    loss = np.array([valley(float(at), centre=centre, floor=floor_of(width)) for at in x])
    half = 0.006 + 0.004 * np.abs(x - centre)
    return CurveFit(size=width, log2_lr=x, loss=loss, low=loss - half, high=loss + half)


def optimum(scheme: str, width: int) -> Optimum:
    centre = centre_of(scheme, width)
    return Optimum(size=width, log2_lr=centre, low=centre - 0.32, high=centre + 0.27, status="ok")


def prediction(scheme: str, *, target: int = 8192) -> Prediction:
    centre = centre_of(scheme, target)
    return Prediction(
        size=target,
        lr=2.0**centre,
        low=2.0 ** (centre - 1.1),
        high=2.0 ** (centre + 0.9),
        middle=2.0**centre,
        assumption="the drift bends by no more than about 0.1 octave per doubling².",
    )


def answer(scheme: str) -> SchemeAnswer:
    drifts = scheme in {"SP", "NTP"}
    verdict: VerdictName = "does not transfer" if drifts else "transfers"
    cost, low, high = (0.142, 0.118, 0.171) if drifts else (0.0021, 0.0, 0.0064)
    slope = (centre_of(scheme, 512) - centre_of(scheme, 128)) / 2
    says = "is above" if drifts else "stays below"
    return SchemeAnswer(
        scheme=scheme,
        verdict=verdict,
        reason=(
            f"The optimum of width 128, used at width 1024, costs {100 * cost:.2g} % of the best "
            f"loss there; its whole interval {says} the tolerance of 1 %."
        ),
        covers=COVERS,
        regret=Regret(
            size=1024,
            measured=True,
            estimate=cost,
            low=low,
            high=high,
            tolerance=0.01,
            log2_lr=centre_of(scheme, 128),
            best_loss=3.2,
        ),
        drift=Interval(slope, slope - 0.09, slope + 0.08),
        optima=tuple(optimum(scheme, width) for width in WIDTHS),
        prediction=prediction(scheme),
        fits=tuple(fit(scheme, width) for width in WIDTHS),
        evidence=(),
    )


def nothing(scheme: str, *, widths: Sequence[int] = WIDTHS) -> SchemeAnswer:
    """Return an answer that could not be given."""
    return SchemeAnswer(
        scheme=scheme,
        verdict="inconclusive",
        reason="No width has three learning rates with a finite loss, so no optimum is known.",
        covers=COVERS,
        regret=None,
        drift=None,
        optima=tuple(
            Optimum(size=width, log2_lr=None, low=None, high=None, status="none")
            for width in widths
        ),
        prediction=None,
        fits=(),
        evidence=(
            Evidence(
                action="add learning rates below 2^-12",
                size=128,
                log2_lr=(-13.0, -14.0),
                runs=6,
                cost=0.2,
            ),
        ),
    )


EDGE_EVIDENCE = (
    Evidence(
        action="add learning rates below 2^-12 at width 512",
        size=512,
        log2_lr=(-14.0, -13.0),
        runs=6,
        cost=0.1,
    ),
    Evidence(
        action="add seeds: 5 per learning rate at width 1024",
        size=1024,
        log2_lr=(-13.0,),
        runs=2,
        cost=0.31,
    ),
)


def edges(scheme: str) -> SchemeAnswer:
    """Return an answer whose widest optima are bounds on either side."""
    return SchemeAnswer(
        scheme=scheme,
        verdict="inconclusive",
        reason="The lowest loss at width 1024 lies at the smallest rate tried.",
        covers=COVERS,
        regret=Regret(
            size=1024,
            measured=True,
            estimate=0.021,
            low=0.004,
            high=None,
            tolerance=0.01,
            log2_lr=-5.2,
            best_loss=3.2,
        ),
        drift=None,
        optima=(
            optimum(scheme, 128),
            Optimum(size=256, log2_lr=-1.0, low=-2.0, high=None, status="edge"),
            Optimum(size=512, log2_lr=-12.0, low=None, high=-11.0, status="edge"),
            Optimum(size=1024, log2_lr=-12.0, low=None, high=None, status="edge"),
        ),
        prediction=None,
        fits=(fit(scheme, 128),),
        evidence=EDGE_EVIDENCE,
    )


def judgement(*answers: SchemeAnswer) -> Judgement:
    """Return answers with the differences of every further scheme from the first."""
    comparisons = tuple(
        Comparison(
            scheme=answer.scheme,
            reference=answers[0].scheme,
            size=1024,
            drift=Interval(-0.919, -1.9, 0.0586),
            regret=Interval(0.0609, 0.0411, 0.0974),
            best_loss=Interval(0.00945, -0.0726, 0.0752),
        )
        for answer in answers[1:]
    )
    return Judgement({answer.scheme: answer for answer in answers}, comparisons, {})


REGRETS = (
    Regret(
        size=512,
        measured=True,
        estimate=4e-5,
        low=0.0,
        high=0.0011,
        tolerance=0.01,
        log2_lr=-5.2,
        best_loss=2.4,
    ),
    Regret(
        size=1024,
        measured=True,
        estimate=0.0021,
        low=0.0002,
        high=0.0064,
        tolerance=0.01,
        log2_lr=-5.2,
        best_loss=3.2,
        low_quantile=0.001,
        high_quantile=0.995,
    ),
    Regret(
        size=8192,
        measured=False,
        estimate=0.139,
        low=0.0623,
        high=0.288,
        tolerance=0.01,
        log2_lr=-5.2,
        best_loss=3.2,
        low_quantile=0.025,
        high_quantile=0.975,
    ),
)


def report(*schemes: str, title: str = "Small transformer on wikitext") -> Report:
    return Report(
        title=title,
        facts=FACTS,
        table=RunTable(tuple(row for scheme in schemes for row in runs(scheme))),
        answers=tuple(answer(scheme) for scheme in schemes),
        target=8192,
        unit="nats",
    )


def usual() -> Report:
    return report("μP", "SP")


def many() -> Report:
    return report("μP", "SP", "NTP", "CompleteP", "u-μP")


def single() -> Report:
    return report("μP")


def at_edges() -> Report:
    return Report(
        title="Optima at the edge",
        facts=FACTS,
        table=RunTable((*runs("μP"), *runs("SP"))),
        answers=(answer("μP"), edges("SP")),
        target=8192,
        notes=(
            "The batched engine failed its check on this machine; every run used the loop.",
            "Width 1024 has a batch of 64, the target's is 512: not covered.",
        ),
    )


def all_diverged() -> Report:
    rows = tuple(
        Observation(row.scheme, row.size, row.lr, row.seed, None, diverged=True)
        for row in runs("SP")
    )
    return Report("Nothing finished", FACTS, RunTable(rows), (nothing("SP"),), 4096)


def half_diverged() -> Report:
    lost = tuple(Observation("SP", row.size, row.lr, row.seed, None, True) for row in runs("SP"))
    return Report(
        title="One scheme diverged",
        facts=FACTS,
        table=RunTable((*runs("μP"), *lost)),
        answers=(answer("μP"), nothing("SP")),
        target=8192,
    )


def sparse() -> Report:
    """Return one seed, missing cells, odd rates, one width: what people bring from elsewhere."""
    rows = (
        Observation("default", 768, 0.001, 0, 3.31),
        Observation("default", 768, 0.003, 0, 3.12),
        Observation("default", 1536, 0.003, 0, 2.98),
        Observation("default", 1536, 0.01, 0, 2.9e7),
        Observation("default", 1536, 0.03, 0, 9.5, diverged=True),
    )
    return Report("runs.csv", (), RunTable(rows), (nothing("default", widths=(768, 1536)),), 6144)


def decades() -> Report:
    """Return losses over many decades, as a regression has them."""
    rows = tuple(
        Observation(row.scheme, row.size, row.lr, row.seed, row.loss and 10 ** (4 * row.loss - 18))
        for row in runs("SP")
    )
    return Report("Regression", FACTS, RunTable(rows), (nothing("SP"),), 4096)


def empty() -> Report:
    return Report("Nothing yet", (), RunTable(()), (), 4096)


EVERY: dict[str, Callable[[], Report]] = {
    build.__name__: build
    for build in (
        usual,
        many,
        single,
        at_edges,
        all_diverged,
        half_diverged,
        sparse,
        decades,
        empty,
    )
}
