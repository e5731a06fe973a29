"""Speed of structured gradient descent beside a plain loop, cost of the limit, memory."""

import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from lrtransfer.scaling import fit_power_law
from lrtransfer.theory.exact.deep_linear import Problem
from lrtransfer.theory.exact.finite_width import draw_weights, finite_losses
from lrtransfer.theory.exact.limit import limit_losses
from lrtransfer.theory.regression import draw_regression

from .accuracy import plain_loop
from .section import Row, Section, loglog, markdown_table

RATES, STEPS, DEPTH, SAMPLES, INPUTS = 16, 20, 3, 128, 10
LR = 0.3  # stable at every width
# By width: timed steps and learning rates of the plain loop, from which its time is extrapolated,
# and the required ratio.
WIDTHS = {256: (20, 4, 60), 1024: (20, 1, 85), 8192: (2, 1, 190)}
WIDEST = 16_384
REPEATS = 5


def measure() -> Section:
    """Time both on one thread, side by side, then the limit over t, L and d."""
    torch.set_num_threads(1)
    with threadpool_limits(limits=1):
        rows, table = [], []
        for width, (steps, rates, required) in WIDTHS.items():
            plain, structured = _side_by_side(width, steps=steps, rates=rates)
            scale = RATES / rates * STEPS / steps
            ratio = plain * scale / structured
            rows.append(
                Row(
                    f"speed against the plain loop, n = {width:,}",
                    f"{ratio:.0f}×",
                    f"≥ {required}×",
                )
            )
            table.append([
                f"{width:,}", f"{structured:.3g} s", f"{plain * scale:.4g} s",
                f"{rates} rates, {steps} steps", f"{ratio:.0f}×",
            ])  # fmt: skip
        limit = _best(lambda: _limit(10, 3, 10, rates=400), REPEATS)
        rows.append(Row("limit, t = 10, L = 3, d = 10, 400 rates", f"{limit:.3f} s", "< 2 s"))
        costs = _limit_costs()
    seconds, peak = _widest()
    rows.append(
        Row(f"peak memory at n = {WIDEST:,}, L = 3, 16 rates, 20 steps", f"{peak:.2f} GB", "≤ 4 GB")
    )
    headers = ["n", "structured", "plain loop", "of which timed", "ratio"]
    text = (
        f"{RATES} learning rates, {STEPS} steps, L = {DEPTH}, N = {SAMPLES}, d = {INPUTS}, "
        "float64, one thread, side by side in one process. The plain loop is torch's autograd with "
        "the weights updated in place, one learning rate at a time, W_0 x computed once; where it "
        "takes long, some of its learning rates and steps are timed and multiplied.\n\n"
        + markdown_table(headers, table)
        + f"\nAt n = {WIDEST:,} drawing the weights and all {STEPS} steps took {seconds:.0f} s.\n\n"
        + costs
    )
    return Section("Speed", tuple(rows), text)


def _problem(depth: int = DEPTH, dimension: int = INPUTS) -> Problem:
    return Problem(
        draw_regression(count=SAMPLES, dimension=dimension, noise=0.1, seed=0), depth=depth
    )


def _side_by_side(width: int, *, steps: int, rates: int) -> tuple[float, float]:
    """Return seconds of the plain loop and of the structured one, and check that they agree."""
    problem = _problem()
    weights = draw_weights(problem, width=width, seed=0)
    lrs = np.linspace(LR / RATES, LR, RATES)
    repeats = REPEATS if width < 5000 else 1
    structured = _best(lambda: finite_losses(problem, weights, lrs, steps=STEPS), repeats)
    plain = _best(
        lambda: [plain_loop(problem, weights, lr, steps) for lr in lrs[:rates].tolist()],
        repeats if width < 500 else 1,
    )
    expected = plain_loop(problem, weights, float(lrs[-1]), min(steps, 2))
    losses = finite_losses(problem, weights, lrs[-1:], steps=min(steps, 2))[0]
    np.testing.assert_allclose(losses, expected, rtol=1e-10)
    return plain, structured


def _best(work: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def _limit(steps: int, depth: int, dimension: int, *, rates: int = 64) -> None:
    lrs = np.linspace(0.001, 0.01, rates)
    limit_losses(_problem(depth, dimension), lrs, steps=steps)


def _limit_costs() -> str:
    """Return how the seconds of 64 learning rates grow with t, L and d."""
    values = {"t": (5, 10, 20, 40, 80), "L": (2, 4, 8, 16, 32), "d": (5, 10, 20, 40, 80)}
    times = {
        "t": [_best(partial(_limit, t, 3, 10), 3) for t in values["t"]],
        "L": [_best(partial(_limit, 10, depth, 10), 3) for depth in values["L"]],
        "d": [_best(partial(_limit, 10, 3, d), 3) for d in values["d"]],
    }
    rows = []
    for name, seconds in times.items():
        law = fit_power_law(values[name][1:], seconds[1:])
        cells = [f"{v}: {s:.3g} s" for v, s in zip(values[name], seconds, strict=True)]
        rows.append([name, ", ".join(cells), f"{law.slope:.2f}"])
    picture = loglog(
        "theory-cost",
        {
            "steps t (L = 3, d = 10)": (values["t"], times["t"]),
            "depth L (t = 10, d = 10)": (values["L"], times["L"]),
            "inputs d (t = 10, L = 3)": (values["d"], times["d"]),
        },
        x="t, L or d",
        y="seconds for 64 learning rates in the limit",
    )
    return (
        "Cost of the limit, 64 learning rates, one thread:\n\n"
        + markdown_table(["in", "seconds", "exponent"], rows)
        + "\n"
        + picture
    )


def _widest() -> tuple[float, float]:
    """Return seconds and peak memory in GB of a process of its own at the largest width."""
    code = "from benchmarks.theory.speed import run_widest; run_widest()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, peak = map(float, done.stdout.split())
    return seconds, peak


def run_widest() -> None:
    """Run the largest width and print seconds and peak memory."""
    start = time.perf_counter()
    with threadpool_limits(limits=1):
        problem = _problem()
        weights = draw_weights(problem, width=WIDEST, seed=0)
        losses = finite_losses(problem, weights, np.linspace(LR / RATES, LR, RATES), steps=STEPS)
    assert np.isfinite(losses).all()
    print(time.perf_counter() - start, _peak())


def _peak() -> float:
    """Return the peak memory of this process in GB; ru_maxrss would include its parent's."""
    (line,) = [v for v in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in v]
    return int(line.split()[1]) * 1024 / 1e9
