r"""What the coordinate check measures on one model: a few numbers per tensor and per layer.

n width, t step, W_t a tensor after t steps, g its gradient, x_t the input of its layer. The batch
is the same at every step, so that every change comes from the weights.

`initial`
    RMS of a layer's output at t = 0 minus its mean over the batch: biases, which may have any
    initial value, drop out.
`update`
    RMS of :math:`(W_t - W_0) x_t`, from a second run of the layer on the same inputs with the
    initial values of this one tensor. It shows what this tensor has learnt, without changes below
    it.
`effect`
    :math:`|\langle g_{t-1}, W_t - W_{t-1} \rangle|`: the change of the loss by the step of this one
    tensor, to first order. Unlike an RMS it counts only the part of the step along the gradient,
    which is the part that remains at large width.
`scores`
    RMS of attention scores at t = 0, and of their change after t steps.
`output`
    As `initial`, of the model's output; and RMS of its change after all steps. The output of a
    readout with zero weights and a bias is constant and counts as zero.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from ..errors import CheckError
from ..training.objective import Batch, Loss, backward, evaluate, take_step
from .attention_scores import ScoreRecorder, Scores
from .layer_calls import LayerCall, layers_of, record_calls

Quantity = Literal["initial", "update", "effect", "scores", "output"]

OUTPUT = "(output)"

# Effects and updates are measured at the first step at which a tensor moves, where they are linear
# in the learning rate. That is step 1; below a readout that starts at zero it is step 2, and if a
# branch above starts at zero as well, step 3.
MEASURED_STEPS = 3

# Where the exact gradient is zero (the bias of attention's keys, a bias before a batch norm) Adam
# follows rounding errors. Unlike a gradient, they do not scale with the loss. The factor is no
# power of two: multiplying by one would scale the rounding errors exactly.
_LOSS_FACTOR = 3.0
_ROUNDING_SHARE = 0.1

# Of the RMS of an output; smaller differences are rounding errors.
_DIFFERING_SHARE = 1e-4


@dataclass(frozen=True, order=True)
class QuantityKey:
    """Key of one measurement.

    Attributes:
        name: Tensor, layer or attention.
        quantity: Kind of measurement.
        step: Number of training steps before it.
    """

    name: str
    quantity: Quantity
    step: int


@dataclass(frozen=True)
class TensorFacts:
    """Size and settings of a tensor before training.

    Attributes:
        entries: Number of entries.
        std: Standard deviation of the initial values.
        lr: Learning rate.
    """

    entries: int
    std: float
    lr: float


@dataclass(frozen=True)
class ModelMeasurements:
    """All measurements on one model.

    Attributes:
        values: The measurements; zero where nothing moved.
        tensors: Trained tensors by name.
        outputs: Number of entries of each layer's output, and of the model's under `OUTPUT`.
        layers: Tensors of each layer that ran, in the order of the first calls.
        bare: RMS of each layer's first output without the layer's hooks, which may scale it; that
            of the model's output under `OUTPUT`.
        head_widths: Head width of each attention that shows it.
        untrained: Tensors without a gradient, or whose gradient is rounding errors only.
        diverged_at: First step after which the loss is not finite; None if there is none.
    """

    values: Mapping[QuantityKey, float]
    tensors: Mapping[str, TensorFacts]
    outputs: Mapping[str, int]
    layers: Mapping[str, tuple[str, ...]]
    bare: Mapping[str, float]
    head_widths: Mapping[str, int]
    untrained: frozenset[str]
    diverged_at: int | None


def measure(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    *,
    loss: Loss | None,
    steps: int | None,
) -> ModelMeasurements:
    """Train a fresh model for a few steps on one batch and measure it.

    Dropout is off; batch norms use the statistics of the batch, as they do in training.

    Arguments:
        model: Initialised model, trained in place.
        optimizer: Its optimizer.
        batch: Batch of every step.
        loss: Function from output and targets to the loss; None for the default of `evaluate`.
        steps: Number of steps, at least 1. None for the fewest steps after which all tensors have
            moved; then tensors whose gradient is rounding errors are not searched for.

    Returns:
        The measurements.
    """
    model.eval()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.train()
    return _Recorder(model, optimizer, lambda: evaluate(model, batch, loss)).train(steps)


@dataclass(frozen=True)
class _Pass:
    """Layer calls, attention scores, output and loss of one forward pass."""

    calls: Mapping[str, LayerCall]
    scores: Mapping[str, Scores]
    output: torch.Tensor
    loss: torch.Tensor


class _Recorder:
    """Training of one model, with everything measured on it so far."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        evaluate: Callable[[], tuple[torch.Tensor, torch.Tensor]],
    ) -> None:
        self.model, self.optimizer, self.evaluate = model, optimizer, evaluate
        self.layers = layers_of(model)
        self.parameters = {n: p for n, p in model.named_parameters() if p.requires_grad}
        self.names = {id(p): n for n, p in self.parameters.items()}
        self.start = {n: p.detach().clone() for n, p in self.parameters.items()}
        self.facts = _gather_facts(self.parameters, optimizer)
        self.values: dict[QuantityKey, float] = {}
        self.untrained: set[str] = set()
        self.moved: set[str] = set()

    def train(self, steps: int | None) -> ModelMeasurements:
        first = self._forward()
        self._record_start(first)
        bare = {name: rms(call.bare_output()) for name, call in first.calls.items()}
        bare[OUTPUT] = rms(first.output)
        loss, t = first.loss, 0
        while torch.isfinite(loss) and t < (steps or MEASURED_STEPS):
            t += 1
            if t > MEASURED_STEPS or self._all_moved():
                if steps is None:
                    break
                loss = self._step_unmeasured(loss)
                continue
            self._step(loss, t, thorough=steps is not None)
            now = self._forward()
            self._record_changes(first, now, t)
            loss = now.loss
        diverged = not torch.isfinite(loss)
        if steps is not None and not diverged:
            self._record_end(first, steps)
        return ModelMeasurements(
            values=self.values,
            tensors=self.facts,
            outputs={n: c.output.numel() for n, c in first.calls.items()}
            | {OUTPUT: first.output.numel()},
            layers={n: self._tensors_of(c.module) for n, c in first.calls.items()},
            bare=bare,
            head_widths={n: s.head_width for n, s in first.scores.items() if s.head_width},
            untrained=frozenset(self.untrained),
            diverged_at=t if diverged else None,
        )

    def _forward(self) -> _Pass:
        recorder = ScoreRecorder()
        with record_calls(self.layers) as calls, recorder:
            output, loss = self.evaluate()
        scores = {f"attention {i}": score for i, score in enumerate(recorder.calls)}
        return _Pass(calls, scores, output, loss)

    def _all_moved(self) -> bool:
        return self.moved | self.untrained >= set(self.parameters)

    def _step_unmeasured(self, loss: torch.Tensor) -> torch.Tensor:
        """Take a step without measuring and return the loss after it."""
        self.optimizer.zero_grad()
        backward(loss)
        take_step(self.optimizer)
        return self.evaluate()[1]

    def _step(self, loss: torch.Tensor, t: int, *, thorough: bool) -> None:
        """Take step t and record its effects."""
        before = {n: p.detach().clone() for n, p in self.parameters.items()}
        self.optimizer.zero_grad()
        backward(loss, retain_graph=thorough)
        if thorough:
            self._find_untrained(loss)
        take_step(self.optimizer)
        for name, parameter in self.parameters.items():
            if parameter.grad is None:
                self.untrained.add(name)
            if parameter.grad is None or name in self.untrained:
                continue
            step = (parameter.detach() - before[name]).double()
            effect = abs(float((parameter.grad.double() * step).sum()))
            self.values[QuantityKey(name, "effect", t)] = effect
            if effect > 0:
                self.moved.add(name)

    def _find_untrained(self, loss: torch.Tensor) -> None:
        """Add the tensors whose gradient is not proportional to the loss: rounding errors."""
        parameters = list(self.parameters.values())
        scaled = torch.autograd.grad(_LOSS_FACTOR * loss, parameters, allow_unused=True)
        for (name, parameter), gradient in zip(self.parameters.items(), scaled, strict=True):
            plain = parameter.grad
            if plain is None or gradient is None:
                continue
            rounding = float((gradient / _LOSS_FACTOR - plain).norm())
            if rounding > _ROUNDING_SHARE * float(plain.norm()):
                self.untrained.add(name)

    def _record_start(self, first: _Pass) -> None:
        for name, call in first.calls.items():
            self.values[QuantityKey(name, "initial", 0)] = rms(_centre(call.output))
        for name, score in first.scores.items():
            self.values[QuantityKey(name, "scores", 0)] = rms(score.values[score.visible()])
        initial = 0.0 if _is_constant(first.output) else rms(_centre(first.output))
        self.values[QuantityKey(OUTPUT, "output", 0)] = initial

    def _record_changes(self, first: _Pass, now: _Pass, t: int) -> None:
        for site, call in now.calls.items():
            for leaf, parameter in call.module.named_parameters(recurse=False):
                name = self.names.get(id(parameter))
                if name and name not in self.untrained:
                    output = call.output_with(parameter, self.start[name])
                    key = QuantityKey(f"{site}.{leaf}" if site else leaf, "update", t)
                    self.values[key] = rms(call.output - output)
        for name, score in now.scores.items():
            start = first.scores.get(name)
            if start is None or start.values.shape != score.values.shape:
                continue  # the calls of this attention depend on its values
            visible = score.visible()
            change = score.values[visible] - start.values[visible]
            self.values[QuantityKey(name, "scores", t)] = rms(change)

    def _record_end(self, first: _Pass, steps: int) -> None:
        with torch.no_grad():
            output, _ = self.evaluate()
        self.values[QuantityKey(OUTPUT, "output", steps)] = rms(output - first.output)

    def _tensors_of(self, module: nn.Module) -> tuple[str, ...]:
        parameters = module.parameters(recurse=False)
        return tuple(self.names[id(p)] for p in parameters if id(p) in self.names)


def rms(x: torch.Tensor) -> float:
    """Return the root mean square over all entries."""
    return math.sqrt(float(x.detach().double().square().mean()))


def _centre(output: torch.Tensor) -> torch.Tensor:
    """Subtract the mean over the first dimension, unless that leaves nothing (positions)."""
    centred = output - output.mean(0, keepdim=True)
    return centred if rms(centred) > _DIFFERING_SHARE * rms(output) else output


def _is_constant(output: torch.Tensor) -> bool:
    """Return whether an output is the same at every position of every example."""
    rows = output.flatten(0, -2) if output.ndim > 1 else output
    return len(rows) > 1 and bool((rows == rows[:1]).all())


def _gather_facts(
    parameters: Mapping[str, nn.Parameter], optimizer: torch.optim.Optimizer
) -> dict[str, TensorFacts]:
    rates = {id(p): float(group["lr"]) for group in optimizer.param_groups for p in group["params"]}
    if missing := [name for name, p in parameters.items() if id(p) not in rates]:
        raise CheckError(
            f"make: got an optimizer without {missing[0]!r} ({len(missing)} of {len(parameters)} "
            "tensors missing), wanted every tensor that requires a gradient. Add it, or freeze it "
            "with requires_grad_(False)."
        )
    return {
        name: TensorFacts(
            entries=p.numel(), std=float(p.detach().double().std(correction=0)), lr=rates[id(p)]
        )
        for name, p in parameters.items()
    }
