r"""The trial: tiny copies of an optimizer are stepped, and what their steps depend on is measured.

Every copy trains three groups: equal matrices at a rate, the same at a quarter of it, and matrices
of other shapes. Its runs differ in one thing each: gradients or weights 16 times as large, no
gradient, a weight decay. A power is the logarithm of a ratio of two steps,

.. math:: p = \log_{16} \frac{\lVert \Delta W(16\,g) \rVert}{\lVert \Delta W(g) \rVert},

so nothing need be known of how the optimizer works. The factors are powers of two: a step that
does not depend on them comes out the same to the bit, in any precision.
"""

import contextlib
import io
import itertools
import math
import sys
import warnings
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch

from .copies import COPIERS, Copier, Options, TorchOptimizer, copy_option

LARGER = 16.0  # of gradients and weights
# Of the weights, as a root mean square: as small as initial values are, since some trust ratios
# end at 1; the large matrix, times 16, has a norm beyond 10, at which others end.
_WEIGHTS, _GRADIENTS = 2.0**-5, 2.0**-5
RATE_RATIO = 4.0  # between the rates of two groups
DECAY = 2.0**-3
_SAME = 0.05  # a power that is none
_SLOWER = 2.0**20  # of a rate at which next to nothing is to move
_SIDE, _GROWTH, _RANK = 8, 4, 2
SHAPES: Mapping[str, tuple[int, int]] = {  # (fan_out, fan_in)
    "square": (_SIDE, _SIDE),
    "large": (_GROWTH * _SIDE, _GROWTH * _SIDE),
    "tall": (_GROWTH * _SIDE, _SIDE),
    "wide": (_SIDE, _GROWTH * _SIDE),
}
_EQUAL = 3  # equal tensors in a group
_STEPS = (5, 20)  # the latter where nothing has moved: some optimizers begin late
_LOW_LR, _HIGH_LR = 2.0**-10, 2.0**-6  # steps of a trial are neither lost nor large


@dataclass(frozen=True)
class Case:
    """What is tried: an optimizer, with the options of some of its groups.

    Attributes:
        optimizer: The optimizer; it is copied.
        options: Options of the groups, without their tensors, rate and decay.
        lr: Learning rate tuned; that of the trial is near it.
        decays: Whether its groups have a weight decay.
        side: Shortest side of the user's matrices, with which a rank is compared.
        device: Where its tensors are.
    """

    optimizer: TorchOptimizer
    options: Options
    lr: float
    decays: bool = True
    side: int = 0
    device: torch.device = torch.device("cpu")  # ruff: ignore[function-call-in-dataclass-default-argument] (frozen)

    @property
    def trial_lr(self) -> float:
        """The rate of the trial: the one tuned, unless steps would be too large or too small."""
        return min(max(self.lr, _LOW_LR), _HIGH_LR)

    @property
    def has_fixed_rank(self) -> bool:
        """Whether its updates have a rank below that of the user's matrices."""
        rank = self.options.get("rank")
        return isinstance(rank, int) and 0 < rank < self.side


@dataclass(frozen=True)
class DecayShares:
    r"""What weight decay takes of the weights per step; shares of themselves, over lr · decay.

    Attributes:
        share: Without a gradient.
        share_at_quarter: The same at a quarter of the rate.
        remainder: What else it does then, over all that it does: 0 if it only shrinks the weights.
        beside: With a gradient.
        beside_larger: The same with weights 16 times as large.
        beside_steeper: The same with gradients 16 times as large.
    """

    share: float
    share_at_quarter: float
    remainder: float
    beside: float
    beside_larger: float
    beside_steeper: float


@dataclass(frozen=True)
class Behaviour:
    """What the step of an optimizer depends on.

    Attributes:
        lr_power: x, where the step is as rate^x.
        gradient_power: The same for the size of the gradient.
        gradient_power_later: The same for the twentieth step, where the first ones follow it.
        weight_power: The same for the size of the weights.
        place_ratio: Largest over smallest step of equal tensors in one group.
        still: The step without a gradient at a rate of almost 0, over the ordinary one.
        eps_power: The power for ε; 0 if the groups have none.
        sizes: Typical size of the step's entries by shape, over that of the small square matrix.
        decay: What weight decay does; None if the groups have none.
        has_fixed_rank: Whether the sizes are those at a fixed rank below the sides.
    """

    lr_power: float
    gradient_power: float
    gradient_power_later: float
    weight_power: float
    place_ratio: float
    still: float
    eps_power: float
    sizes: Mapping[str, float]
    decay: DecayShares | None = None
    has_fixed_rank: bool = False


@dataclass(frozen=True)
class Untried:
    """A trial that could not be made.

    Attributes:
        reason: The error of the first attempt.
        will_show: Whether the optimizer itself will fail likewise at its first step: the groups
            lack an option, or values are not finite.
        wants_equal_rates: Whether it works where all groups have one rate.
    """

    reason: str
    will_show: bool = False
    wants_equal_rates: bool = False


def measure_behaviour(case: Case) -> Behaviour | Untried:
    """Return what the steps of an optimizer depend on, or why that could not be measured.

    The optimizer, its tensors, its state and the random streams are left as they are.

    Example:
        >>> optimizer = torch.optim.Adam([torch.zeros(2, requires_grad=True)])
        >>> measured = measure_behaviour(Case(optimizer, {}, lr=0.01, decays=False))
        >>> round(measured.lr_power, 3), round(measured.gradient_power, 3)
        (1.0, 0.0)
    """
    with _isolate(case.device):
        bench = _find_bench(case)
        if isinstance(bench, _Bench):
            return _measure(bench)
        return replace(bench, wants_equal_rates=isinstance(_find_bench(case, rates=1.0), _Bench))


Tensors = dict[str, torch.Tensor]
_UPPER, _LOWER, _OTHER = "rate", "quarter", "shape"  # the groups


@dataclass(frozen=True)
class _Bench:
    """How copies are made and stepped: the same in all runs of a trial."""

    case: Case
    copier: Copier
    dtype: torch.dtype
    with_closure: bool
    steps: int
    rates: float

    def run(
        self,
        *,
        gradient: float = 1.0,
        weights: float = 1.0,
        decay: float = 0.0,
        slower: float = 1.0,
        eps: float = 1.0,
    ) -> list[Tensors]:
        """Return the tensors of a new copy before and after each step."""
        torch.manual_seed(0)
        start = weights * _WEIGHTS
        tensors = {n: torch.nn.Parameter(self._draw(s, start, 0)) for n, s in _list_tensors()}
        groups = self._make_groups(tensors, decay, slower)
        for group in groups if eps < 1 else ():
            group["eps"] *= eps
        optimizer = self.copier(self.case.optimizer, groups)
        getattr(optimizer, "train", lambda: None)()  # schedule-free optimizers want it

        def evaluate() -> torch.Tensor:
            for name, shape in _list_tensors():
                # One direction, and noise: without it whole directions would hold rounding alone.
                size = gradient * _GRADIENTS
                tensors[name].grad = self._draw(shape, size, 1, 1, 1, len(seen) + 1)
            return torch.zeros((), dtype=self.dtype, device=self.case.device)

        seen = [_detach(tensors)]
        for _ in range(self.steps):
            evaluate()
            step: Callable[..., Any] = optimizer.step
            step(*[evaluate] * self.with_closure)
            seen.append(_detach(tensors))
        return seen

    def _make_groups(
        self, tensors: Mapping[str, torch.Tensor], decay: float, slower: float
    ) -> list[Options]:
        case = self.case
        fixed = {"rank": _RANK} if case.has_fixed_rank else {}
        return [
            {key: copy_option(value) for key, value in case.options.items()}
            | fixed
            | {"params": [p for name, p in tensors.items() if name.startswith(group)]}
            | {"lr": case.trial_lr / slower / (self.rates if group == _LOWER else 1.0)}
            | {"weight_decay": decay}
            for group in (_UPPER, _LOWER, _OTHER)
        ]

    def _draw(self, shape: tuple[int, int], size: float, *seeds: int) -> torch.Tensor:
        return (size * _draw_unit(shape, seeds)).to(self.case.device, self.dtype)


@cache
def _draw_unit(shape: tuple[int, int], seeds: tuple[int, ...]) -> torch.Tensor:
    """Return a sum of normal values, scaled to a root mean square of 1."""
    values = torch.zeros(shape, dtype=torch.float64)
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        values += torch.randn(*shape, generator=generator, dtype=torch.float64)
    return values / values.square().mean().sqrt()


def _list_tensors() -> list[tuple[str, tuple[int, int]]]:
    equal = [(f"{g} {i}", SHAPES["square"]) for g in (_UPPER, _LOWER) for i in range(_EQUAL)]
    return equal + [(f"{_OTHER} {n}", shape) for n, shape in SHAPES.items() if n != "square"]


def _detach(tensors: Mapping[str, torch.Tensor]) -> Tensors:
    return {name: p.detach().to("cpu", torch.float64, copy=True) for name, p in tensors.items()}


def _find_bench(case: Case, *, rates: float = RATE_RATIO) -> _Bench | Untried:
    """Return a bench on which steps can be made, or the error of the first one tried."""
    untried = []
    for copier, dtype, closure in itertools.product(
        COPIERS, (torch.float64, torch.float32), (False, True)
    ):
        for steps in _STEPS:
            bench = _Bench(case, copier, dtype, closure, steps, rates)
            try:
                size = _sizes(bench.run())[f"{_UPPER} 0"]
            except Exception as error:  # a stranger's code: told as the reason
                lacks = isinstance(error, KeyError) and error.args[0] not in case.options
                untried.append(Untried(f"{type(error).__name__}: {error}", will_show=lacks))
                break
            if 0 < size < math.inf:
                return bench
            how = "did not move" if size == 0 else "moved to values that are not finite"
            untried.append(Untried(f"its tensors {how}", will_show=size != 0))
    return untried[0]


def _measure(bench: _Bench) -> Behaviour:
    first, large = f"{_UPPER} 0", f"{_OTHER} large"
    base = _sizes(bench.run())
    rate, quarter = ([base[f"{g} {i}"] for i in range(_EQUAL)] for g in (_UPPER, _LOWER))
    gradient_power = _power(_sizes(bench.run(gradient=LARGER))[first], rate[0], LARGER)
    later = _measure_later(bench) if abs(gradient_power) > _SAME else gradient_power
    return Behaviour(
        still=_sizes(bench.run(gradient=0.0, slower=_SLOWER))[first] / rate[0],
        lr_power=_power(rate[0], quarter[0], RATE_RATIO),
        gradient_power=gradient_power,
        gradient_power_later=later,
        weight_power=_power(_sizes(bench.run(weights=LARGER))[large], base[large], LARGER),
        place_ratio=max(rate) / min(rate) if min(rate) else math.inf,
        eps_power=_measure_eps(bench, rate[0]),
        sizes={n: base[f"{_OTHER} {n}"] / rate[0] for n in SHAPES if n != "square"},
        decay=_measure_decay(bench) if bench.case.decays else None,
        has_fixed_rank=bench.case.has_fixed_rank,
    )


def _measure_eps(bench: _Bench, size: float) -> float:
    if not isinstance(bench.case.options.get("eps"), float):
        return 0.0
    return _power(size, _sizes(bench.run(eps=1 / LARGER))[f"{_UPPER} 0"], LARGER)


def _measure_later(bench: _Bench) -> float:
    """Return the power of the gradient in the last of many steps."""
    long = replace(bench, steps=_STEPS[-1])
    larger, size = (_sizes(long.run(gradient=g)[-2:])[f"{_UPPER} 0"] for g in (LARGER, 1.0))
    return _power(larger, size, LARGER)


def _measure_decay(bench: _Bench) -> DecayShares:
    upper, lower, unit = f"{_UPPER} 0", f"{_LOWER} 0", bench.case.trial_lr * DECAY
    alone = bench.run(gradient=0.0), bench.run(gradient=0.0, decay=DECAY)
    share, remainder = _compare_decay(*alone, upper)
    share_at_quarter, _ = _compare_decay(*alone, lower)
    # The decay is smaller by as much as the weights are larger: it weighs the same beside the
    # gradient.
    beside, beside_larger, beside_steeper = (
        _compare_decay(
            bench.run(weights=size, gradient=gradient),
            bench.run(weights=size, gradient=gradient, decay=DECAY / size),
            upper,
        )[0]
        * size
        / unit
        for size, gradient in ((1.0, 1.0), (LARGER, 1.0), (1.0, LARGER))
    )
    return DecayShares(
        share / unit,
        share_at_quarter / unit * RATE_RATIO,
        remainder,
        beside,
        beside_larger,
        beside_steeper,
    )


def _compare_decay(plain: list[Tensors], decayed: list[Tensors], name: str) -> tuple[float, float]:
    """Return what share of a tensor decay takes in the first step where it does, and what else.

    The latter is the norm of what is not along the weights, over that of all that decay does.
    """
    weights = plain[0][name]
    for without, with_decay in zip(plain[1:], decayed[1:], strict=True):
        taken = without[name] - with_decay[name]
        if taken.norm() > 0:
            share = float((taken * weights).sum() / (weights * weights).sum())
            return share, float((taken - share * weights).norm() / taken.norm())
    return 0.0, 0.0


def _sizes(run: list[Tensors]) -> dict[str, float]:
    r"""Return how far each tensor moved in all steps: :math:`(mean \sqrt{|\Delta W|})^2`.

    It is as the entries are, and single ones, divided by a root near 0, do not rule it.
    """
    first, last = run[0], run[-1]
    return {name: float((last[name] - p).abs().sqrt().mean() ** 2) for name, p in first.items()}


def _power(size: float, other: float, factor: float) -> float:
    """Return x, where `size` is factor^x times the other."""
    if not (size > 0 and other > 0):
        return math.inf if size > 0 else -math.inf if other > 0 else 0.0
    return math.log(size / other, factor)


@contextlib.contextmanager
def _isolate(device: torch.device) -> Generator[None]:
    """Keep random streams, and what optimizers print, warn of and compile, inside the trial."""
    devices = [device] if device.type == "cuda" else []
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        if "torch._dynamo" in sys.modules:  # else nothing is compiled, and loading it takes seconds
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        yield
