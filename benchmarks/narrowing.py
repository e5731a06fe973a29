"""Measure whether runs narrow a prediction as much as its answer expects of them.

    python -m benchmarks.narrowing --studies 120

simulates studies of four widths, makes the runs that `find_narrowing` names, and prints how wide
the interval then is as a multiple of the width expected: quantiles over the studies.
"""

import argparse
import math
from collections.abc import Iterator, Sequence

import numpy as np

from lrtransfer.statistics.answer import Evidence
from lrtransfer.statistics.curves.fit import fit_sizes
from lrtransfer.statistics.narrowing import find_narrowing
from lrtransfer.statistics.prediction import predict
from lrtransfer.statistics.simulated_study import SMALLEST, SweepRegime, simulate_study
from lrtransfer.statistics.table import LossCurve

_NAMES = ("quad", "skew", "wall")
_SPACINGS = (1.0, 2.0, 0.5)
_WIDTHS = 4


def list_ratios(studies: int) -> Iterator[float]:
    """Yield the width of the interval after the runs over the width expected."""
    for number in range(studies):
        rng = np.random.default_rng(number)
        # Twice the rates and seeds, and one width more than the study has: what may be added.
        spacing, ahead = _SPACINGS[number // 3 % 3] / 2, 1 + number % 2
        full = simulate_study(
            _NAMES[number % 3],
            path=rng.choice([0, -0.3]) * np.arange(_WIDTHS + 2),
            rng=rng,
            regime=SweepRegime(span=8.0, spacing=spacing, seeds=2, noise=0.02),
            ahead=1,
            scatter=0.05,
        ).curves
        study = [_take_study(curve) for curve in full[:_WIDTHS]]
        target = SMALLEST * 2 ** (_WIDTHS - 1 + ahead)
        before = fit_sizes(study)
        narrowing = find_narrowing("all", before, predict(before, size=target))
        if narrowing is None or narrowing.runs.size < SMALLEST:
            continue
        after = predict(fit_sizes(_add_runs(study, full, narrowing.runs)), size=target)
        if after is not None:
            yield math.log2(after.high / after.low) / narrowing.expected


def _take_study(curve: LossCurve) -> LossCurve:
    """Return every other rate, of the first seed."""
    return LossCurve(curve.size, curve.log2_lr[::2], curve.loss[:1, ::2])


def _add_runs(
    study: Sequence[LossCurve], full: Sequence[LossCurve], runs: Evidence
) -> list[LossCurve]:
    (source,) = [curve for curve in full if curve.size == runs.size]
    measured = {curve.size: curve for curve in study}
    if runs.size not in measured:
        return [*study, _take_study(source)]
    near = np.isclose(source.log2_lr[:, None], np.array(runs.log2_lr))
    added = np.any(near, axis=1)
    tried = np.arange(len(source.log2_lr)) % 2 == 0
    loss = np.where([tried, added & tried], source.loss, np.nan)
    loss[0, added] = source.loss[0, added]
    kept = tried | added
    measured[runs.size] = LossCurve(source.size, source.log2_lr[kept], loss[:, kept])
    return list(measured.values())


def main() -> None:
    """Read the options and print the quantiles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=120)
    ratios = list(list_ratios(parser.parse_args().studies))
    low, middle, high = np.quantile(ratios, (0.1, 0.5, 0.9))
    print(f"{len(ratios)} studies: width / expected, 10 / 50 / 90 %:", end=" ")
    print(f"{low:.2f} / {middle:.2f} / {high:.2f}")


if __name__ == "__main__":
    main()
