r"""What is measured on one model at one width: a few numbers for every tensor and every layer.

n width, t step, W_t a tensor after t steps, g its gradient, x_t the input of its layer. The batch
is the same at every step, so that a change is a change of the weights.

`initial`
    RMS of a layer's output at t = 0 about its mean over the batch: a bias, which may start from any
    value, drops out.
`update`
    RMS of :math:`(W_t - W_0) x_t`: the layer is run again on the same inputs with this one tensor
    set back. It is what the tensor has learnt, apart from what changed below it.
`effect`
    :math:`|\langle g_{t-1}, W_t - W_{t-1} \rangle|`: by how much the step of this one tensor lowers
    the loss, to first order. Unlike an RMS it holds only what is aligned with the gradient, which
    is what survives at large width.
`scores`
    RMS of attention scores at t = 0, and of their change after t steps.
`output`
    The same of the model's output, and RMS of its change after all steps. An output that is a bias
    alone, of a readout whose weights start from zero, counts as zero.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from ..errors import CheckError
from ..training.objective import Batch, Loss, evaluate
from .attention_scores import ScoreRecorder, Scores
from .layer_calls import LayerCall, layers_of, recorded_calls

Quantity = Literal["initial", "update", "effect", "scores", "output"]

OUTPUT = "(output)"

# Effects and updates are measured at the first step at which a tensor moves, where they are linear
# in the learning rate. That is the first, but below a readout that starts from zero the second, and
# behind a branch that starts from zero as well the third.
MEASURED_STEPS = 3

# Where the exact gradient is zero (the bias of attention's keys, a bias before a batch norm) Adam
# follows rounding errors. These do not scale with the loss, as every other gradient does. The
# factor is no power of two, which would leave the rounding as it is.
_LOSS_FACTOR = 3.0
_ROUNDING_SHARE = 0.1

# A smaller share is rounding.
_DIFFERING_SHARE = 1e-4


@dataclass(frozen=True, order=True)
class QuantityKey:
    """Name a number: of which tensor or layer, what, after how many steps."""

    name: str
    quantity: Quantity
    step: int


@dataclass(frozen=True)
class TensorFacts:
    """State what is known of a tensor without running the model."""

    entries: int
    std: float
    lr: float


@dataclass(frozen=True)
class ModelMeasurements:
    """Hold what was measured on one model.

    Attributes:
        values: The numbers measured; zero where nothing moved.
        tensors: The trained tensors, by name.
        outputs: Number of entries of each layer's output, and of the model's under `OUTPUT`.
        layers: The tensors of each layer that ran, in the order of the first calls.
        bare: RMS of each layer's first output without the layer's hooks, which may scale it; that
            of the model under `OUTPUT`.
        head_widths: Head width of each attention where it is known.
        untrained: Tensors without a gradient, or with one of rounding errors alone.
        diverged_at: The first step after which the loss is not finite.
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
    """Train a fresh model for some steps on one batch, and measure.

    Dropout is off; batch norms use the statistics of the batch, as in training.

    Arguments:
        model: An initialised model; it is trained in place.
        optimizer: Its optimizer.
        batch: What every step sees.
        loss: Maps output and targets to the loss; None for the default of `evaluate`.
        steps: Number of steps, at least 1; None for no more than it takes until all tensors have
            moved. Then tensors with a gradient of rounding errors are not looked for either.
    """
    model.eval()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.train()
    return _Measurement(model, optimizer, lambda: evaluate(model, batch, loss)).run(steps)


@dataclass(frozen=True)
class _Pass:
    """Hold what one forward pass showed."""

    calls: Mapping[str, LayerCall]
    scores: Mapping[str, Scores]
    output: torch.Tensor
    loss: torch.Tensor


class _Measurement:
    """Collect the numbers of one run."""

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
        self.facts = _facts(self.parameters, optimizer)
        self.values: dict[QuantityKey, float] = {}
        self.untrained: set[str] = set()
        self.moved: set[str] = set()

    def run(self, steps: int | None) -> ModelMeasurements:
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
                loss = self._train(loss)
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
            layers={n: self._own(c.module) for n, c in first.calls.items()},
            bare=bare,
            head_widths={n: s.head_width for n, s in first.scores.items() if s.head_width},
            untrained=frozenset(self.untrained),
            diverged_at=t if diverged else None,
        )

    def _forward(self) -> _Pass:
        recorder = ScoreRecorder()
        with recorded_calls(self.layers) as calls, recorder:
            output, loss = self.evaluate()
        scores = {f"attention {i}": score for i, score in enumerate(recorder.calls)}
        return _Pass(calls, scores, output, loss)

    def _all_moved(self) -> bool:
        return self.moved | self.untrained >= set(self.parameters)

    def _train(self, loss: torch.Tensor) -> torch.Tensor:
        """Take a step without measuring and return the loss after it."""
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return self.evaluate()[1]

    def _step(self, loss: torch.Tensor, t: int, *, thorough: bool) -> None:
        """Take step t and record its effects."""
        before = {n: p.detach().clone() for n, p in self.parameters.items()}
        self.optimizer.zero_grad()
        loss.backward(retain_graph=thorough)
        if thorough:
            self._note_untrained(loss)
        self.optimizer.step()
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

    def _note_untrained(self, loss: torch.Tensor) -> None:
        """Note tensors whose gradient does not grow with the loss as it must."""
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
            self.values[QuantityKey(name, "initial", 0)] = rms(_centred(call.output))
        for name, score in first.scores.items():
            self.values[QuantityKey(name, "scores", 0)] = rms(score.values[score.visible()])
        starts = 0.0 if _is_constant(first.output) else rms(_centred(first.output))
        self.values[QuantityKey(OUTPUT, "output", 0)] = starts

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
                continue  # an attention whose calls depend on the values
            visible = score.visible()
            change = score.values[visible] - start.values[visible]
            self.values[QuantityKey(name, "scores", t)] = rms(change)

    def _record_end(self, first: _Pass, steps: int) -> None:
        with torch.no_grad():
            output, _ = self.evaluate()
        self.values[QuantityKey(OUTPUT, "output", steps)] = rms(output - first.output)

    def _own(self, module: nn.Module) -> tuple[str, ...]:
        own = module.parameters(recurse=False)
        return tuple(self.names[id(p)] for p in own if id(p) in self.names)


def rms(x: torch.Tensor) -> float:
    """Return the root mean square over all entries."""
    return math.sqrt(float(x.detach().double().square().mean()))


def _centred(output: torch.Tensor) -> torch.Tensor:
    """Return what differs over the first dimension, or all where nothing does (positions)."""
    centred = output - output.mean(0, keepdim=True)
    return centred if rms(centred) > _DIFFERING_SHARE * rms(output) else output


def _is_constant(output: torch.Tensor) -> bool:
    """Return whether an output is the same at every position of every example."""
    rows = output.flatten(0, -2) if output.ndim > 1 else output
    return len(rows) > 1 and bool((rows == rows[:1]).all())


def _facts(
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
