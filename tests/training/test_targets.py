"""Batches weigh by their targets: parts of a batch, and batches held out, of ragged labels."""

from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import transformers
from torch import nn

from lrtransfer.errors import BatchError
from lrtransfer.training.engines.loop import held_out_loss, train
from lrtransfer.training.outcome import Outcome
from lrtransfer.training.step_options import StepOptions
from lrtransfer.training.targets import BatchWeights
from lrtransfer.training.task import UserBatches

ROWS, LENGTH, TOKENS = 8, 10, 16


def llama() -> nn.Module:
    """Return a model that compares its outputs with the next labels."""
    torch.manual_seed(1)
    config = transformers.LlamaConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        vocab_size=TOKENS, use_cache=False, pad_token_id=None,
    )  # fmt: skip
    model: nn.Module = transformers.LlamaForCausalLM(config)
    return model


class Tagger(nn.Module):
    """Compare every output with the label at its own place."""

    def __init__(self, *, least: bool = False) -> None:
        super().__init__()
        self.table, self.readout = nn.Embedding(TOKENS, 16), nn.Linear(16, TOKENS)
        self.least = least

    def forward(self, input_ids: torch.Tensor, labels: torch.Tensor) -> SimpleNamespace:
        logits = self.readout(self.table(input_ids))
        total = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        count = (labels != -100).sum()
        # Some losses are 0 where there is no target, and not NaN; some have a part beside.
        return SimpleNamespace(
            logits=logits,
            loss=total / count.clamp(min=int(self.least)) + 0.1 * logits.square().mean(),
        )


def tagger() -> nn.Module:
    torch.manual_seed(1)
    model = Tagger()
    nn.init.zeros_(model.readout.weight)  # all losses are equal at the start
    nn.init.zeros_(model.readout.bias)
    return model


class Bare(nn.Module):
    """Return logits, whose loss is that of the study."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.inner = nn.Sequential(nn.Embedding(TOKENS, 16), nn.Linear(16, TOKENS))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.inner(tokens)
        return out


def ragged(seed: int = 0, rows: int = ROWS, length: int = LENGTH) -> dict[str, torch.Tensor]:
    """Return rows of which the first have few labels, and one of two lacks its first label."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(TOKENS, (rows, length), generator=generator)
    labels = tokens.clone()
    for row in range(rows):
        labels[row, 2 + row % 8 :] = -100
        if row % 2:
            labels[row, 0] = -100
    return {"input_ids": tokens, "labels": labels}


def as_pair(batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    return batch["input_ids"], batch["labels"]


KINDS: dict[str, tuple[Callable[[], nn.Module], Callable[[Any], Any]]] = {
    "next labels": (llama, lambda batch: batch),
    "own labels": (tagger, lambda batch: batch),
    "pairs": (Bare, as_pair),
}


def task_of(train_batch: Any, held_out: Sequence[Any] = ()) -> UserBatches:
    def batches(split: str, *, seed: int, batch: int) -> Iterator[Any]:
        if split == "train":
            while True:
                yield train_batch
        yield from held_out or [train_batch]

    return UserBatches(batches, batch=ROWS, limit=32)


def run(model: nn.Module, task: UserBatches, *, accumulate: int, steps: int = 3) -> Outcome:
    options = StepOptions(precision="float64", accumulate=accumulate)
    options.prepare(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    return train(
        model, [optimizer], task, steps=steps, seed=0, schedule=lambda step: 1.0, options=options
    )


@pytest.mark.parametrize("accumulate", [2, 4, 8])
@pytest.mark.parametrize("kind", KINDS)
def test_parts_of_ragged_labels_are_the_whole_batch(kind: str, accumulate: int) -> None:
    build, form = KINDS[kind]
    model, whole = build(), build()
    if kind == "own labels":  # its second part is a mean over all positions of a part
        for tag in (model, whole):
            tag.register_forward_hook(
                lambda module, args, out: SimpleNamespace(
                    logits=out.logits, loss=out.loss - 0.1 * out.logits.square().mean()
                )
            )
    task = task_of(form(ragged()))
    parts = run(model, task, accumulate=accumulate)
    expected = run(whole, task, accumulate=1)
    # `transformers` computes the loss itself in float32.
    assert parts.curve == pytest.approx(expected.curve, rel=1e-6)
    assert parts.loss == pytest.approx(expected.loss, rel=1e-6)
    for part, one in zip(model.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(part, one, rtol=1e-5, atol=1e-7)


def test_the_weights_are_those_of_the_trainer_of_transformers() -> None:
    # Given the number of items of the whole batch, a model returns its share of the mean.
    model, batch = llama().double(), ragged()
    items = (batch["labels"][:, 1:] != -100).sum()
    parts = list(StepOptions(accumulate=4).split(batch))
    shares = [model(**part, num_items_in_batch=items).loss.item() for part in parts]
    task = task_of(batch)
    outcome = run(model, task, accumulate=4, steps=1)
    assert outcome.curve[0] == pytest.approx(sum(shares), rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_held_out_batches_of_ragged_labels_weigh_by_their_targets(kind: str) -> None:
    build, form = KINDS[kind]
    batches = [ragged(1, rows=4), ragged(2, rows=8, length=6), ragged(3, rows=1, length=30)]
    model = build()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter))
    total = count = 0.0
    for batch in batches:
        tokens, labels = as_pair(batch)
        logits = model(tokens) if kind == "pairs" else model(**batch).logits
        if kind == "next labels":
            logits, labels = logits[:, :-1], labels[:, 1:]
        total += F.cross_entropy(
            logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum"
        ).item()
        count += int((labels != -100).sum())
    task = task_of(form(ragged()), [form(batch) for batch in batches])
    if kind == "own labels":
        extra = [0.1 * model(**b).logits.square().mean().item() for b in batches]
        counts = [int((b["labels"] != -100).sum()) for b in batches]
        total += sum(e * c for e, c in zip(extra, counts, strict=True))
    assert held_out_loss(model, task) == pytest.approx(total / count, rel=1e-5)


def test_parts_and_batches_without_a_target_are_left_out() -> None:
    batch = ragged()
    batch["labels"][2:4] = -100
    model, whole = llama(), llama()
    task = task_of(batch, [batch, {k: v[2:4] for k, v in batch.items()}])
    parts, expected = run(model, task, accumulate=4), run(whole, task, accumulate=1)
    assert parts.curve == pytest.approx(expected.curve, rel=1e-6)
    assert parts.status == "finished"


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_batch_without_any_target_is_refused(accumulate: int) -> None:
    batch = ragged()
    none = {**batch, "labels": torch.full_like(batch["labels"], -100)}
    with pytest.raises(BatchError, match=r"got \d+ targets that are all -100"):
        run(llama(), task_of(none, [batch]), accumulate=accumulate)
    with pytest.raises(BatchError, match=r"got \d+ targets that are all -100"):
        run(llama(), task_of(batch, [none]), accumulate=accumulate)
    first = {**batch, "labels": none["labels"].clone()}
    first["labels"][:, 0] = 1  # which a model of language leaves out
    with pytest.raises(BatchError, match="without a target other than -100 after their first"):
        run(llama(), task_of(first, [batch]), accumulate=accumulate)


def test_an_empty_batch_is_refused() -> None:
    empty = {key: value[:0] for key, value in ragged().items()}
    with pytest.raises(BatchError, match="wanted at least one example"):
        run(llama(), task_of(empty, [ragged()]), accumulate=1)


def test_equal_numbers_of_targets_need_no_look_at_the_model() -> None:
    def loss(batch: Any) -> float:
        raise AssertionError("looked at")

    weights = BatchWeights(loss)
    full = ragged()
    full["labels"] = full["input_ids"]
    assert weights.weigh([full, full], [3, 3]) == [3, 3]
    masked = [ragged(seed) for seed in range(2)]  # unevenly within, evenly among batches
    assert weights.weigh(masked, [8, 8]) == [8, 8]
    classes = [(torch.zeros(n, 2), torch.zeros(n, dtype=torch.int64)) for n in (4, 2)]
    assert weights.weigh(classes, [4, 2]) == [4, 2]
    numbers = [(torch.zeros(n, 2), torch.zeros(n, 3, 5)) for n in (4, 2)]
    assert weights.weigh(numbers, [4, 2]) == [4, 2]
    assert weights.weigh([{"x": torch.zeros(4)}, {"x": torch.zeros(2)}], [4, 2]) == [4, 2]


@pytest.mark.parametrize(("least", "beside"), [(False, 0.0), (True, 0.0), (True, 0.25)])
@pytest.mark.parametrize("skips", [False, True])
def test_whether_first_labels_count_is_found_out(least: bool, beside: float, skips: bool) -> None:
    def loss(batch: Any) -> float:
        labels = batch["labels"][:, int(skips) :]
        count = int((labels != -100).sum())
        if count == 0 and not least:
            return float("nan")
        return 2.0 * count / max(count, 1) + beside

    weights = BatchWeights(loss)
    labels = torch.ones(4, 5, dtype=torch.int64)
    labels[:2, 2:] = -100
    found = weights.weigh([{"labels": labels[:2]}, {"labels": labels[2:]}], [2, 2])
    assert found == ([2, 8] if skips else [4, 10])
    assert weights.skips_first is skips
