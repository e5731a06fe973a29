"""Measure how often the coordinate check detects mistakes, names their cause, or fails wrongly.

    python benchmarks/coordinate_check.py --seeds 100 --models mlp transformer

prints a table in Markdown: for each model the share of correct checks that fail or stay
inconclusive, and for each mistake the share that fails and the share in which the first suspect
is the right one, each with its Monte Carlo error. Every repetition draws new weights and a new
batch. Runs on one thread.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from lrtransfer.checks.coordinates import (
    CheckResult,
    Make,
    check_coordinates,
    recipe_maker,
    recipe_roles,
)
from lrtransfer.checks.mistakes import MISTAKES, mistake_maker
from lrtransfer.models.configs import MLPConfig, TransformerConfig
from lrtransfer.models.mlp import MLP
from lrtransfer.models.transformer import Transformer
from lrtransfer.parametrization.roles.roles import Layout
from lrtransfer.parametrization.rules import Role
from lrtransfer.randomness import seed_of
from lrtransfer.training.objective import Batch

WIDTHS = (32, 64, 128, 256)
BASE = WIDTHS[0]
CLASSES, TOKENS, LENGTH = 10, 64, 16


class ConvNet(nn.Module):
    """Image classifier of three convolutions, batch and group norm, and biases."""

    def __init__(self, width: int) -> None:
        """Make a network with this many channels."""
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, stride=2), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.GroupNorm(8, width), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(width, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map images (B, 3, H, W) to logits (B, 10)."""
        out: torch.Tensor = self.head(self.body(x).mean((2, 3)))
        return out


def mlp(width: int) -> nn.Module:
    """Return a plain MLP."""
    return MLP(width, MLPConfig(inputs=16, outputs=CLASSES, depth=2))


def biased_mlp(width: int) -> nn.Module:
    """Return an MLP with biases, norms with gains, and torch's own initialisation."""
    return nn.Sequential(
        nn.Linear(16, width), nn.GELU(),
        nn.Linear(width, 2 * width), nn.LayerNorm(2 * width), nn.GELU(),
        nn.Linear(2 * width, width), nn.GELU(),
        nn.Linear(width, width), nn.GELU(),
        nn.Linear(width, CLASSES),
    )  # fmt: skip


def transformer(width: int) -> nn.Module:
    """Return the reference transformer: heads of fixed width."""
    return Transformer(width, TransformerConfig(vocabulary=TOKENS, context=LENGTH))


class GrowingHeads(nn.Module):
    """Language model of one attention layer with four heads at every width, and an MLP."""

    def __init__(self, width: int, *, power: float) -> None:
        """Make a model whose scores are scaled by this power of 1 / width."""
        super().__init__()
        self.embed = nn.Embedding(TOKENS, width)
        self.query, self.key, self.value, self.project = (
            nn.Linear(width, width, bias=False) for _ in range(4)
        )
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width)
        )
        self.readout = nn.Linear(width, TOKENS, bias=False)
        self.scale = (width / BASE) ** -power * (BASE // 4) ** -0.5

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map tokens (B, T) to logits (B, T, V)."""
        x = self.embed(tokens)
        q, k, v = (
            layer(F.layer_norm(x, x.shape[-1:])).unflatten(-1, (4, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=self.scale)
        x = x + self.project(mixed.transpose(1, 2).flatten(2))
        out: torch.Tensor = self.readout(x + self.mlp(F.layer_norm(x, x.shape[-1:])))
        return out


def growing_heads(width: int) -> nn.Module:
    """Return growing heads with correctly scaled scores: sqrt(d0) / d."""
    return GrowingHeads(width, power=1.0)


def unscaled_heads(width: int) -> nn.Module:
    """Return growing heads with wrongly scaled scores: 1/sqrt(d)."""
    return GrowingHeads(width, power=0.5)


def llama(width: int) -> nn.Module:
    """Return a tiny Llama with grouped-query attention."""
    import transformers

    config = transformers.LlamaConfig(
        hidden_size=width, intermediate_size=2 * width, num_hidden_layers=2, vocab_size=TOKENS,
        num_attention_heads=width // 8, num_key_value_heads=width // 16, head_dim=8,
        use_cache=False, pad_token_id=None,
    )  # fmt: skip
    model: nn.Module = transformers.LlamaForCausalLM(config)
    return model


def qwen3(width: int) -> nn.Module:
    """Return a tiny Qwen3, whose heads share the gains of the norms of queries and keys."""
    import transformers

    config = transformers.Qwen3Config(
        hidden_size=width, intermediate_size=2 * width, num_hidden_layers=2, vocab_size=TOKENS,
        num_attention_heads=width // 8, num_key_value_heads=width // 16, head_dim=8,
        use_cache=False, tie_word_embeddings=False,
    )  # fmt: skip
    model: nn.Module = transformers.Qwen3ForCausalLM(config)
    return model


_GAIN = Layout(contracted=(), produced=(0,))
LLAMA_LAYOUTS = {"model.norm.weight": _GAIN} | {
    f"model.layers.{i}.{norm}_layernorm.weight": _GAIN
    for i in range(2)
    for norm in ("input", "post_attention")
}


def _vectors(seed: int) -> Batch:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(16, 16, generator=g), torch.randint(0, CLASSES, (16,), generator=g)


def _images(seed: int) -> Batch:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(8, 3, 6, 6, generator=g), torch.randint(0, CLASSES, (8,), generator=g)


def _texts(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    tokens = torch.randint(0, TOKENS, (4, LENGTH + 1), generator=g)
    return tokens[:, :-1], tokens[:, 1:]


def _labelled_texts(seed: int) -> Batch:
    tokens, _ = _texts(seed)
    return {"input_ids": tokens, "labels": tokens}


@dataclass(frozen=True)
class Specimen:
    """A model with its batches, and a wrong version of it for a mistake of its own kind."""

    build: Callable[[int], nn.Module]
    batch: Callable[[int], Batch]
    optimizer: str = "adamw"
    layouts: Mapping[str, Layout] | None = None
    wrong_build: Callable[[int], nn.Module] | None = None
    traced: bool = False

    @property
    def settings(self) -> dict[str, Any]:
        """Options of `parametrize`, except scheme and width."""
        shared = {"optimizer": self.optimizer, "base_width": BASE, "layouts": self.layouts}
        return shared | ({"example": self.batch(0)} if self.traced else {})

    @cached_property
    def roles(self) -> dict[str, Role]:
        """The roles of the tensors."""
        return recipe_roles(self.build, width=2 * BASE, **self.settings)


MODELS: Mapping[str, Specimen] = {
    "mlp": Specimen(mlp, _vectors),
    "mlp, sgd": Specimen(mlp, _vectors, "sgd"),
    "biased mlp": Specimen(biased_mlp, _vectors),
    "biased mlp, sgd": Specimen(biased_mlp, _vectors, "sgd"),
    "convnet": Specimen(ConvNet, _images),
    "convnet, sgd": Specimen(ConvNet, _images, "sgd"),
    "transformer": Specimen(transformer, _texts),
    "growing heads": Specimen(growing_heads, _texts, wrong_build=unscaled_heads),
    "llama": Specimen(llama, _labelled_texts, layouts=LLAMA_LAYOUTS),
    "qwen3": Specimen(qwen3, _labelled_texts, traced=True),
}


@dataclass
class Tally:
    """Outcomes of the checks of one model with one mistake, or without."""

    runs: int = 0
    failed: int = 0
    inconclusive: int = 0
    named: int = 0

    def add(self, result: CheckResult, says: str | None) -> None:
        """Count one result; `says` is the text that the first suspect must contain."""
        self.runs += 1
        self.failed += result.verdict == "fail"
        self.inconclusive += result.verdict == "inconclusive"
        self.named += bool(result.suspects and says and says in result.suspects[0].cause)


def share(count: int, of: int) -> str:
    """Return a share in percent with its Monte Carlo error (of one more success or failure)."""
    p = (count + 0.5) / (of + 1)
    return f"{100 * count / of:.1f} ± {100 * np.sqrt(p * (1 - p) / of):.1f}"


def list_mistakes(model: Specimen) -> Iterator[tuple[str, str, Make]]:
    """Yield each mistake that the model can have: its name, the text of its cause, its maker."""
    roles = set(model.roles.values())
    for name, mistake in MISTAKES[model.optimizer].items():
        if mistake.output or roles & {*mistake.init, *mistake.lr}:
            yield name, mistake.says, mistake_maker(model.build, mistake, **model.settings)
    if model.wrong_build:
        maker = recipe_maker(model.wrong_build, **model.settings)
        yield "attention 1/sqrt(d)", "attention scale", maker


def check(make: Make, model: Specimen, seed: int, **options: Any) -> CheckResult:
    """Check with the weights and the batch of one repetition."""

    def reseeded(width: int, i: int) -> tuple[nn.Module, torch.optim.Optimizer]:
        return make(width, seed_of("benchmark", seed, i))

    batch = model.batch(seed_of("benchmark batch", seed))
    return check_coordinates(reseeded, batch, widths=WIDTHS, roles=model.roles, **options)


def main() -> None:
    """Parse the options and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10, help="repetitions of each mistake")
    parser.add_argument("--correct", type=int, help="repetitions without one; default --seeds")
    parser.add_argument("--first", type=int, default=1000, help="name of the first repetition")
    parser.add_argument("--steps", type=int, default=10, help="training steps of a check")
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS, help="which")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| model | mistake | N | fails, % | inconclusive, % | right suspect first, % |")
    print("|---" * 6 + "|")
    for name in options.models:
        model, start = MODELS[name], time.perf_counter()
        correct, control = (
            recipe_maker(model.build, scheme=scheme, **model.settings) for scheme in ("mup", "sp")
        )
        count = options.correct or options.seeds
        print_row(name, "none", None, repeat_check(correct, model, count, options, control=control))
        for kind, says, make in list_mistakes(model):
            print_row(
                name, kind, says, repeat_check(make, model, options.seeds, options, says=says)
            )
        print(f"<!-- {name}: {time.perf_counter() - start:.0f} s -->", flush=True)


def repeat_check(
    make: Make,
    model: Specimen,
    count: int,
    options: argparse.Namespace,
    *,
    says: str | None = None,
    control: Make | None = None,
) -> Tally:
    """Repeat a check and count its outcomes."""
    tally = Tally()
    for i in range(options.first, options.first + count):
        tally.add(check(make, model, i, control=control, steps=options.steps), says)
    return tally


def print_row(model: str, kind: str, says: str | None, tally: Tally) -> None:
    """Print one row of the table."""
    named = share(tally.named, tally.runs) if says else ""
    print(
        f"| {model} | {kind} | {tally.runs} | {share(tally.failed, tally.runs)} | "
        f"{share(tally.inconclusive, tally.runs)} | {named} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
