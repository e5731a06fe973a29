"""What is known of a run before it is trained: parameters, operations, a few timed steps."""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lrtransfer.errors import UserError
from lrtransfer.executors.probe import probe_runs
from lrtransfer.models.configs import HuggingFaceConfig, MLPConfig
from lrtransfer.models.hugging_face import hugging_face_model
from lrtransfer.models.mlp import MLP
from lrtransfer.runs.count import count_parameters, count_step_flops
from lrtransfer.runs.digests import Digests
from lrtransfer.study.load import load
from lrtransfer.study.study import Study
from lrtransfer.sweeps.estimate import estimate_cost
from tests.studies import run_of

MODELS = """
import os
import sys
import torch
from torch import nn


def build(width):
    return nn.Sequential(nn.Linear(6, width), nn.ReLU(), nn.Linear(width, 3))


class Valued(nn.Sequential):
    def forward(self, x):
        x = super().forward(x)
        return x / (1 + x.abs().max().item())  # needs a value


def valued(width):
    return Valued(*build(width))


def noisy(width):
    print('{"parameters": 1}')
    sys.stdout.write("no end of line")
    return build(width)


def exits(width):
    print("a last word", file=sys.stderr, flush=True)
    print('{"parameters": 1}', flush=True)
    os._exit(0)


def quits(width):
    sys.exit(0)


def interrupts(width):
    raise KeyboardInterrupt


def forks(width):
    if os.fork() == 0:
        raise RuntimeError("in the child")
    return build(width)


def batches(split, *, seed, batch):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(5):
        yield torch.randn(batch, 6, generator=generator), torch.zeros(batch).long()
"""


@pytest.fixture
def own(write_module: Callable[[str], str]) -> str:
    return write_module(MODELS)


def own_study(
    own: str, build: str = "build", *, batches: str | None = None, steps: int = 4
) -> Study:
    return load(
        None,
        {
            "widths": (8, 16),
            "base_width": 8,
            "target": 32,
            "schemes": ("mup",),
            "seeds": 1,
            "model": {"build": f"{own}:{build}"},
            "data": {"batches": batches or f"{own}:batches", "held_out_batches": 2},
            "training": {"steps": steps, "batch": 8},
        },
    )


def mlp_study(**model: Any) -> Study:
    return load(
        None,
        {
            "widths": (8, 16),
            "base_width": 8,
            "target": 32,
            "model": {"family": "mlp", **model},
            "data": {"source": "digits"},
            "training": {"steps": 5, "batch": 12},
        },
    )


@pytest.mark.parametrize("accumulate", [1, 4])
@pytest.mark.parametrize("depth", [0, 2])
def test_operations_of_an_mlp_are_those_counted_by_hand(depth: int, accumulate: int) -> None:
    n, d, k, batch = 16, 64, 10, 12
    study = mlp_study(depth=depth)
    training = study.training.model_copy(update={"accumulate": accumulate})
    run = run_of(study.model_copy(update={"training": training}), n, digests=Digests())
    weights = d * n + depth * n * n + n * k
    # Per example and weight: 2 forward, 2 for its gradient, 2 for that of its input, which the
    # first layer's input, the data, has not.
    wanted = batch * (6 * weights - 2 * d * n)
    assert count_step_flops(run) == wanted


def test_parameters_of_an_mlp_are_those_of_the_model() -> None:
    run = run_of(mlp_study(depth=2), 16, digests=Digests())
    real = sum(p.numel() for p in MLP(16, MLPConfig(depth=2)).parameters())
    assert count_parameters(run) == real == 64 * 16 + 2 * 16 * 16 + 16 * 10


def test_parameters_of_a_llama_are_those_of_the_model() -> None:
    config = HuggingFaceConfig(
        type="llama",
        scales=("hidden_size", "num_attention_heads", "num_key_value_heads", "intermediate_size"),
        fields={
            "vocab_size": 256,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "intermediate_size": 16,
        },
        context=8,
    )
    study = load(
        None,
        {
            "widths": (8, 16),
            "base_width": 8,
            "target": 32,
            "model": config.model_dump(),
            "data": {"held_out_tokens": 256},
            "training": {"steps": 3, "batch": 2},
        },
    )
    run = run_of(study, 16)
    model = hugging_face_model(16, config, base_width=8)
    assert count_parameters(run) == sum(p.numel() for p in model.parameters())


def test_an_own_model_is_counted(own: str) -> None:
    study = own_study(own)
    run = run_of(study, 16)
    assert count_parameters(run) == 6 * 16 + 16 + 16 * 3 + 3
    assert count_step_flops(run) == 8 * (6 * (6 * 16 + 16 * 3) - 2 * 6 * 16)


def test_a_model_that_needs_values_is_counted_where_there_are_some(own: str) -> None:
    study = own_study(own, "valued")
    run = run_of(study, 16)
    assert count_step_flops(run) is None
    plain = run_of(own_study(own), 16)
    assert count_step_flops(run, device="cpu") == count_step_flops(plain)
    assert count_parameters(run) == 6 * 16 + 16 + 16 * 3 + 3


def test_counting_leaves_the_random_stream_as_it_was(own: str) -> None:
    study = own_study(own)
    run = run_of(study, 16)
    count_parameters(run)
    torch.manual_seed(0)
    count_step_flops(run)
    after = torch.rand(3)
    torch.manual_seed(0)
    assert torch.equal(after, torch.rand(3))


@pytest.mark.parametrize(("build", "steps"), [("noisy", 5), ("valued", 1)])
def test_own_code_that_prints_needs_values_or_has_just_enough_data(
    own: str, tmp_path: Path, build: str, steps: int
) -> None:
    name = f"{own}_once"
    (tmp_path / f"{name}.py").write_text(
        f"from {own} import batches as more\n"
        "def batches(split, *, seed, batch):\n"
        f"    return list(more(split, seed=seed, batch=batch))[:{steps}]\n"
    )
    study = own_study(own, build, batches=f"{name}:batches", steps=steps)
    found = estimate_cost(study, tmp_path / "out", workers=1)
    sizes = (*found.sizes, found.target)
    assert [size.size for size in sizes] == [8, 16, 32]
    assert [size.each.parameters for size in sizes] == [10 * n + 3 for n in (8, 16, 32)]
    # Steps of 8 examples: 9 n weights, less the gradient of the data.
    wanted = [steps * 8 * (6 * 9 * n - 2 * 6 * n) for n in (8, 16, 32)]
    assert [size.each.flops for size in sizes] == wanted
    assert all(size.each.tokens is None for size in sizes)
    for size in found.sizes:
        assert size.each.seconds is not None
        assert size.each.seconds > 0
    assert found.seconds is not None


@pytest.mark.parametrize(
    ("build", "said"),
    [
        ("exits", "got exit code 0 and no answer .*(\n.*)*a last word"),
        ("quits", "SystemExit: 0"),
        ("interrupts", "KeyboardInterrupt"),
    ],
)
def test_code_that_ends_its_process_is_one_error(
    own: str, tmp_path: Path, build: str, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        estimate_cost(own_study(own, build), tmp_path / "out", workers=1)


def test_a_forked_child_answers_no_probe(own: str, tmp_path: Path) -> None:
    found = estimate_cost(own_study(own, "forks"), tmp_path / "out", workers=1)
    assert [size.each.parameters for size in found.sizes] == [10 * n + 3 for n in (8, 16)]


def test_an_interrupt_leaves_no_process(small: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    started = list["subprocess.Popen[bytes]"]()

    class Interrupted(subprocess.Popen[bytes]):
        def communicate(self, *arguments: Any, **options: Any) -> tuple[bytes, bytes]:
            started.append(self)
            raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    run = run_of(small)
    with pytest.raises(KeyboardInterrupt):
        probe_runs([run], counted=run, device="cpu", workers=1)
    (process,) = started
    assert process.wait(timeout=60) == -signal.SIGKILL
