"""How the limit's optimum depends on depth."""

import numpy as np

from lrtransfer.scaling import LineFit, fit_power_law
from lrtransfer.theory.exact.deep_linear import Problem
from lrtransfer.theory.exact.optimum import LimitOptimum, limit_optimum
from lrtransfer.theory.regression import Regression, draw_regression

from .section import Row, Section, loglog, markdown_table

DEPTHS, STEPS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32), (1, 5, 10, 20)
FITTED = 4  # smallest depth in the fit


def measure() -> Section:
    """Find the optimum of every depth and step, and fit a power of the depth."""
    text, spans = "", []
    for name, data in _data().items():
        optima = {t: [_optimum(data, depth, t) for depth in DEPTHS] for t in STEPS}
        lrs = {t: np.array([o.lr for o in optima[t]]) for t in STEPS}
        is_deep = np.array(DEPTHS) >= FITTED
        laws = {t: fit_power_law(np.array(DEPTHS)[is_deep], lrs[t][is_deep]) for t in STEPS}
        spans += [f"{law.slope:.2f} (t = {t}, {name})" for t, law in laws.items()]
        rows = [
            [f"{depth}", *(f"{lrs[t][i]:.6g}{_mark(optima[t][i])}" for t in STEPS)]
            for i, depth in enumerate(DEPTHS)
        ]
        rows.append(["exponent", *(_interval(law) for law in laws.values())])
        series = {f"t = {t}": (DEPTHS, lrs[t]) for t in STEPS}
        table = markdown_table(["L", *(f"t = {t}" for t in STEPS)], rows)
        picture = loglog(
            f"theory-depth-{name.split()[0]}",
            series,
            x="depth L",
            y="optimal learning rate",
            guides={"1/L": -1.0, "1/L²": -2.0},
        )
        text += f"Data: {name}.\n\n{table}\n{picture}\n"
    text += (
        f"The exponents are fitted over L ≥ {FITTED}; * marks certified minimisers. After one step "
        "the law is exactly 1/L.\n"
    )
    return Section(
        "Depth law", (Row("optimum against depth, exponent of L", "; ".join(spans)),), text
    )


def _data() -> dict[str, Regression]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((500, 10)) * np.arange(1, 11) ** -0.5
    y = x @ rng.standard_normal(10) + 0.1 * rng.standard_normal(500)
    return {
        "isotropic (N = 500, d = 10)": draw_regression(count=500, dimension=10, noise=0.1, seed=0),
        "anisotropic (variances 1/i)": Regression(x, y),
    }


def _optimum(data: Regression, depth: int, steps: int) -> LimitOptimum:
    return limit_optimum(Problem(data, depth=depth), steps=steps)


def _interval(law: LineFit) -> str:
    return f"{law.slope:.3f} ({law.slope_low:.3f} … {law.slope_high:.3f})"


def _mark(optimum: LimitOptimum) -> str:
    return "*" if optimum.certified else ""
