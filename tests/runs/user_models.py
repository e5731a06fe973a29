"""Models and data as a user writes them, and runs of them."""

from typing import Any

from lrtransfer.runs.run import RunSpec
from lrtransfer.runs.train import train_run
from lrtransfer.study.load import load
from lrtransfer.study.study import Study

MODELS = """
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width, dropout):
        super().__init__()
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        return x + self.dropout(self.down(torch.relu(self.up(self.norm(x)))))


class Net(nn.Module):
    def __init__(self, width, depth, dropout):
        super().__init__()
        self.embed = nn.Linear(6, width)
        self.blocks = nn.ModuleList(Block(width, dropout) for _ in range(depth))
        self.readout = nn.Linear(width, 3, bias=False)

    def forward(self, x):
        x = self.embed(x)
        for block in self.blocks:
            x = block(x)
        return self.readout(x)


def build(width, depth=1, dropout=0.0):
    return Net(width, depth, dropout)


class Tokens(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.embed = nn.Embedding(300, width)
        self.readout = nn.Linear(width, 300, bias=False)

    def forward(self, tokens):
        return self.readout(torch.relu(self.embed(tokens)))


def tokens(width):
    return Tokens(width)


def batches(split, *, seed, batch):
    generator = torch.Generator().manual_seed(seed if split == "train" else 10**6)
    while True:
        inputs = torch.randn(batch, 6, generator=generator)
        yield inputs, (inputs[:, :3] + inputs[:, 3:]).argmax(1)


def from_loader(split, *, seed, batch):
    data = torch.utils.data.TensorDataset(*next(iter(batches(split, seed=seed, batch=64))))
    return torch.utils.data.DataLoader(data, batch_size=batch)


def few(split, *, seed, batch):
    for _, found in zip(range(5), batches(split, seed=seed, batch=batch)):
        yield found


def loss(output, targets):
    return (output - torch.nn.functional.one_hot(targets, 3)).abs().mean()


class Sum(nn.Linear):
    # No value is drawn at random.
    def __init__(self, width):
        super().__init__(6, width)
        nn.init.ones_(self.weight)
        nn.init.zeros_(self.bias)


def first(output, targets):
    return output.square().mean()



TABLE = {"not": "called"}
"""


def study_of(own: str, **settings: Any) -> Study:
    given = {
        "widths": (8, 16),
        "base_width": 8,
        "target": 32,
        "schemes": ("mup", "sp"),
        "model": {"build": f"{own}:build"},
        "data": {"batches": f"{own}:batches", "held_out_batches": 3},
        "training": {"steps": 4, "batch": 8},
    }
    return load(None, given | settings)


def curve(run: RunSpec) -> tuple[float, ...]:
    return train_run(run).curve
