"""Factors of the forward that change with width are said, wherever their value is held."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import transformers as tf
from torch import nn

from lrtransfer.errors import ParametrizationError
from lrtransfer.parametrization.roles.roles import make_role_table

from .hub import HUB, IDS, decoder, hub
from .specimens import FEATURES, Apply

BASE = 16


def cautions(build: Callable[[int], nn.Module], example: Any = FEATURES) -> tuple[str, ...]:
    return make_role_table(build, width=64, base_width=BASE, example=example).cautions


class Held(nn.Module):
    """A layer whose output, gain or matrix is multiplied by a number held in some way."""

    def __init__(self, n: int, value: float, how: str, forward: Callable[..., Any]) -> None:
        super().__init__()
        self.stem, self.function = nn.Linear(5, n), forward
        self.gain, self.matrix = (nn.Parameter(torch.randn(*s)) for s in ((n,), (n, n)))
        self.how, self.value, self.size = how, value, n
        held = torch.tensor(value)
        self.held: Any = held
        if how == "buffer":
            del self.held
            self.register_buffer("held", held, persistent=False)
        elif how == "frozen":
            del self.held
            self.held = nn.Parameter(held, requires_grad=False)
        elif how == "vector":
            del self.held
            self.register_buffer("held", torch.full((n,), value))

    def number(self) -> Any:
        match self.how:
            case "float":
                return self.value
            case "tensor":
                return torch.tensor(self.value)
            case "full":
                return torch.full((1,), self.value)
            case "computed":
                return torch.tensor(float(self.size)).sqrt() / self.size**0.5 * self.value
            case "like":
                return torch.full_like(self.gain[:1], self.value)
        return self.held

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(self, self.stem(x), self.number())


HELD = ("float", "tensor", "full", "computed", "like", "buffer", "attribute", "vector")
ON_STREAM: dict[str, Callable[..., Any]] = {
    "times": lambda m, h, c: (h * c) @ m.matrix * m.gain,
    "divided": lambda m, h, c: (h / c) @ m.matrix * m.gain,
    "in place": lambda m, h, c: h.clone().mul_(c) @ m.matrix * m.gain,
}
ON_WEIGHT: dict[str, Callable[..., Any]] = {
    "gain": lambda m, h, c: (h * (m.gain * c)) @ m.matrix,
    "matrix": lambda m, h, c: F.linear(h, m.matrix * c) * m.gain,
    "shifted gain": lambda m, h, c: h * ((1 + m.gain) * c) @ m.matrix,
}


@pytest.mark.parametrize(
    ("how", "place"),
    [*((how, "times") for how in HELD), *(("buffer", place) for place in ON_STREAM)],
)
def test_a_factor_of_the_stream_is_said(how: str, place: str) -> None:
    forward = ON_STREAM[place]
    (caution,) = cautions(lambda n: Held(n, n**-0.5, how, forward))
    assert caution.startswith("the output of stem.bias, stem.weight is multiplied by ")
    assert f"at width {BASE} and by" in caution
    assert cautions(lambda n: Held(n, 0.3, how, forward)) == ()


@pytest.mark.parametrize(
    ("how", "place"), [*((how, "gain") for how in HELD), *(("float", place) for place in ON_WEIGHT)]
)
def test_a_factor_of_a_weight_is_said(how: str, place: str) -> None:
    forward = ON_WEIGHT[place]
    (caution,) = cautions(lambda n: Held(n, n**0.5, how, forward))
    assert caution.startswith("the weight ")
    assert caution.endswith("is multiplied by 4 at width 16 and by 5.65685 at width 32")
    assert cautions(lambda n: Held(n, 0.3, how, forward)) == ()


@pytest.mark.parametrize("trains", [True, False])
def test_a_parameter_that_starts_with_another_number_at_each_width_is_said(trains: bool) -> None:
    def build(n: int) -> nn.Module:
        model = Held(n, n**0.5, "frozen", ON_STREAM["times"])
        model.held.requires_grad_(trains)
        return model

    (caution,) = cautions(build)
    assert caution.startswith("held starts at 4 at width 16 and at 5.65685 at width 32")


def test_random_parameters_of_one_entry_are_not() -> None:
    def build(n: int) -> nn.Module:
        return Apply(lambda m, x: m.stem(x) * m.shift, stem=nn.Linear(5, n), shift=(1,))

    assert cautions(build) == ()


def test_a_factor_that_is_a_random_constant_is_unknown() -> None:
    def build(n: int) -> nn.Module:
        return Apply(lambda m, x: m.stem(x) * torch.rand(()) * n**-0.5, stem=nn.Linear(5, n))

    unknown, known = cautions(build)
    assert "is multiplied by an unknown factor" in unknown
    assert "0.25 at width 16" in known


@pytest.mark.parametrize(
    ("forward", "size"),
    [
        (lambda h: F.normalize(h, dim=-1), "0.25 at width 16 and 0.176777 at width 32"),
        (lambda h: h / h.norm(dim=-1, keepdim=True), "0.25 at width 16 and 0.176777 at width 32"),
        (lambda h: h * h.pow(2).sum(-1, keepdim=True).rsqrt(), "0.25 at width 16 and 0.176777"),
        (lambda h: h / h.abs().sum(-1, keepdim=True), "0.0625 at width 16 and 0.03125 at width 32"),
    ],
)
def test_a_stream_normalised_to_length_one_is_said(forward: Any, size: str) -> None:
    (caution,) = cautions(lambda n: Apply(lambda m, x: forward(m.stem(x)), stem=nn.Linear(5, n)))
    assert caution.startswith("the output of stem.bias, stem.weight is divided by its norm")
    assert size in caution


@pytest.mark.parametrize(
    "forward",
    [
        lambda h: F.normalize(h, dim=-1) * h.shape[-1] ** 0.5,
        lambda h: F.normalize(h.unflatten(-1, (-1, 8)), dim=-1),
        lambda h: h / (h.pow(2).sum(-1, keepdim=True) / h.shape[-1] + 1e-6).sqrt(),
        lambda h: F.rms_norm(h, h.shape[-1:]),
    ],
)
def test_a_stream_whose_entries_keep_their_size_is_not(forward: Any) -> None:
    assert cautions(lambda n: Apply(lambda m, x: forward(m.stem(x)), stem=nn.Linear(5, n))) == ()


class Attends(nn.Module):
    """Heads that grow, with a scale held in some way."""

    def __init__(self, n: int, scale: float, how: str) -> None:
        super().__init__()
        self.q, self.k = nn.Linear(5, n, bias=False), nn.Linear(5, n, bias=False)
        self.how, self.value = how, scale
        if how == "buffer":
            self.register_buffer("scale", torch.tensor(scale))
        elif how == "frozen":
            self.scale = nn.Parameter(torch.tensor(scale), requires_grad=False)

    def forward(self, x: torch.Tensor) -> Any:
        scale: Any = torch.full((), self.value) if self.how == "full" else None
        scale = torch.rand(()) if self.how == "random" else scale
        scale = self.scale if scale is None else scale
        return ((self.q(x) @ self.k(x).mT) * scale).softmax(-1)


@pytest.mark.parametrize("how", ["buffer", "full", "frozen"])
def test_the_scale_of_an_attention_is_read_wherever_it_is_held(how: str) -> None:
    def table(power: float) -> Any:
        return make_role_table(
            lambda n: Attends(n, float(n) ** power, how),
            width=64,
            base_width=BASE,
            example=FEATURES,
        )

    ((base, grown),) = table(-1.0).attention
    assert (base.scale, grown.scale) == (1 / 16, 1 / 32)
    with pytest.raises(ParametrizationError, match=r"head width 16 and scale 0\.25 at width 16"):
        table(-0.5)


def test_a_scale_whose_value_is_not_known_is_called_unknown() -> None:
    with pytest.raises(ParametrizationError, match="head width 16 and an unknown scale at width"):
        cautions(lambda n: Attends(n, 1.0, "random"))


@pytest.mark.parametrize(
    ("model", "config"),
    [
        (tf.GemmaForCausalLM, tf.GemmaConfig),
        (tf.Gemma2ForCausalLM, tf.Gemma2Config),
        (tf.Gemma3ForCausalLM, tf.Gemma3TextConfig),
    ],
)
def test_the_factor_of_gemmas_embedding_is_said(model: Any, config: Any) -> None:
    (caution,) = cautions(hub(model, config, lambda n: decoder(2 * n)), IDS)
    assert "embed_tokens.weight is multiplied by 5.65" in caution


def _latent(n: int) -> dict[str, Any]:
    return decoder(
        n,
        head_dim=4,
        num_key_value_heads=n // 8,
        kv_lora_rank=8,
        q_lora_rank=12,
        qk_rope_head_dim=4,
        qk_nope_head_dim=8,
        v_head_dim=8,
        first_k_dense_replace=1,
    )


DEEPSEEK = hub(tf.DeepseekV2ForCausalLM, tf.DeepseekV2Config, _latent)


@pytest.mark.parametrize("family", ["llama", "qwen3", "gpt2", "bloom", "mamba2", "deepseek_v2"])
def test_families_without_such_a_factor_have_no_caution(family: str) -> None:
    build = HUB[family].build if family in HUB else DEEPSEEK
    assert make_role_table(build, width=64, base_width=32, example=IDS).cautions == ()


HIDDEN: dict[str, Callable[[Any, torch.Tensor, int], Any]] = {
    "of a sum": lambda m, h, n: torch.add(h, h @ m.matrix, alpha=1 / math.sqrt(n)),
    "of a product": lambda m, h, n: torch.addmm(m.gain, h, m.matrix, alpha=1 / math.sqrt(n)),
    "of a mean": lambda m, h, n: (h[..., None] * m.matrix).mean(-2) * n**0.5,
}


@pytest.mark.parametrize("forward", HIDDEN.values(), ids=HIDDEN)
def test_a_factor_inside_another_operation_is_said(forward: Callable[..., Any]) -> None:
    def build(n: int) -> nn.Module:
        stem = nn.Linear(5, n)
        return Apply(
            lambda m, x: forward(m, m.stem(x), n) * m.gain, stem=stem, matrix=(n, n), gain=(n,)
        )

    assert any(
        "0.25 at width 16" in line or "0.0625 at width 16" in line for line in cautions(build)
    )


def test_the_mean_in_a_norm_after_a_gain_is_no_factor() -> None:
    def forward(m: Any, x: torch.Tensor) -> Any:
        h = m.stem(x) * m.gain
        return h - h.mean(-1, keepdim=True)

    assert cautions(lambda n: Apply(forward, stem=nn.Linear(5, n), gain=(n,))) == ()
