"""Roles follow from growth and contracted side, never from names or sizes."""

import random
from collections.abc import Callable

import pytest
import torch
from torch import nn

from lrtransfer.errors import ParametrizationError
from lrtransfer.models.configs import TransformerConfig
from lrtransfer.models.transformer import Transformer
from lrtransfer.parametrization.powers import Fans, Power
from lrtransfer.parametrization.roles.roles import Layout, assign_roles
from lrtransfer.parametrization.rules import Role

Build = Callable[[int], nn.Module]


class _Zoo(nn.Module):
    """One of each of torch's standard layers."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(16, n)
        self.bag = nn.EmbeddingBag(16, n)
        self.stem = nn.Conv2d(3, n, 3)
        self.conv = nn.Conv2d(n, 2 * n, 3, bias=False)
        self.depthwise = nn.Conv1d(n, n, 3, groups=n, bias=False)
        self.up = nn.ConvTranspose2d(n, 3, 2, bias=False)
        self.norm = nn.LayerNorm(n)
        self.rms = nn.RMSNorm(n)
        self.batch_norm = nn.BatchNorm1d(n)
        self.slope = nn.PReLU(n)
        self.shared_slope = nn.PReLU()
        self.attention = nn.MultiheadAttention(n, n // 8)
        self.lstm = nn.LSTM(5, n)
        self.head = nn.Linear(n, 16)
        self.fixed = nn.Linear(16, 16, bias=False)


WANTED = {
    "embedding.weight": Role.INPUT,
    "bag.weight": Role.INPUT,
    "stem.weight": Role.INPUT,
    "stem.bias": Role.VECTOR,
    "conv.weight": Role.HIDDEN,
    "depthwise.weight": Role.VECTOR,
    "up.weight": Role.OUTPUT,
    "norm.weight": Role.VECTOR,
    "norm.bias": Role.VECTOR,
    "rms.weight": Role.VECTOR,
    "batch_norm.weight": Role.VECTOR,
    "batch_norm.bias": Role.VECTOR,
    "slope.weight": Role.VECTOR,
    "shared_slope.weight": Role.SCALAR,
    "attention.in_proj_weight": Role.HIDDEN,
    "attention.in_proj_bias": Role.VECTOR,
    "attention.out_proj.weight": Role.HIDDEN,
    "attention.out_proj.bias": Role.VECTOR,
    "lstm.weight_ih_l0": Role.INPUT,
    "lstm.weight_hh_l0": Role.HIDDEN,
    "lstm.bias_ih_l0": Role.VECTOR,
    "lstm.bias_hh_l0": Role.VECTOR,
    "head.weight": Role.OUTPUT,
    "head.bias": Role.SCALAR,
    "fixed.weight": Role.SCALAR,
}


def test_every_standard_layer_has_its_role() -> None:
    roles = {role.name: role.role for role in assign_roles(_Zoo, width=64, base_width=16)}
    assert roles == WANTED


def test_sizes_that_are_equal_by_accident_decide_nothing() -> None:
    # At width 16 the readout (16, 16) and the embedding (16, 16) look like hidden matrices.
    roles = {role.name: role.role for role in assign_roles(_Zoo, width=16, base_width=16)}
    assert roles == WANTED


def test_names_decide_nothing() -> None:
    generator = random.Random(0)

    def renamed(n: int) -> nn.Module:
        generator.seed(1)
        letters = "abcdefghijklmnop"
        zoo = dict(_Zoo(n).named_children())
        keys = ["".join(generator.choices(letters, k=8)) for _ in zoo]
        return nn.ModuleDict(dict(zip(keys, zoo.values(), strict=True)))

    roles = [role.role for role in assign_roles(renamed, width=64, base_width=16)]
    assert roles == list(WANTED.values())


def test_ratios_are_real_and_each_tensors_own() -> None:
    def build(n: int) -> nn.Module:
        return nn.Sequential(nn.Linear(n, 3 * n + 8, bias=False), nn.Linear(3 * n + 8, 4))

    hidden, readout, _ = assign_roles(build, width=24, base_width=16)
    # 3 * 24 + 8 = 80 and 3 * 16 + 8 = 56.
    assert (hidden.fans, hidden.base_fans) == (Fans(24, 80), Fans(16, 56))
    assert (readout.fans, readout.base_fans) == (Fans(80, 4), Fans(56, 4))
    assert Power(fan_in=1).relative(hidden.fans, base=hidden.base_fans) == 1.5


def test_large_models_cost_nothing() -> None:
    config = TransformerConfig(vocabulary=50_000, depth=8, head_width=128)
    roles = assign_roles(lambda n: Transformer(n, config), width=8192, base_width=256)
    assert sum(torch.Size(role.shape).numel() for role in roles) > 6e9


def _tied(n: int) -> nn.Module:
    embedding, readout = nn.Embedding(7, n), nn.Linear(n, 7, bias=False)
    readout.weight = embedding.weight
    return nn.Sequential(embedding, readout)


class _Lora(nn.Linear):
    def __init__(self, n: int) -> None:
        super().__init__(n, n)
        self.lora_a = nn.Parameter(torch.randn(4, n))


class _Recurrent(nn.LSTM):
    def __init__(self, n: int) -> None:
        super().__init__(5, n)
        self.weight_scale = nn.Parameter(torch.ones(n))


class _Gain(nn.LayerNorm):
    def __init__(self, n: int) -> None:
        super().__init__(n)
        self.mixing = nn.Parameter(torch.randn(n, n))


def _old_weight_norm(n: int) -> nn.Module:
    layer = nn.Linear(3, n)
    del layer.weight
    layer.weight_g, layer.weight_v = (nn.Parameter(torch.ones(n, k)) for k in (1, 3))
    return layer


def _two_heads(n: int) -> nn.Module:
    return nn.TransformerEncoderLayer(n, 2, 4 * n)


class _Raw(nn.Module):
    def __init__(self, n: int) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.randn(n, 3))


def _growing_depth(n: int) -> nn.Module:
    return nn.Sequential(*(nn.Linear(n, n) for _ in range(n // 8)))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda n: nn.Linear(3, 3), r"equal shapes for all 2 parameters.*`width` argument"),
        (_Lora, r"'lora_a' of _Lora.*layouts=\{'lora_a': Layout"),
        (_Recurrent, r"'weight_scale' of _Recurrent.*layouts="),
        (_Gain, r"'mixing' of _Gain.*layouts="),
        (_old_weight_norm, r"'weight_[gv]' of Linear.*layouts="),
        (_two_heads, "'self_attn' with head_dim 8 at width 16 and 16 at width 32.*num_heads"),
        (_Raw, r"'matrix' of _Raw.*layouts=\{'matrix': Layout"),
        (_growing_depth, "parameters .* in only one of"),
        (nn.LazyLinear, r"without a shape \(weight, bias\).*sizes of lazy layers"),
    ],
)
def test_what_cannot_be_told_is_refused(build: Build, message: str) -> None:
    with pytest.raises(ParametrizationError, match=message):
        assign_roles(build, width=64, base_width=16)


TOKENS, FEATURES = torch.arange(6).reshape(2, 3), torch.ones(2, 3)


@pytest.mark.parametrize("example", [None, TOKENS])
@pytest.mark.parametrize("layouts", [{}, {"0.*": Layout((0,), (1,))}])
def test_a_tied_embedding_is_a_table_and_names_its_readout(
    example: torch.Tensor | None, layouts: dict[str, Layout]
) -> None:
    (role,) = assign_roles(_tied, width=64, base_width=16, example=example, layouts=layouts)
    assert (role.role, role.tied_readouts) == (Role.INPUT, ("1",))
    assert role.layout == Layout((0,), (1,))


def test_layers_that_contract_the_same_side_may_share_a_tensor() -> None:
    def build(n: int) -> nn.Module:
        first, second = nn.Linear(n, n, bias=False), nn.Linear(n, n, bias=False)
        second.weight = first.weight
        return nn.Sequential(first, second)

    (role,) = assign_roles(build, width=64, base_width=16)
    assert role.role is Role.HIDDEN


def test_attention_whose_heads_keep_their_width_is_accepted() -> None:
    def build(n: int) -> nn.Module:
        return nn.TransformerEncoderLayer(n, n // 8, 4 * n)

    roles = {role.name: role.role for role in assign_roles(build, width=64, base_width=16)}
    assert roles["self_attn.in_proj_weight"] is Role.HIDDEN


def test_every_parameter_of_attention_is_known() -> None:
    def build(n: int) -> nn.Module:
        return nn.MultiheadAttention(n, n // 8, kdim=3, vdim=3, add_bias_kv=True)

    roles = {role.name: role.role for role in assign_roles(build, width=64, base_width=16)}
    assert roles["q_proj_weight"] is Role.HIDDEN
    assert roles["k_proj_weight"] is roles["v_proj_weight"] is Role.INPUT
    assert roles["bias_k"] is roles["bias_v"] is Role.VECTOR


def test_a_declared_layout_settles_it() -> None:
    layouts = {"matrix": Layout(contracted=(0,), produced=(1,))}
    (role,) = assign_roles(_Raw, width=64, base_width=16, layouts=layouts)
    assert role.role is Role.OUTPUT


def test_a_declared_layout_must_name_a_parameter() -> None:
    with pytest.raises(ParametrizationError, match=r"layouts: got \['matrx'\].*such as 'matrix'"):
        assign_roles(_Raw, width=64, base_width=16, layouts={"matrx": Layout((0,), (1,))})


def _not_on_meta(hidden: Callable[[int], int]) -> Build:
    def build(n: int) -> nn.Module:
        torch.linspace(0, 1, 3).tolist()
        return nn.Sequential(nn.Linear(3, hidden(n)), nn.Linear(hidden(n), 1))

    return build


def test_shapes_of_what_cannot_be_built_on_meta_are_extrapolated() -> None:
    before = torch.random.get_rng_state()
    first, *_ = assign_roles(_not_on_meta(lambda n: 3 * n + 2), width=10**9, base_width=16)
    assert first.shape == (3 * 10**9 + 2, 3)
    assert torch.equal(before, torch.random.get_rng_state())
    with pytest.raises(ParametrizationError, match=r"'0\.weight' with a size of 256, 1024, 2304"):
        assign_roles(_not_on_meta(lambda n: n * n), width=10**9, base_width=16)


def test_an_error_of_build_names_the_width() -> None:
    def build(n: int) -> nn.Module:
        if n > 16:
            raise ValueError("too wide")
        return nn.Linear(3, n)

    with pytest.raises(ParametrizationError, match=r"ValueError from build\(32\): too wide"):
        assign_roles(build, width=64, base_width=16)
