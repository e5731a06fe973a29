"""What is measured is what is said to be measured."""

import math

import pytest
import torch
from torch import nn

from lrtransfer.checks.attention_scores import ScoreRecorder
from lrtransfer.checks.quantities import OUTPUT, QuantityKey, measure, rms
from lrtransfer.checks.response import measure_gradient_degree
from lrtransfer.training.objective import evaluate

LR = 0.1


def _layers() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True), nn.Linear(4, 2))


def _batch() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(5, 3, generator=torch.Generator().manual_seed(2)), torch.arange(5) % 2


def test_one_step_by_hand() -> None:
    model = _layers()
    run = measure(model, torch.optim.SGD(model.parameters(), lr=LR), _batch(), loss=None, steps=1)

    x, targets = _batch()
    first, _, second = twin = _layers()
    before = {name: p.detach().clone() for name, p in twin.named_parameters()}
    hidden = first(x)
    assert run.values[QuantityKey("0", "initial", 0)] == pytest.approx(
        rms(hidden - hidden.mean(0)), rel=1e-6
    )
    output = second(hidden.relu())
    nn.functional.cross_entropy(output, targets).backward()
    gradients = {name: p.grad.clone() for name, p in twin.named_parameters() if p.grad is not None}
    torch.optim.SGD(twin.parameters(), lr=LR).step()
    for name, gradient in gradients.items():
        # SGD: <g, W_1 - W_0> = -lr |g|^2
        effect = LR * float(gradient.square().sum())
        assert run.values[QuantityKey(name, "effect", 1)] == pytest.approx(effect, rel=1e-4)
    h = first(x).relu()  # x_1 of the second layer
    update = h @ (twin[2].get_parameter("weight") - before["2.weight"]).T
    assert run.values[QuantityKey("2.weight", "update", 1)] == pytest.approx(rms(update), rel=1e-4)
    bias = twin[2].get_parameter("bias") - before["2.bias"]
    assert run.values[QuantityKey("2.bias", "update", 1)] == pytest.approx(rms(bias), rel=1e-4)
    change = second(h) - output
    assert run.values[QuantityKey(OUTPUT, "output", 1)] == pytest.approx(rms(change), rel=1e-4)


def test_measuring_trains_as_plain_training_does() -> None:
    model, twin = _layers(), _layers()
    measure(model, torch.optim.AdamW(model.parameters(), lr=LR), _batch(), loss=None, steps=4)
    optimizer = torch.optim.AdamW(twin.parameters(), lr=LR)
    for _ in range(4):
        optimizer.zero_grad()
        evaluate(twin, _batch(), None)[1].backward()
        optimizer.step()
    pairs = zip(model.parameters(), twin.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_dropout_is_off() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    run = measure(model, optimizer, _batch(), loss=None, steps=2)
    assert run.values[QuantityKey(OUTPUT, "output", 2)] == 0


@pytest.mark.parametrize(
    ("optimizer", "degree"),
    [(torch.optim.SGD, 1), (torch.optim.AdamW, 0), (torch.optim.RMSprop, 0)],
)
def test_degree_of_an_optimizer(optimizer: type[torch.optim.Optimizer], degree: float) -> None:
    def make() -> tuple[nn.Module, torch.optim.Optimizer]:
        model = _layers()
        return model, optimizer(model.parameters(), lr=0.01)  # type: ignore[call-arg]

    assert measure_gradient_degree(make, _batch(), None) == pytest.approx(degree, abs=0.01)


def test_scores_are_the_same_however_attention_is_written() -> None:
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 2, 4, 5, 8)  # batch, heads, positions, head width
    with ScoreRecorder() as recorder:
        nn.functional.scaled_dot_product_attention(q, k, v)
        nn.functional.scaled_dot_product_attention(q, k[:, :2], v[:, :2], enable_gqa=True)
        torch.softmax(q @ k.mT / math.sqrt(8), dim=-1)
    whole, grouped, by_hand = recorder.calls
    assert (whole.head_width, by_hand.head_width) == (8, None)
    torch.testing.assert_close(whole.values, by_hand.values)
    torch.testing.assert_close(grouped.values[:, 1], q[:, 1] @ k[:, 0].mT / math.sqrt(8))


def test_scores_of_torchs_attention_layer() -> None:
    torch.manual_seed(0)
    layer = nn.MultiheadAttention(6, 2, batch_first=True)
    x = torch.randn(3, 4, 6)
    with ScoreRecorder() as recorder:
        layer(x, x, x)
    (scores,) = recorder.calls
    q, k, _ = nn.functional.linear(x, layer.in_proj_weight, layer.in_proj_bias).chunk(3, dim=-1)
    second = q[..., 3:] @ k[..., 3:].mT / math.sqrt(3)  # the second head
    torch.testing.assert_close(scores.values[:, 1], second)
    assert scores.head_width == 3
