"""Damaged study files: each is a valid plan or one clear error."""

import random
from contextlib import suppress
from pathlib import Path

import pytest

from lrtransfer.errors import ConfigError
from lrtransfer.runs.digests import Digests
from lrtransfer.study.load import load
from lrtransfer.sweeps.sweep import Sweep

BUILT_IN = """
name = "quickstart"
widths = [32, 64, 96, 128]
base_width = 32
target = 256
schemes = ["mup", "sp"]
seeds = 3
study_seed = 0
tolerance_regret = 0.01
design = "adaptive"
until = "octaves=0.5"
budget = 48
confirm = false
grid = { low = 0.001953125, high = 0.125, per_octave = 1 }
model = { vocabulary = 256, context = 64, depth = 2, head_width = 16, positions = "rotary" }
data = { source = "python-standard-library", held_out_tokens = 65536 }
optimizer = { family = "adamw", betas = [0.9, 0.95], eps = 1e-12, weight_decay = 0.0 }
training = { steps = 100, batch = 8, warmup_share = 0.08, final_factor = 1e-4 }
"""
OWN = """
widths = [64, 128, 256]
target = 1024
seeds = 2
schemes = ["mup"]
grid = { low = 0.001, high = 0.25, per_octave = 2 }
trainer = { command = "train {width} {lr} {seed}", loss_from = "{out}/r.json:loss", timeout = 5 }
"""
LLAMA = """
widths = [64, 128]
base_width = 64
target = 512
device = "cuda"
vary = { "optimizer.momentum" = [0.5, 0.9], "model.fields.num_hidden_layers" = [2, 4] }
model.type = "llama"
model.scales = ["hidden_size", "intermediate_size"]
model.fields = { intermediate_size = 192, num_hidden_layers = 2, vocab_size = 300 }
data = { source = "text", path = "texts", held_out_tokens = 100 }
optimizer = { family = "sgd", momentum = 0.9, nesterov = true, weight_decay = 0.1 }
training = { steps = 9, batch = 8, accumulate = 2, schedule = "wsd", decay_share = 0.1, clip = 1.0 }
parametrization.readout_init = "zero"
parametrization.depth_exponent = 0.5
parametrization.tuned = { output = { lr = 2.0 } }
"""
ALONG = """
along = "depth"
sizes = [2, 4, 8]
target = 32
width = 64
base_width = 64
seeds = 1
vary = { "training.batch" = [4, 8], "model.arguments.share" = [0.1, 0.5] }
model = { build = "pkg.module:build", arguments = { depth = 2, share = 0.5 }, context = 16 }
data = { batches = "pkg.module:batches", held_out_batches = 4 }
optimizer = { family = "muon", adjust = "match_rms_adamw", adamw_lr = 0.5, betas = [0.9, 0.95] }
training = { steps = 9, batch = 8, loss = "pkg.module:loss", precision = "bfloat16" }
"""
VALUES = (
    "0", "-1", "3", "1e400", "nan", "inf", "-inf", "0.5", '""', '"x"', '"2e15 flops"', "true", "[]",
    "[1]", '["mup"]', "[[1]]", "{}", "{ a = 1 }", "1979-05-27", "9" * 25, '"regret=0.01"', '"{lr}"',
    '"a:b"', '"stdout:("', "64", "[64, 64]", "[0, 1]", '"\\u0000"',
)  # fmt: skip


def damaged(text: str, rng: random.Random) -> str:
    """Change one or two values, keys or characters."""
    for _ in range(rng.randint(1, 2)):
        lines = text.strip().splitlines()
        at = rng.randrange(len(lines))
        key, _, value = lines[at].partition(" = ")
        kind = rng.randrange(5)
        if kind == 0:
            lines[at] = f"{key} = {rng.choice(VALUES)}"
        elif kind == 1 and value.startswith("{"):
            inner = value.strip("{} ").split(", ")
            i = rng.randrange(len(inner))
            inner[i] = f"{inner[i].partition(' = ')[0]} = {rng.choice(VALUES)}"
            lines[at] = f"{key} = {{ {', '.join(inner)} }}"
        elif kind == 2:
            del lines[at]
        elif kind == 3:
            lines[at] = f"{key}{rng.choice('sx_')} = {value}"
        else:
            i = rng.randrange(len(lines[at]) + 1)
            lines[at] = lines[at][:i] + rng.choice('"[]{}=,.#\\x0') + lines[at][i:]
        text = "\n".join(lines) or "\n"
    return text


@pytest.mark.parametrize(
    "text", [BUILT_IN, OWN, LLAMA, ALONG], ids=["built-in", "own trainer", "llama", "along depth"]
)
def test_damaged_files_are_a_plan_or_one_error(text: str, tmp_path: Path) -> None:
    path, plans, errors = tmp_path / "study.toml", 0, list[str]()
    rng = random.Random(5)
    for _ in range(500):
        path.write_text(damaged(text, rng))
        try:
            study = load(path, {})
        except ConfigError as error:
            errors.append(str(error))
            continue
        sweep = Sweep(study, Digests("d"))
        with suppress(ConfigError):  # a budget that does not pay the first round
            if len(plan := sweep.design.first()) < 50:
                assert sweep.expand(plan)
        plans += 1
    assert plans > 25
    assert len(errors) > 100
    assert all(text.startswith(f"{path}: ") and "\n" not in text for text in errors)
    assert list(tmp_path.iterdir()) == [path]
