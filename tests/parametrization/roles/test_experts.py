"""Experts of mixtures: what is summed over them, and routers that give more than logits."""

from typing import Any

import pytest
import torch
import transformers as tf
from torch import nn

from lrtransfer.errors import ParametrizationError
from lrtransfer.parametrization.choices import Choices
from lrtransfer.parametrization.parametrize import parametrize
from lrtransfer.parametrization.powers import Fans
from lrtransfer.parametrization.roles.roles import TensorRole, assign_roles

from .hub import IDS, decoder, hub
from .specimens import FEATURES, Apply

E = 4
ROUTED = {
    "mixtral": hub(
        tf.MixtralForCausalLM, tf.MixtralConfig, lambda n: decoder(n, num_local_experts=E)
    ),
    "gpt_oss": hub(
        tf.GptOssForCausalLM,
        tf.GptOssConfig,
        lambda n: decoder(n, num_local_experts=E, num_experts_per_tok=2),
    ),
    "granite": hub(
        tf.GraniteMoeForCausalLM, tf.GraniteMoeConfig, lambda n: decoder(n, num_local_experts=E)
    ),
    "llama4": hub(
        tf.Llama4ForCausalLM, tf.Llama4TextConfig, lambda n: decoder(n, num_local_experts=E)
    ),
}
OTHERS: list[dict[str, Any]] = [
    {"scheme": "u_mup"},
    {"scheme": "ntp"},
    {"scheme": "mean_field"},
    {"choices": Choices(gauge="table8")},
    {"choices": Choices(gauge="table9")},
]


@pytest.mark.parametrize(
    ("family", "options"),
    [
        ("mixtral", OTHERS[0]),
        ("mixtral", OTHERS[-1]),
        *(pytest.param("mixtral", o, marks=pytest.mark.slow) for o in OTHERS[1:-1]),
        *(pytest.param(f, OTHERS[0], marks=pytest.mark.slow) for f in ROUTED if f != "mixtral"),
    ],
)
def test_a_router_without_a_place_for_a_multiplier_is_refused(
    family: str, options: dict[str, Any]
) -> None:
    with pytest.raises(ParametrizationError, match="which needs a forward multiplier"):
        parametrize(ROUTED[family], width=64, base_width=32, example=IDS, **options)


def roles_of(forward: Any, **shapes: Any) -> dict[str, TensorRole]:
    def build(n: int) -> nn.Module:
        members = {name: shape(n) for name, shape in shapes.items()}
        stem, head = nn.Linear(5, n), nn.Linear(n, 3)
        return Apply(lambda m, x: m.head(forward(m, m.stem(x))), stem=stem, head=head, **members)

    roles = assign_roles(build, width=128, base_width=32, example=FEATURES)
    return {role.name: role for role in roles}


def gate_before(m: Any, x: torch.Tensor) -> Any:
    scores = (x @ m.router).sigmoid()
    rows = x.repeat(E, 1) * scores.T.reshape(-1, 1)
    rows = torch.bmm(torch.bmm(rows.view(E, -1, x.shape[-1]), m.up).relu(), m.down)
    return rows.view(E, -1, x.shape[-1]).sum(0)


def gate_after(m: Any, x: torch.Tensor) -> Any:
    scores = (x @ m.router).softmax(-1)
    rows = torch.bmm(torch.bmm(x.expand(E, -1, -1), m.up).relu(), m.down)
    return (rows * scores.T[..., None]).sum(0)


def no_gate(m: Any, x: torch.Tensor) -> Any:
    scores = (x @ m.router).softmax(-1)
    rows = torch.bmm(torch.bmm(x.expand(E, -1, -1), m.up).relu(), m.down)
    return rows.sum(0) * scores.sum(-1, keepdim=True)


@pytest.mark.parametrize(("forward", "counts"), [(gate_before, 1), (gate_after, 1), (no_gate, E)])
def test_a_sum_over_experts_is_no_contracted_side(forward: Any, counts: int) -> None:
    roles = roles_of(
        forward,
        router=lambda n: (n, E),
        up=lambda n: (E, n, 2 * n),
        down=lambda n: (E, 2 * n, n),
    )
    # Heads that are added up are one matrix of counts * 2n inputs; of experts, each is one.
    assert roles["down"].fans == Fans(counts * 256, 128)
    assert roles["up"].fans == Fans(128, 256)


def test_experts_of_llama4_start_and_train_as_each_by_itself() -> None:
    build = ROUTED["llama4"]
    recipe = parametrize(
        build, width=64, base_width=32, example=IDS, choices=Choices(form="absolute")
    )
    (down,) = (t for t in recipe.tensors if t.name.endswith("experts.down_proj"))
    assert down.shape == (E, 256, 64)
    assert (down.initial.std, down.lr) == (256**-0.5, 1 / 256)


def test_all_tensors_that_the_forward_does_not_reach_are_named() -> None:
    def sizes(n: int) -> dict[str, Any]:
        return {"vocab_size": 96, "d_model": n, "n_layer": 1, "n_head": n // 8, "d_inner": 4 * n}

    build = hub(tf.XLNetLMHeadModel, tf.XLNetConfig, sizes)
    with pytest.raises(ParametrizationError, match="does not reach") as caught:
        assign_roles(build, width=64, base_width=32, example=IDS)
    for name in ("mask_emb", "r_s_bias", "seg_embed"):
        assert f"{name}' of XLNet" in str(caught.value)


def test_tensors_that_are_missing_for_several_reasons_are_all_named() -> None:
    def forward(m: Any, x: torch.Tensor) -> Any:
        return x @ torch.linalg.matrix_exp(m.odd)

    shapes = {name: (lambda n: (n, n)) for name in ("odd", "idle", "other")}
    with pytest.raises(ParametrizationError) as caught:
        roles_of(forward, **shapes)
    message = str(caught.value)
    assert "'odd' of Apply, which goes into" in message
    assert "'idle' of Apply, which the forward of the example does not reach" in message
    assert "'other' of Apply" in message
