"""The coordinate check: does every tensor learn as much at every width, and if not, why?

A model is built at several widths and seeds and trained for a few steps on one batch. The check
measures a few quantities on it (see `quantities`), judges how they scale with width (see
`findings`), and traces deviations to their likely cause (see `suspects`). A control in the standard
parametrization must fail in the same call: a check that cannot fail has no meaning.

References:
    Yang, Hu, Babuschkin, et al. (2022). Tensor Programs V: Tuning Large Neural Networks via
    Zero-Shot Hyperparameter Transfer, Appendix D.1. https://arxiv.org/abs/2203.03466
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import nn

from ..errors import CheckError
from ..parametrization.exponents import Rows
from ..parametrization.parametrize import parametrize
from ..parametrization.recipe.recipe import Recipe
from ..parametrization.roles.roles import Build
from ..parametrization.rules import Role, Scheme
from ..randomness import seed_of
from ..training.objective import Batch, Loss, call
from ..training.targets import require_targets
from .findings import (
    CheckVerdict,
    Finding,
    MeasurementTable,
    conclude,
    first_per_width,
    judge_exponents,
)
from .growth import infer_roles
from .quantities import ModelMeasurements, measure
from .response import measure_gradient_degree
from .suspects import Clues, Suspect, find_suspects

Make = Callable[[int, int], tuple[nn.Module, torch.optim.Optimizer]]

WIDTHS = (64, 128, 256, 512)
SEEDS = 3
STEPS = 10
# Learning rates at the base width: small enough for linear steps, large beside rounding errors.
RATES = {"sgd": 2.0**-4}
RATE = 2.0**-8

_EPSILON = 1e-8
_FEWEST_WIDTHS = 3
# Where the first seeds leave the answer open, the number of seeds is multiplied by this.
_SEED_FACTOR = 3
_OPTIMIZERS: dict[str, Callable[[list[dict[str, Any]]], torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "adagrad": torch.optim.Adagrad,
    "adamax": torch.optim.Adamax,
    "nadam": torch.optim.NAdam,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}


@dataclass(frozen=True)
class Control:
    """Result of the control in the standard parametrization, which ought to fail.

    Attributes:
        verdict: `pass`, `fail` or `inconclusive`.
        reason: Why.
    """

    verdict: CheckVerdict
    reason: str


@dataclass(frozen=True)
class CheckResult:
    """Result of a coordinate check.

    Attributes:
        verdict: `pass`, `fail` or `inconclusive`.
        reason: Why.
        control: Result of the control; None if there was none.
        findings: Every exponent with its band.
        suspects: Likely causes of a failure, the likeliest first.
        untrained: Tensors that were not judged: without a gradient other than rounding errors.
        widths: Widths of the models.
        seeds: Number of seeds trained.
        steps: Number of steps.
    """

    verdict: CheckVerdict
    reason: str
    control: Control | None
    findings: tuple[Finding, ...]
    suspects: tuple[Suspect, ...]
    untrained: tuple[str, ...]
    widths: tuple[int, ...]
    seeds: int
    steps: int


def check_coordinates(
    make: Make,
    batch: Batch | Callable[[int], Batch],
    *,
    control: Make | None,
    widths: Sequence[int] = WIDTHS,
    seeds: int = SEEDS,
    steps: int = STEPS,
    loss: Loss | None = None,
    roles: Mapping[str, Role] | None = None,
) -> CheckResult:
    """Check that every tensor learns as much at every width.

    The state of torch's global random generator is preserved.

    Arguments:
        make: Function from width and seed to an initialised model and its optimizer.
            `recipe_maker` returns one for a parametrization; any other implementation can be
            checked as well.
        batch: Inputs and targets, or a mapping of keyword arguments; or a function from width to
            one of these.
        control: The same in the standard parametrization; None for no control.
        widths: At least three widths.
        seeds: Models at each width; three times as many where these leave the answer open.
        steps: Training steps of the models of the first seed; the others take as few as needed.
        loss: Function from the model's output and the targets (the batch, if a mapping) to the
            loss; by default the one that the model returns, or cross-entropy over the last
            dimension.
        roles: Roles of the tensors, from which causes are inferred; by default roles are inferred
            from growth.

    Returns:
        Verdict, exponents and likely causes.

    Raises:
        CheckError: If an argument is out of range, the batch does not fit the model, or models of
            different widths have different tensors.

    Example:
        >>> def build(n: int) -> nn.Module:
        ...     return nn.Sequential(nn.Linear(3, n), nn.ReLU(), nn.Linear(n, 2, bias=False))
        >>> g = torch.Generator().manual_seed(0)
        >>> batch = torch.randn(8, 3, generator=g), torch.arange(8) % 2
        >>> mup, sp = (recipe_maker(build, scheme=s, base_width=64) for s in ("mup", "sp"))
        >>> result = check_coordinates(mup, batch, control=sp)
        >>> result.verdict, result.control.verdict
        ('pass', 'fail')
    """
    _require_settings(widths, seeds=seeds, steps=steps)
    widths = sorted(widths)
    batches = {width: _make_batch(batch, width) for width in widths}
    with torch.random.fork_rng(devices=[]):
        runs = _measure_models(make, batches, range(seeds), steps=steps, loss=loss)
        _require_finite_start(runs, widths[0], batches[widths[0]])
        degree = measure_gradient_degree(
            lambda: _make_seeded(make, widths[0], 0), batches[widths[0]], loss
        )
        standard = control and _judge_control(control, batches, loss, degree)
        findings, verdict, reason = _judge(runs, degree)
        if verdict == "inconclusive":
            more = range(seeds, _SEED_FACTOR * seeds)
            runs |= _measure_models(make, batches, more, steps=steps, loss=loss)
            findings, verdict, reason = _judge(runs, degree)
    if verdict == "pass" and standard and standard.verdict != "fail":
        verdict = "inconclusive"
        reason += (
            ", but the control in the standard parametrization did not fail: on this model and "
            "batch the check cannot tell right from wrong"
        )
    first = first_per_width(runs)
    clues = Clues(findings, first, degree, roles or infer_roles(first))
    untrained = frozenset[str]().union(*(run.untrained for run in runs.values()))
    return CheckResult(
        verdict=verdict,
        reason=reason,
        control=standard,
        findings=findings,
        suspects=find_suspects(clues) if verdict == "fail" else (),
        untrained=tuple(sorted(untrained)),
        widths=tuple(widths),
        seeds=len({seed for _, seed in runs}),
        steps=steps,
    )


def recipe_maker(
    build: Build,
    *,
    scheme: str | Scheme | Rows = "mup",
    optimizer: str = "adamw",
    base_width: int,
    lr: float | None = None,
    **options: Any,
) -> Make:
    """Return a function from width and seed to a model and its optimizer, by a recipe.

    Arguments:
        build: Function from a width to a model.
        scheme: As in `parametrize`.
        optimizer: As in `parametrize`; one of torch's.
        base_width: As in `parametrize`.
        lr: Learning rate at the base width; by default one at which steps are small.
        **options: Further options of `parametrize`.

    Returns:
        Function for `check_coordinates`.

    Raises:
        CheckError: If the optimizer is not one of torch's.
    """
    if optimizer not in _OPTIMIZERS:
        raise CheckError(
            f"optimizer: got {optimizer!r}, wanted one of {', '.join(_OPTIMIZERS)}. For another, "
            "give check_coordinates a function that makes model and optimizer."
        )
    rate = RATES.get(optimizer, RATE) if lr is None else lr
    eps = None if optimizer == "sgd" else _EPSILON

    @cache
    def recipe_of(width: int) -> Recipe:
        return parametrize(
            build, width=width, base_width=base_width, scheme=scheme, optimizer=optimizer, **options
        )

    def make(width: int, seed: int) -> tuple[nn.Module, torch.optim.Optimizer]:
        recipe = recipe_of(width)
        model = recipe.initialize(build(width), seed=seed, overwrite=True)
        groups = recipe.param_groups(model, lr=rate, weight_decay=0.0, eps=eps)
        return model, _OPTIMIZERS[optimizer](groups)

    return make


def recipe_roles(
    build: Build, *, width: int, optimizer: str, base_width: int, **options: Any
) -> dict[str, Role]:
    """Return the roles of a model's tensors, from which `check_coordinates` infers causes.

    Arguments:
        build: Function from a width to a model.
        width: As in `parametrize`.
        optimizer: As in `parametrize`.
        base_width: As in `parametrize`.
        **options: Further options of `parametrize`.

    Returns:
        Role of each tensor, by name.
    """
    recipe = parametrize(build, width=width, optimizer=optimizer, base_width=base_width, **options)
    return {tensor.name: tensor.role for tensor in recipe.tensors}


def _require_settings(widths: Sequence[int], *, seeds: int, steps: int) -> None:
    if len(set(widths)) < _FEWEST_WIDTHS or len(set(widths)) != len(widths) or min(widths) < 1:
        raise CheckError(
            f"widths: got {list(widths)}, wanted at least {_FEWEST_WIDTHS} different positive "
            "ones: two leave nothing to judge a line by. The default is 64,128,256,512."
        )
    for key, value in (("seeds", seeds), ("steps", steps)):
        if value < 1:
            raise CheckError(f"{key}: got {value}, wanted at least 1.")


def _make_batch(batch: Batch | Callable[[int], Batch], width: int) -> Batch:
    if not callable(batch):
        return batch
    made: Batch = call(f"batch({width})", batch, width)
    return made


def _require_finite_start(runs: MeasurementTable, width: int, batch: Batch) -> None:
    """Refuse what is wrong whatever the width: no number at the narrowest, before any step."""
    if all(run.diverged_at == 0 for (where, _), run in runs.items() if where == width):
        require_targets(batch)
        raise CheckError(
            f"loss: got one that is not finite before the first step at width {width}, the "
            "narrowest, wanted a number. Look for values that are not finite in the batch or the "
            "initial values, for a logarithm or a division of zero, and for a mean over nothing."
        )


def _make_seeded(make: Make, width: int, seed: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    """Make a model whose random numbers depend only on width and seed."""
    torch.manual_seed(seed_of("check", seed, width))
    return make(width, seed)


def _measure_models(
    make: Make, batches: Mapping[int, Batch], seeds: range, *, steps: int, loss: Loss | None
) -> dict[tuple[int, int], ModelMeasurements]:
    """Measure every model; only those of the first seed take all steps, to detect divergence."""
    return {
        (width, seed): measure(
            *_make_seeded(make, width, seed),
            batch,
            loss=loss,
            steps=None if seed else steps,
        )
        for width, batch in batches.items()
        for seed in seeds
    }


def _judge_control(
    make: Make, batches: Mapping[int, Batch], loss: Loss | None, degree: float
) -> Control:
    """Judge the control on two seeds and one step, which suffice for its large deviations."""
    runs = _measure_models(make, batches, range(2), steps=1, loss=loss)
    _, verdict, reason = _judge(runs, degree)
    return Control(verdict, reason)


def _judge(runs: MeasurementTable, degree: float) -> tuple[tuple[Finding, ...], CheckVerdict, str]:
    findings = judge_exponents(runs, degree=degree)
    return findings, *(_divergence(runs) or conclude(findings))


def _divergence(runs: MeasurementTable) -> tuple[CheckVerdict, str] | None:
    diverged = {
        where: run.diverged_at for where, run in runs.items() if run.diverged_at is not None
    }
    if not diverged:
        return None
    (width, seed), step = next(iter(diverged.items()))
    return "fail", (
        f"the loss is not finite after {step} steps at width {width}, seed {seed} "
        f"({len(diverged)} of {len(runs)} runs)"
    )
