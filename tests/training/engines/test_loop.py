"""The training loop: what it computes, that it repeats, what it calls divergence."""

import math
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lrtransfer.data.corpus import Corpus, tokens_of
from lrtransfer.models.configs import TransformerConfig
from lrtransfer.models.transformer import Transformer
from lrtransfer.training.engines.loop import held_out_loss, train
from lrtransfer.training.outcome import Outcome
from lrtransfer.training.schedule import schedule_factor
from lrtransfer.training.task import NextToken

TEXT = b"".join(b"line %d is like every other line\n" % i for i in range(2000))
TASK = NextToken(
    Corpus("lines", train=tokens_of(TEXT[:40_000]), held_out=tokens_of(TEXT[40_000:])),
    batch=4,
    context=16,
    held_out_tokens=512,
)


def model_of(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return Transformer(32, TransformerConfig(depth=1, context=16))


def run(*, lr: float, seed: int = 0, steps: int = 20) -> Outcome:
    model = model_of(0)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    return train(model, [optimizer], TASK, steps=steps, seed=seed, schedule=lambda step: 1.0)


def test_one_step_of_gradient_descent_by_hand() -> None:
    model = model_of(0)
    (batch,) = TASK.batches(steps=1, seed=3)
    loss = F.cross_entropy(model(batch[:, :-1]).reshape(-1, 256), batch[:, 1:].reshape(-1))
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    wanted = [p - 0.5 * 0.25 * g for p, g in zip(model.parameters(), gradients, strict=True)]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    outcome = train(model, [optimizer], TASK, steps=1, seed=3, schedule=lambda step: 0.25)
    assert outcome.curve == (loss.item(),)
    for parameter, expected in zip(model.parameters(), wanted, strict=True):
        torch.testing.assert_close(parameter, expected)


def test_held_out_loss_is_the_mean_over_all_its_tokens() -> None:
    model = model_of(0)
    windows = TASK._held_out
    assert windows.shape == (32, 17)
    logits = model(windows[:, :-1])
    wanted = F.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten()).item()
    assert held_out_loss(model, TASK) == pytest.approx(wanted, rel=1e-6)
    assert model.training


def test_equal_runs_are_equal_to_the_last_bit() -> None:
    assert run(lr=0.3) == run(lr=0.3)
    assert run(lr=0.3).curve != run(lr=0.3, seed=1).curve


def test_training_learns() -> None:
    outcome = run(lr=0.3, steps=40)
    assert outcome.status == "finished"
    assert outcome.loss is not None
    assert outcome.loss < outcome.curve[0] - 1


def test_an_overflow_is_a_status_with_the_steps_taken() -> None:
    outcome = run(lr=1e30)
    assert (outcome.status, outcome.loss) == ("non-finite", None)
    assert 1 <= len(outcome.curve) < 20
    assert all(math.isfinite(loss) for loss in outcome.curve)


def test_a_loss_above_the_initial_one_is_divergence_with_its_number() -> None:
    outcome = run(lr=300.0, steps=2)
    assert outcome.status == "worse-than-init"
    assert outcome.loss is not None
    assert outcome.loss > outcome.curve[0]


class Scripted(nn.Module):
    """Lose what a script says, whatever the tokens."""

    def __init__(self, losses: list[float]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.losses = iter(losses)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.weight + next(self.losses)


@pytest.mark.parametrize(
    ("first", "training", "last", "status"),
    [
        (2.3, [2.3, 2.3], 2.29, "finished"),  # slow
        (2.3, [2.3, 9.0], 2.29, "worse-than-init"),  # dead
        (2.3, [2.3, 9.0], 1.9, "finished"),  # recovered
        (2.3, [2.3, 2.2], 2.31, "worse-than-init"),
    ],
)
def test_a_model_that_died_is_told_from_a_slow_one(
    first: float, training: list[float], last: float, status: str
) -> None:
    text = tokens_of(TEXT)
    task = NextToken(Corpus("lines", text, text), 1, 4, 4, objective=lambda output, _: output.sum())
    model = Scripted([first, *training, last, last])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    outcome = train(model, [optimizer], task, steps=2, seed=0, schedule=lambda step: 1.0)
    assert outcome.status == status


def test_a_rate_of_zero_is_no_divergence() -> None:
    assert run(lr=0.0).status == "finished"


def test_data_stream_depends_on_the_seed_alone() -> None:
    def stream(seed: int) -> torch.Tensor:
        return torch.stack(list(TASK.batches(steps=3, seed=seed)))

    assert torch.equal(stream(1), stream(1))
    assert not torch.equal(stream(1), stream(2))
    assert not torch.equal(stream(1)[0], stream(1)[1])


def test_schedule_warms_up_peaks_and_decays() -> None:
    schedule = partial(schedule_factor, steps=100, warmup_share=0.08, final_factor=1e-4)
    factors = [schedule(step) for step in range(100)]
    assert factors[0] == pytest.approx(1e-4 + (1 - 1e-4) / 8)
    assert factors[7] == factors[8] == 1
    assert factors[99] == pytest.approx(1e-4 + (1 - 1e-4) / 92)
    assert sorted(factors[8:], reverse=True) == factors[8:]


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_schedules_without_one_of_their_parts(share: float) -> None:
    factors = [
        schedule_factor(step, steps=4, warmup_share=share, final_factor=0) for step in range(4)
    ]
    assert factors == ([1, 0.75, 0.5, 0.25] if share == 0 else [0.25, 0.5, 0.75, 1])
