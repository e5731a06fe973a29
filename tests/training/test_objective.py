"""Losses and outputs of one batch, and what is said of those that do not fit."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lrtransfer.errors import BatchError
from lrtransfer.training.objective import cross_entropy, evaluate, extract_tensor, squared_error

OUTPUT = torch.tensor([[0.5, 1.0, -1.0], [2.0, 0.0, 0.25]])


def test_squared_error_of_classes_is_that_of_their_indicators() -> None:
    indicators = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    # (0.25 + 1 + 4 + 1 + 0 + 0.0625) / 6
    assert squared_error(OUTPUT, torch.tensor([2, 0])).item() == pytest.approx(6.3125 / 6)
    assert squared_error(OUTPUT, indicators).item() == pytest.approx(6.3125 / 6)


@pytest.mark.parametrize("shape", [(4,), (2, 3)])
def test_squared_error_takes_a_class_for_each_position(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    output = torch.randn(*shape, 5, generator=generator, dtype=torch.float64)
    classes = torch.randint(5, shape, generator=generator)
    indicators = torch.zeros_like(output).scatter(-1, classes[..., None], 1.0)
    assert torch.equal(squared_error(output, classes), F.mse_loss(output, indicators))


@pytest.mark.parametrize(
    "targets",
    [torch.zeros(2), torch.zeros(2, 4), torch.zeros(3, dtype=torch.int64), torch.zeros(2, 3, 1)],
)
def test_squared_error_refuses_targets_of_another_shape(targets: torch.Tensor) -> None:
    # Broadcasting would give a number that means nothing.
    with pytest.raises(BatchError, match=r"targets of shape .* for an output of shape \(2, 3\)"):
        squared_error(OUTPUT, targets)


@pytest.mark.parametrize("targets", [torch.zeros(2), torch.zeros(2, 3), torch.zeros(3).long()])
def test_cross_entropy_refuses_targets_that_are_no_classes(targets: torch.Tensor) -> None:
    with pytest.raises(BatchError, match="wanted whole numbers, one class for each position"):
        cross_entropy(OUTPUT, targets)


def test_cross_entropy_is_the_mean_of_minus_the_log_probability() -> None:
    classes = torch.tensor([1, 2])
    probabilities = OUTPUT.exp() / OUTPUT.exp().sum(-1, keepdim=True)
    wanted = -(probabilities[0, 1].log() + probabilities[1, 2].log()) / 2
    assert cross_entropy(OUTPUT, classes).item() == pytest.approx(wanted.item())
    assert cross_entropy(SimpleNamespace(logits=OUTPUT), classes).item() == pytest.approx(
        wanted.item()
    )


class Told(nn.Module):
    """Give back what it was made with, whatever it is called with."""

    def __init__(self, output: Any) -> None:
        super().__init__()
        self.output = output

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        if isinstance(self.output, Exception):
            raise self.output
        return self.output


PAIR = (torch.zeros(2, 1), torch.tensor([0, 1]))


@pytest.mark.parametrize(
    ("output", "batch", "loss", "wanted"),
    [
        (OUTPUT, torch.zeros(2), None, "batch: got Tensor, wanted a pair"),
        (OUTPUT, (*PAIR, 1), None, "batch: got tuple, wanted a pair"),
        (OUTPUT, {"b": 1, "a": 2}, None, r"keys \['a', 'b'\] for which Told returns no loss"),
        (OUTPUT, PAIR, lambda o, t: 1.0, "loss: got float, wanted a tensor of one entry"),
        (OUTPUT, PAIR, lambda o, t: o, r"loss: got Tensor of shape \(2, 3\).*Take the mean"),
        (OUTPUT, PAIR, lambda o: o, "got TypeError from the loss on it"),
        (OUTPUT, (PAIR[0], torch.tensor([0, 7])), None, "got IndexError from the loss on it"),
        (RuntimeError("two\n lines"), PAIR, None, "RuntimeError from the forward on it: two lines"),
        (torch.zeros(2).long(), PAIR, lambda o, t: OUTPUT.mean(), "output: got Tensor without"),
        ("text", PAIR, None, "output: got str without a floating-point tensor"),
    ],
)
def test_what_does_not_fit_is_said(output: Any, batch: Any, loss: Any, wanted: str) -> None:
    with pytest.raises(BatchError, match=wanted):
        evaluate(Told(output), batch, loss)


def test_a_loss_of_ones_own_sees_output_and_whole_mapping() -> None:
    batch = {"x": PAIR[0], "weights": torch.tensor([1.0, 3.0])}
    found, loss = evaluate(
        Told(OUTPUT), batch, lambda output, given: (output[:, 0] * given["weights"]).mean()
    )
    assert torch.equal(found, OUTPUT)
    assert loss.item() == (0.5 * 1 + 2.0 * 3) / 2


@pytest.mark.parametrize(
    "output",
    [
        OUTPUT,
        (OUTPUT, torch.zeros(1)),
        [torch.zeros(1).long(), {"hidden": (OUTPUT,)}],
        SimpleNamespace(logits=OUTPUT, loss=torch.zeros(())),
        {"logits": OUTPUT},
    ],
)
def test_the_tensor_of_an_output_is_found(output: Any) -> None:
    assert extract_tensor(output) is OUTPUT
