"""Equal runs are equal, whatever their process did before and their code draws from."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lrtransfer.runs.assemble import _make_task
from lrtransfer.runs.train import train_run
from tests.studies import run_of

from .user_models import MODELS, curve, study_of


@pytest.fixture
def own(write_module: Callable[[str], str]) -> str:
    return write_module(MODELS)


@pytest.mark.parametrize("batches", ["batches", "from_loader"])
@pytest.mark.parametrize("study_seed", [0, 7])
def test_dropout_repeats_to_the_last_bit_whatever_ran_before(
    own: str, batches: str, study_seed: int
) -> None:
    study = study_of(
        own,
        study_seed=study_seed,
        model={"build": f"{own}:build", "arguments": {"dropout": 0.5}},
        data={"batches": f"{own}:{batches}", "held_out_batches": 3},
    )
    run = run_of(study)
    first = train_run(run)
    assert train_run(run) == first
    train_run(replace(run, width=8, seed=1))
    train_run(run_of(study_of(own)))
    assert train_run(run) == first


def test_data_that_take_no_seed_are_the_same_at_every_width(own: str, tmp_path: Path) -> None:
    """A loader that shuffles by torch's global stream, and no tensor that starts at random."""
    name = f"{own}_shuffled"
    (tmp_path / f"{name}.py").write_text(
        f"from {own} import *\n"
        "def shuffled(split, *, seed, batch):\n"
        "    data = torch.utils.data.TensorDataset(torch.arange(64.0)[:, None])\n"
        "    for (x,) in torch.utils.data.DataLoader(data, batch_size=batch, shuffle=True):\n"
        "        yield x.expand(-1, 6), torch.zeros(batch).long()\n"
    )
    study = study_of(
        own,
        model={"build": f"{name}:Sum"},
        data={"batches": f"{name}:shuffled", "held_out_batches": 1},
        training={"steps": 3, "batch": 8, "loss": f"{name}:first"},
    )
    run = replace(run_of(study), lr=2.0**-60)
    assert curve(run) == pytest.approx(curve(replace(run, width=8)))
    assert curve(run) != pytest.approx(curve(replace(run, seed=1)))


def test_dropout_depends_on_study_seed_and_seed_and_on_no_rate(own: str) -> None:
    model = {"build": f"{own}:build", "arguments": {"dropout": 0.5}}
    study = study_of(own, model=model, training={"steps": 3, "batch": 8, "loss": f"{own}:loss"})
    run = run_of(study)
    # A rate too small to be seen: the curve shows weights, batches and masks alone.
    slow, slower = (curve(replace(run, lr=2.0**-k)) for k in (60, 70))
    assert slow == slower
    assert curve(replace(run, lr=2.0**-60, seed=1)) != slow


def test_masks_of_two_seeds_differ_where_all_else_is_equal(own: str, tmp_path: Path) -> None:
    name = f"{own}_same"
    (tmp_path / f"{name}.py").write_text(
        f"from {own} import *\n"
        "def same(split, *, seed, batch):\n"
        "    return [(torch.ones(batch, 6), torch.zeros(batch).long())] * 9\n"
        "class Masked(nn.Module):\n"
        "    def __init__(self, width):\n"
        "        super().__init__()\n"
        "        self.up = nn.Linear(6, width)\n"
        "        self.out = nn.Linear(width, 3)\n"
        "        nn.init.zeros_(self.up.weight)\n"
        "        nn.init.zeros_(self.out.weight)\n"
        "    def forward(self, x):\n"
        "        ones = nn.functional.dropout(torch.ones_like(x), training=self.training)\n"
        "        return self.out(self.up(x)) + ones[:, :3]\n"
    )
    study = study_of(
        own,
        model={"build": f"{name}:Masked"},
        data={"batches": f"{name}:same", "held_out_batches": 3},
    )
    run = run_of(study)
    curves = [curve(replace(run, seed=seed)) for seed in (0, 1, 0)]
    assert curves[0] == curves[2]
    assert curves[0] != curves[1]
    assert curve(run_of(study.model_copy(update={"study_seed": 1}))) != curves[0]


def test_what_a_model_draws_beside_its_tensors_depends_on_the_seeds_alone(
    own: str, tmp_path: Path
) -> None:
    name = f"{own}_buffer"
    (tmp_path / f"{name}.py").write_text(
        f"from {own} import *\n"
        "class Projected(nn.Module):\n"
        "    def __init__(self, width):\n"
        "        super().__init__()\n"
        "        self.register_buffer('fixed', torch.randn(6, 6))\n"
        "        self.inner = build(width)\n"
        "    def forward(self, x):\n"
        "        return self.inner(x @ self.fixed)\n"
    )
    run = run_of(study_of(own, model={"build": f"{name}:Projected"}))
    slow, slower = (curve(replace(run, lr=2.0**-k)) for k in (60, 70))
    assert slow == slower
    assert curve(replace(run, lr=2.0**-60)) == slow


def test_held_out_data_that_take_no_seed_are_the_same_for_every_run(
    own: str, tmp_path: Path
) -> None:
    name = f"{own}_drawn"
    (tmp_path / f"{name}.py").write_text(
        f"from {own} import *\n"
        "import random\n"
        "import numpy as np\n"
        "def drawn(split, *, seed, batch):\n"
        "    while True:\n"
        "        x = torch.randn(batch, 6) + random.random() + np.random.rand()\n"
        "        yield x, torch.zeros(batch).long()\n"
    )
    study = study_of(
        own,
        model={"build": f"{name}:Sum"},
        data={"batches": f"{name}:drawn", "held_out_batches": 2},
        training={"steps": 2, "batch": 8, "loss": f"{name}:first"},
    )
    losses = []
    for seed, width in ((0, 8), (1, 8), (0, 16)):
        _make_task.cache_clear()  # as in another process
        run = replace(run_of(study, width, seed=seed), lr=2.0**-60)
        losses.append(train_run(run).loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert losses[0] == pytest.approx(losses[2], rel=1e-6)
