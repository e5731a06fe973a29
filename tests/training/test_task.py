"""Where batches come from: labelled examples, windows of tokens, functions of the user's own."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lrtransfer.data.corpus import Corpus, tokens_of
from lrtransfer.data.digits import LabelledExamples
from lrtransfer.errors import BatchError
from lrtransfer.training.task import HELD_OUT_BATCH, Classes, NextToken, OwnBatches


def labelled(count: int) -> LabelledExamples:
    """Return examples whose only input is their own number."""
    inputs = np.arange(count, dtype=np.float32)[:, None]
    return LabelledExamples(inputs, np.arange(count, dtype=np.int64) % 2)


def listed(batches: Iterable[Any]) -> list[Any]:
    """Return batches, of whichever form, in a list."""
    return list(batches)


def numbers(task: Classes, *, steps: int, seed: int = 0) -> list[int]:
    batches = listed(task.batches(steps=steps, seed=seed))
    return [int(i) for inputs, _ in batches for i in inputs[:, 0].tolist()]


@pytest.mark.parametrize("batch", [1, 4, 10, 7, 25])
def test_every_example_comes_once_before_any_comes_again(batch: int) -> None:
    found = numbers(Classes(labelled(10), labelled(3), batch), steps=20)
    assert len(found) == 20 * batch
    for start in range(0, len(found) - 9, 10):
        assert sorted(found[start : start + 10]) == list(range(10))
    rounds = {tuple(found[start : start + 10]) for start in range(0, len(found) - 9, 10)}
    assert batch == 1 or len(rounds) > 1  # shuffled anew


def test_the_order_of_examples_depends_on_the_seed_alone() -> None:
    task = Classes(labelled(10), labelled(3), 4)
    first = numbers(task, steps=5, seed=3)
    numbers(task, steps=2, seed=4)
    torch.rand(7)
    assert numbers(task, steps=5, seed=3) == first
    assert numbers(task, steps=8, seed=3)[:20] == first
    assert numbers(task, steps=5, seed=4) != first


def test_inputs_stay_with_their_classes() -> None:
    task = Classes(labelled(10), labelled(3), 4)
    for inputs, targets in listed(task.batches(steps=5, seed=0)):
        assert torch.equal(inputs[:, 0].long() % 2, targets)


@pytest.mark.parametrize("few", [True, False])
def test_all_held_out_examples_are_measured(few: bool) -> None:
    (((inputs, _), count),) = listed(Classes(labelled(10), labelled(3), 4).held_out(few=few))
    assert (inputs[:, 0].tolist(), count) == ([0, 1, 2], 3)


def windows_of(
    *, train: bytes = b"ab" * 50, held_out: bytes = b"ab" * 50, vocabulary: int | None = None
) -> NextToken:
    corpus = Corpus("text", train=tokens_of(train), held_out=tokens_of(held_out))
    return NextToken(corpus, batch=2, context=4, held_out_tokens=40, vocabulary=vocabulary)


def test_a_token_that_the_model_does_not_know_is_refused() -> None:
    wanted = r"got the token 98, wanted tokens below the model's vocabulary, 98"
    with pytest.raises(BatchError, match=wanted):
        list(windows_of(vocabulary=98).batches(steps=1, seed=0))
    with pytest.raises(BatchError, match=wanted):
        windows_of(train=b"aa" * 50, vocabulary=98).example()
    assert len(list(windows_of(vocabulary=99).batches(steps=3, seed=0))) == 3


def test_held_out_windows_are_weighed_and_few_of_them_are_among_all() -> None:
    task = NextToken(
        Corpus("text", train=tokens_of(b"ab" * 50), held_out=tokens_of(bytes(range(250)) * 40)),
        batch=2,
        context=4,
        held_out_tokens=600,
    )
    parts = list(task.held_out())
    assert [count for _, count in parts] == [64, 64, 22]
    every = torch.cat([windows for windows, _ in parts])
    parts = list(task.held_out(few=True))
    few, count = torch.cat([windows for windows, _ in parts]), sum(count for _, count in parts)
    assert torch.equal(few, every[::2])
    assert count == len(few) == 75


def pairs(split: str, *, seed: int, batch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(5 if split == "train" else 2):
        yield torch.randn(batch, 3, generator=generator), torch.zeros(batch, dtype=torch.int64)


def test_pairs_of_a_function_are_taken_as_they_come() -> None:
    task = OwnBatches(pairs, batch=6, limit=9)
    found = listed(task.batches(steps=5, seed=11))
    for (inputs, _), (wanted, _) in zip(found, pairs("train", seed=11, batch=6), strict=True):
        assert torch.equal(inputs, wanted)
    assert [count for _, count in task.held_out()] == 2 * [HELD_OUT_BATCH]
    assert list(task.held_out(few=True)) == list(task.held_out())
    model = nn.Linear(3, 2)
    wanted_loss = nn.functional.cross_entropy(model(found[0][0]), found[0][1])
    assert torch.equal(task.loss(model, found[0]), wanted_loss)


def test_held_out_batches_are_made_once_with_a_seed_that_never_changes() -> None:
    asked: list[tuple[str, int, int]] = []

    def function(split: str, *, seed: int, batch: int) -> Any:
        asked.append((split, seed, batch))
        return pairs(split, seed=seed, batch=batch)

    task = OwnBatches(function, batch=2, limit=2)
    list(task.batches(steps=1, seed=5))
    first = task.held_out()
    assert task.held_out() is first
    assert task.example() is next(iter(first))[0]
    assert asked == [("train", 5, 2), ("held_out", 0, HELD_OUT_BATCH)]


def test_lists_of_a_data_loader_are_pairs() -> None:
    data = TensorDataset(torch.arange(150.0)[:, None], torch.arange(150) % 2)

    def loader(split: str, *, seed: int, batch: int) -> DataLoader[Any]:
        return DataLoader(data, batch_size=batch)

    task = OwnBatches(loader, batch=4, limit=5)
    assert all(isinstance(batch, tuple) for batch in task.batches(steps=3, seed=0))
    # The last batch weighs less.
    assert [count for _, count in task.held_out()] == [64, 64, 22]
    assert task.loss(nn.Linear(1, 2), task.example()).ndim == 0


class Labels(dict[str, Any]):
    """A mapping of a class of its own, as tokenizers give."""


def test_mappings_are_plain_and_counted() -> None:
    def function(split: str, *, seed: int, batch: int) -> Sequence[Labels]:
        return [Labels(scale=2.0, x=torch.ones(batch, 3))] * 2

    task = OwnBatches(function, batch=4, limit=5)
    assert all(type(batch) is dict for batch in task.batches(steps=2, seed=0))
    assert [count for _, count in task.held_out()] == 2 * [HELD_OUT_BATCH]


@pytest.mark.parametrize("steps", [6, 100])
def test_too_few_training_batches_are_refused(steps: int) -> None:
    wanted = rf"got 5 training batches, wanted one for each of {steps} steps. Go round again"
    with pytest.raises(BatchError, match=wanted):
        list(OwnBatches(pairs, batch=2, limit=2).batches(steps=steps, seed=0))


def test_no_held_out_batch_is_refused() -> None:
    def function(split: str, *, seed: int, batch: int) -> Any:
        return pairs(split, seed=seed, batch=batch) if split == "train" else ()

    with pytest.raises(BatchError, match="got no held-out batch, wanted at least one"):
        OwnBatches(function, batch=2, limit=2).example()


def test_held_out_batches_that_never_end_are_cut_at_the_limit() -> None:
    def function(split: str, *, seed: int, batch: int) -> Any:
        while True:
            yield from pairs(split, seed=seed, batch=batch)

    assert len(list(OwnBatches(function, batch=2, limit=7).held_out())) == 7


def _one(split: str) -> Any:
    return [split]


def _none(split: str, *, seed: int, batch: int) -> Any:
    return None


@pytest.mark.parametrize(
    ("function", "got"),
    [(_one, "unexpected keyword argument"), (_none, "'NoneType' object is not iterable")],
)
def test_a_function_of_another_form_is_refused(function: Any, got: str) -> None:
    with pytest.raises(BatchError, match=rf"got .*{got}.*batches\('train', seed=0, batch=8\)"):
        list(OwnBatches(function, batch=2, limit=2).batches(steps=1, seed=0))


@pytest.mark.parametrize("batch", [(1, 2), {"x": 1.0}, (torch.tensor(1.0), None)])
def test_a_held_out_batch_without_examples_is_refused(batch: Any) -> None:
    def function(split: str, *, seed: int, batch_: Any = batch, **_: Any) -> Any:
        return [batch_]

    with pytest.raises(BatchError, match=r"got (tuple|dict) without a torch tensor"):
        OwnBatches(function, batch=2, limit=2).example()
