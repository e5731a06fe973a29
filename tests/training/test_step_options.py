"""How steps are computed: in parts, clipped, in other precisions, by two optimizers."""

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lrtransfer.data.corpus import Corpus, tokens_of
from lrtransfer.errors import BatchError
from lrtransfer.training.engines.loop import held_out_loss, train
from lrtransfer.training.objective import evaluate, squared_error
from lrtransfer.training.outcome import Outcome
from lrtransfer.training.schedule import schedule_factor
from lrtransfer.training.step_options import PLAIN, StepOptions
from lrtransfer.training.task import NextToken, Task


@dataclass(frozen=True)
class Fixed:
    """Give the same batch at every step."""

    batch: Any
    parts: Sequence[tuple[Any, int]] = ()
    objective: Callable[..., torch.Tensor] | None = None
    seen: list[bool] = field(default_factory=list)

    def batches(self, *, steps: int, seed: int) -> Iterator[Any]:
        return iter([self.batch] * steps)

    def held_out(self, *, few: bool = False) -> Iterable[tuple[Any, int]]:
        return self.parts or [(self.batch, 1)]

    def loss(self, model: nn.Module, batch: Any) -> torch.Tensor:
        self.seen.append(model.training)
        return evaluate(model, batch, self.objective)[1]

    def example(self) -> Any:
        return self.batch


class Keywords(nn.Module):
    """A model that is called by keywords and gives its own loss."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor, labels: torch.Tensor, scale: float) -> SimpleNamespace:
        logits = self.inner(x) * scale
        return SimpleNamespace(logits=logits, loss=F.cross_entropy(logits, labels))


def perceptron(dtype: torch.dtype = torch.float32) -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 3)).to(dtype)


def pair(count: int = 12, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    targets = torch.randint(3, (count,), generator=generator)
    return torch.randn(count, 5, generator=generator), targets


def one_step(
    model: nn.Module, task: Task, options: StepOptions, *, lr: float = 0.5, steps: int = 1
) -> tuple[Outcome, nn.Module]:
    options.prepare(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    outcome = train(
        model, [optimizer], task, steps=steps, seed=0, schedule=lambda step: 1.0, options=options
    )
    return outcome, model


def case_of(kind: str) -> tuple[nn.Module, Task]:
    inputs, targets = pair()
    if kind == "pairs":
        return perceptron(), Fixed((inputs, targets))
    if kind == "mappings":
        return Keywords(perceptron()), Fixed({"x": inputs, "labels": targets, "scale": 2.0})
    text = tokens_of(bytes(range(40)) * 40)
    torch.manual_seed(1)
    model = nn.Sequential(nn.Embedding(40, 8), nn.Linear(8, 40))
    return model, NextToken(
        Corpus("text", train=text, held_out=text), batch=12, context=7, held_out_tokens=70
    )


@pytest.mark.parametrize("parts", [2, 3, 12])
@pytest.mark.parametrize("kind", ["pairs", "mappings", "windows"])
def test_a_batch_in_parts_is_the_whole_batch(kind: str, parts: int) -> None:
    outcomes, models = [], []
    for accumulate in (1, parts):
        outcome, model = one_step(
            *case_of(kind), StepOptions(precision="float64", accumulate=accumulate)
        )
        outcomes.append(outcome)
        models.append(model)
    assert outcomes[0].curve == pytest.approx(outcomes[1].curve, abs=1e-12)
    for whole, summed in zip(*(model.parameters() for model in models), strict=True):
        torch.testing.assert_close(whole, summed, rtol=1e-12, atol=1e-12)


def test_every_part_is_a_batch_of_its_own() -> None:
    inputs, targets = pair()
    batch = {"x": inputs, "labels": targets, "scale": 2.0, "flag": torch.tensor(1.0)}
    found = list(StepOptions(accumulate=3).split(batch))
    assert [set(part) for part in found] == [set(batch)] * 3
    assert torch.equal(torch.cat([part["x"] for part in found]), inputs)
    assert [len(part["labels"]) for part in found] == [4, 4, 4]
    assert {part["scale"] for part in found} == {2.0}


def test_parts_of_unequal_size_are_refused() -> None:
    wanted = r"training.accumulate: got 5 for a batch of 12 examples, wanted parts of equal size"
    with pytest.raises(BatchError, match=wanted):
        one_step(perceptron(), Fixed(pair()), StepOptions(accumulate=5))


@pytest.mark.parametrize("share", [0.25, 4.0])
def test_clipping_scales_the_gradient_of_all_tensors_down_to_the_norm(share: float) -> None:
    inputs, targets = pair()
    model = perceptron(torch.float64)
    loss = F.cross_entropy(model(inputs.double()), targets)
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    norm = math.sqrt(sum(float(g.square().sum()) for g in gradients))
    factor = min(1.0, share)  # a norm below the largest allowed is left alone
    wanted = [p - 0.5 * factor * g for p, g in zip(model.parameters(), gradients, strict=True)]
    options = StepOptions(precision="float64", clip=share * norm, accumulate=2)
    _, trained = one_step(perceptron(), Fixed((inputs, targets)), options)
    for parameter, expected in zip(trained.parameters(), wanted, strict=True):
        torch.testing.assert_close(parameter, expected, rtol=1e-5, atol=1e-7)


def test_bfloat16_products_give_another_loss_nearby_and_float32_tensors() -> None:
    task = Fixed(pair())
    exact, _ = one_step(perceptron(), task, PLAIN, steps=20)
    rough, model = one_step(perceptron(), task, StepOptions(precision="bfloat16"), steps=20)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert rough.curve != exact.curve
    assert rough.curve == pytest.approx(exact.curve, rel=0.02)
    assert rough.loss == pytest.approx(exact.loss, rel=0.02)
    # The loss itself is not rounded to the 8 bits of bfloat16.
    assert any(loss != torch.tensor(loss).bfloat16().item() for loss in rough.curve)


@pytest.mark.parametrize("as_pair", [True, False])
def test_a_loss_of_ones_own_is_not_rounded_to_bfloat16(as_pair: bool) -> None:
    inputs, targets = pair()
    indicators = F.one_hot(targets, 3).float()

    def of_pair(output: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        return (output - wanted.to(output.dtype)).abs().mean()

    def of_mapping(output: torch.Tensor, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return of_pair(output, indicators)

    task = Fixed((inputs, indicators), objective=of_pair)
    if not as_pair:
        task = Fixed({"input": inputs}, objective=of_mapping)
    rough, _ = one_step(perceptron(), task, StepOptions(precision="bfloat16"), steps=4)
    exact, _ = one_step(perceptron(), task, PLAIN, steps=4)
    assert rough.curve == pytest.approx(exact.curve, rel=0.02)
    assert any(loss != torch.tensor(loss).bfloat16().item() for loss in rough.curve)


def test_float64_holds_model_and_inputs_in_that_type() -> None:
    options = StepOptions(precision="float64")
    model = options.prepare(perceptron())
    batch = options.move({
        "x": torch.ones(2),
        "more": [torch.ones(1).half()],
        "n": torch.ones(1).long(),
    })
    assert {p.dtype for p in model.parameters()} == {torch.float64}
    assert (batch["x"].dtype, batch["more"][0].dtype) == (torch.float64, torch.float64)
    assert batch["n"].dtype == torch.int64
    outcome, _ = one_step(perceptron(), Fixed(pair()), options)
    reference = perceptron(torch.float64)
    inputs, targets = pair()
    assert outcome.curve == (F.cross_entropy(reference(inputs.double()), targets).item(),)


def test_every_optimizer_steps_and_is_scheduled() -> None:
    task, model = Fixed(pair()), perceptron()
    start = copy.deepcopy(model)
    matrices = [p for p in model.parameters() if p.ndim == 2]
    rest = [p for p in model.parameters() if p.ndim == 1]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.Muon(matrices, lr=0.02),
        torch.optim.AdamW(rest, lr=0.01),
    ]
    asked: list[int] = []

    def schedule(step: int) -> float:
        asked.append(step)
        return 1 / (1 + step)

    train(model, optimizers, task, steps=3, seed=0, schedule=schedule)
    for before, after in zip(start.parameters(), model.parameters(), strict=True):
        assert not torch.equal(before, after)
    assert [o.param_groups[0]["lr"] for o in optimizers] == pytest.approx([0.02 / 4, 0.01 / 4])
    assert asked == [0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("decay", ["linear", "cosine", "constant", "wsd"])
def test_a_run_that_warms_up_to_its_end_is_trained(decay: Any) -> None:
    model = perceptron()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    outcome = train(
        model,
        [optimizer],
        Fixed(pair()),
        steps=3,
        seed=0,
        schedule=lambda step: schedule_factor(
            step, steps=3, warmup_share=1.0, final_factor=0.0, decay=decay
        ),
    )
    assert (outcome.status, len(outcome.curve)) == ("finished", 3)


def test_held_out_batches_weigh_by_their_examples() -> None:
    model, (inputs, targets) = perceptron(), pair(10)
    parts = [((inputs[:7], targets[:7]), 7), ((inputs[7:], targets[7:]), 3)]
    wanted = F.cross_entropy(model(inputs), targets).item()
    assert held_out_loss(model, Fixed(pair(), parts)) == pytest.approx(wanted, rel=1e-6)


def test_a_model_trains_in_train_mode_and_is_measured_in_eval_mode() -> None:
    model, task = perceptron(), Fixed(pair())
    one_step(model, task, StepOptions(accumulate=2), steps=2)
    # Held out before; two parts of two steps; held out twice at the end.
    assert task.seen == [False, True, True, True, True, False, False]
    assert model.training


def test_a_loss_in_parts_is_the_mean_that_the_curve_shows() -> None:
    inputs, targets = pair()
    task = Fixed((inputs, F.one_hot(targets, 3).float()), objective=squared_error)
    outcome, _ = one_step(perceptron(), task, StepOptions(accumulate=4))
    wanted = (perceptron()(inputs) - F.one_hot(targets, 3)).square().mean().item()
    assert outcome.curve[0] == pytest.approx(wanted, rel=1e-6)


def test_a_part_that_is_not_finite_ends_the_run_at_once() -> None:
    inputs, targets = pair()
    inputs[-1] = math.inf
    outcome, model = one_step(
        perceptron(), Fixed((inputs, targets), [(pair(), 1)]), StepOptions(accumulate=4)
    )
    assert outcome == Outcome("non-finite", None, ())
    for parameter, start in zip(model.parameters(), perceptron().parameters(), strict=True):
        assert torch.equal(parameter, start)
