"""Measure how often the optimum's intervals hold the truth, on landscapes with a known optimum.

    python -m benchmarks.coverage --studies 270

simulates studies of 3 to 6 sizes whose optima drift and scatter, in all regimes in turn, finds
their optima, and prints in Markdown: per landscape the coverage of the 95 % interval with its Monte
Carlo error, the median width, the share of optima without an interval, and how many estimates lie
outside their own interval (must be 0); the same per span, spacing and number of seeds; the regimes
of at least `--least` intervals in which they hold least often; and the median widths per spacing.
`--studies 270` draws 5 studies of each landscape in each of the 54 regimes.
"""

import argparse
import csv
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np

from benchmarks.regimes import NAMES, Draw, add_options, list_draws, list_regimes
from benchmarks.tally import print_table, show_share, spread
from lrtransfer.statistics.answer import Optimum
from lrtransfer.statistics.curves.fit import find_optima
from lrtransfer.statistics.failures import exclude_failures
from lrtransfer.statistics.simulated_study import SweepRegime

# One valley, nothing sharper than half an octave: corners, cliffs and waves cost width.
SMOOTH = (
    *("quad", "skew", "wall", "quartic", "heavy", "hetero", "corr", "powers", "well", "hyperbola"),
    *("cosh", "lorentz", "basin"),
)
DENSE = (9.0, 0.5)  # span and spacing in which width is compared with that of an older version
FIELDS = ("span", "spacing", "seeds", "noise")
WORST = 10  # regimes shown


@dataclass(frozen=True)
class Outcome:
    """Optimum whose truth is known."""

    landscape: str
    regime: SweepRegime
    optimum: Optimum
    truth: float

    @property
    def width(self) -> float | None:
        """Total width of the interval in octaves, None where only a bound or nothing is stated."""
        low, high = self.optimum.low, self.optimum.high
        if self.optimum.status != "ok" or low is None or high is None:
            return None
        return high - low

    @property
    def held(self) -> bool:
        """Whether interval or bound hold the truth."""
        low, high = self.optimum.low, self.optimum.high
        return (low is None or low <= self.truth) and (high is None or self.truth <= high)

    @property
    def strayed(self) -> bool:
        """Whether the estimate lies outside its own interval."""
        x, low, high = self.optimum.log2_lr, self.optimum.low, self.optimum.high
        if x is None:
            return False
        return (low is not None and x < low) or (high is not None and x > high)


def find(draw: Draw) -> list[Outcome]:
    """Find the optima of one study, as `judge` would."""
    study = draw.simulate()
    curves, _ = exclude_failures(draw.landscape, study.curves)
    optima = find_optima(curves, seed=draw.number)
    return [
        Outcome(draw.landscape, study.regime, optimum, float(truth))
        for optimum, truth in zip(optima, study.optima, strict=True)
    ]


def describe(outcomes: Iterable[Outcome]) -> tuple[object, ...]:
    """Return coverage ± Monte Carlo error, median width, silent %, bounds that hold, strays."""
    outcomes = list(outcomes)
    stated = [o for o in outcomes if o.width is not None]
    bounds = [o for o in outcomes if o.optimum.status == "edge"]
    return (
        len(outcomes),
        show_share(o.held for o in stated),
        show_width(stated),
        f"{100 * (1 - len(stated) / len(outcomes)):.1f}",
        f"{sum(o.held for o in bounds)} of {len(bounds)}",
        sum(o.strayed for o in outcomes),
    )


def show_width(outcomes: Iterable[Outcome]) -> str:
    """Show the median width in octaves, or nothing."""
    widths = [o.width for o in outcomes if o.width is not None]
    return f"{np.median(widths):.2f}" if widths else ""


COLUMNS = ("curves", "holds %", "median width", "silent %", "bounds that hold", "strays")


def group_by(
    outcomes: Iterable[Outcome], key: Callable[[Outcome], tuple[object, ...]]
) -> dict[tuple[object, ...], list[Outcome]]:
    """Group outcomes by a key."""
    groups = defaultdict[tuple[object, ...], list[Outcome]](list)
    for outcome in outcomes:
        groups[key(outcome)].append(outcome)
    return dict(groups)


SETTINGS: tuple[Callable[[Outcome], object], ...] = (
    lambda o: o.landscape,
    lambda o: f"{o.regime.span:g} oct",
    lambda o: f"{o.regime.spacing:g} apart",
    lambda o: f"S={o.regime.seeds}",
    lambda o: f"noise {100 * o.regime.noise:g} %",
)


def list_worst(outcomes: Sequence[Outcome], *, least: int) -> Iterator[tuple[object, ...]]:
    """Yield the settings, alone and in every combination, whose intervals hold least often.

    Arguments:
        outcomes: What was found.
        least: Number of intervals that a combination must have.
    """
    stated = [o for o in outcomes if o.width is not None]
    cells = dict[tuple[object, ...], list[Outcome]]()
    for count in range(1, len(SETTINGS) + 1):
        for settings in combinations(SETTINGS, count):
            groups = group_by(stated, partial(_describe_settings, settings))
            cells |= {key: found for key, found in groups.items() if len(found) >= least}
    by_share = sorted(cells.items(), key=lambda cell: np.mean([o.held for o in cell[1]]))
    for key, found in by_share[:WORST]:
        yield ", ".join(map(str, key)), len(found), show_share(o.held for o in found)


def _describe_settings(
    settings: Sequence[Callable[[Outcome], object]], outcome: Outcome
) -> tuple[object, ...]:
    return tuple(setting(outcome) for setting in settings)


def print_tables(outcomes: Sequence[Outcome], *, least: int) -> None:
    """Print all tables."""
    by_name = group_by(outcomes, lambda o: (o.landscape,))
    inside = [o for o in outcomes if o.landscape != "outside"]
    print_table(
        ("landscape", *COLUMNS), ((name, *describe(found)) for (name,), found in by_name.items())
    )
    print("\nAll landscapes whose optimum lies inside the rates\n")
    by_regime = group_by(inside, lambda o: (o.regime.span, o.regime.spacing, o.regime.seeds))
    print_table(
        ("span", "spacing", "S", *COLUMNS),
        ((*key, *describe(found)) for key, found in sorted(by_regime.items())),
    )
    print(f"\nWhere intervals hold least often, of all settings with {least} intervals or more\n")
    print_table(("setting", "intervals", "holds %"), list_worst(inside, least=least))
    spacings = sorted({o.regime.spacing for o in inside})
    print("\nBy octaves between rates: holds % / median width in octaves\n")
    print_table(
        ("landscape", *(f"{s:g}" for s in spacings), "0.5, 9 octaves swept"),
        list_spacings(inside, spacings),
    )
    print("\nMedian over the landscapes of the median width, 9 octaves swept, 0.5 apart\n")
    print_table(("S", "noise", "width"), list_dense([o for o in inside if is_dense(o)]))


def list_spacings(
    outcomes: Sequence[Outcome], spacings: Sequence[float]
) -> Iterator[tuple[object, ...]]:
    """Yield coverage and median width per spacing, of all smooth landscapes and of each."""
    smooth = [o for o in outcomes if o.landscape in SMOOTH]
    rows = {("all smooth ones",): smooth} | group_by(outcomes, lambda o: (o.landscape,))
    for (name,), found in rows.items():
        cells = [[o for o in found if o.regime.spacing == s] for s in spacings]
        cells.append([o for o in found if is_dense(o)])
        yield name, *(show_both(cell) for cell in cells)


def show_both(outcomes: Sequence[Outcome]) -> str:
    """Show the coverage of intervals in % and their median width."""
    held = [o.held for o in outcomes if o.width is not None]
    return f"{100 * np.mean(held):.0f} / {show_width(outcomes)}" if held else ""


def is_dense(outcome: Outcome) -> bool:
    """Tell whether rates lie so densely that corners alone may widen the intervals."""
    return (outcome.regime.span, outcome.regime.spacing) == DENSE


def list_dense(outcomes: Sequence[Outcome]) -> Iterator[tuple[object, ...]]:
    """Yield the medians over landscapes of the median widths, per number of seeds and noise."""
    groups = group_by(outcomes, lambda o: (o.regime.seeds, o.regime.noise))
    for (seeds, noise), found in sorted(groups.items()):
        widths = [show_width(some) for some in group_by(found, lambda o: (o.landscape,)).values()]
        yield seeds, noise, f"{np.median([float(width) for width in widths if width]):.2f}"


def save(outcomes: Iterable[Outcome], path: Path) -> None:
    """Write a row per optimum, to be looked at in other ways."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["landscape", *FIELDS, "size", "status", "log2_lr", "low", "high", "truth"])
        for o in outcomes:
            best = o.optimum
            settings = (getattr(o.regime, field) for field in FIELDS)
            found = (best.size, best.status, best.log2_lr, best.low, best.high)
            rows.writerow([o.landscape, *settings, *found, o.truth])


def main() -> None:
    """Parse the options and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser, studies=54, landscapes=NAMES)
    parser.add_argument("--least", type=int, default=500, help="intervals of a regime shown")
    parser.add_argument("--save", type=Path, help="CSV file to write a row per optimum to")
    options = parser.parse_args()
    regimes = list_regimes(options)
    draws = list_draws(options, regimes)
    started = time.perf_counter()
    outcomes = [o for found in spread(find, draws, jobs=options.jobs) for o in found]
    spent = options.jobs * (time.perf_counter() - started)
    print(f"\n{options.studies} studies per landscape, in turn from {len(regimes)} regimes\n")
    print_tables(outcomes, least=options.least)
    if options.save:
        save(outcomes, options.save)
    print(f"\n{len(outcomes)} curves, {1000 * spent / len(outcomes):.0f} ms per curve")


if __name__ == "__main__":
    main()
