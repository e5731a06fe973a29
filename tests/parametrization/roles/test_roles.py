"""Roles follow from growth and contracted side, never from names or sizes."""

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lrtransfer.errors import ParametrizationError
from lrtransfer.models.configs import TransformerConfig
from lrtransfer.models.transformer import Transformer
from lrtransfer.parametrization.roles.roles import Layout, assign_roles, role_table
from lrtransfer.parametrization.rules import Fans, Power, Role

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


class _Forward(nn.Module):
    """Parameters of given shapes, and a forward of them."""

    def __init__(self, forward: Callable[..., Any], **shapes: tuple[int, ...]) -> None:
        super().__init__()
        self.function = forward
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.randn(shape)))

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(self, x)


def _both_ways(n: int) -> nn.Module:
    return _Forward(lambda m, x: (x @ m.a).tanh() @ m.a.T, a=(3, n))


def _fourier(n: int) -> nn.Module:
    return _Forward(lambda m, x: x @ torch.linalg.matrix_exp(m.a)[:3], a=(n, n))


def _cut(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> Any:
        grown, fixed = (x @ m.a).split([n, 4], -1)
        return grown.sum(-1) + fixed.sum(-1)

    return _Forward(forward, a=(3, n + 4))


def _latents(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> Any:
        h = x @ m.stem
        return ((m.latents @ m.query) @ h.T).softmax(-1) @ h

    return _Forward(forward, stem=(3, n), latents=(4, n), query=(n, n))


def _joined(n: int) -> nn.Module:
    return _Forward(lambda m, x: torch.cat([x @ m.a, x], -1) @ m.b, a=(3, n), b=(n + 3, n))


def _kernels_from_inputs(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> Any:
        kernels = (x[:1, :2] @ m.basis).view(n, n, 1)
        return F.conv1d((x @ m.stem)[..., None], kernels)

    return _Forward(forward, stem=(3, n), basis=(2, n * n))


def _attend(
    head_width: Callable[[int], int],
    scale: Callable[[int], float],
    dtype: torch.dtype = torch.float32,
) -> Build:
    def build(n: int) -> nn.Module:
        def forward(m: Any, x: torch.Tensor) -> Any:
            q, k = ((x @ w).unflatten(-1, (-1, head_width(n))).transpose(0, 1) for w in (m.q, m.k))
            scores = (q @ k.mT * scale(head_width(n))).to(dtype)
            return scores.softmax(-1).to(k.dtype) @ k

        return _Forward(forward, q=(3, n), k=(3, n))

    return build


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (_both_ways, "'a' used in ways that contract different sides.*the model contracts.*Untie"),
        (_fourier, r"'a' of _Forward, which goes into \w+ in module ''.*layouts=\{'a': Layout"),
        (_cut, r"fused tensor 'a' with parts of size \[4\] that do not grow.*roles=\{'a': 'input'"),
        (_latents, "'latents' of _Forward, which is multiplied with another weight.*layouts="),
        (_joined, r"'b' that contracts a concatenation of sizes \(16, 3\).*\(32, 3\).*roles="),
        (lambda n: _Forward(lambda m, x: x, a=(3, n)), "'a' .*does not reach.*roles=.*'vector'"),
        (
            _attend(lambda n: n // 2, lambda d: d**-0.5),
            r"attention \(q\) with head width 8 and scale 0.35\d+ at width 16, 16 and 0.25",
        ),
        (
            _attend(lambda n: n // 2, lambda d: d**-0.5, torch.float64),
            r"attention \(q\) with head width 8 and scale 0.35\d+ at width 16, 16 and 0.25",
        ),
        (_kernels_from_inputs, r"'basis' of _Forward, which makes the kernels of a convolution"),
        (
            lambda n: _Forward(lambda m, x: x @ m.b, b=(4, n)),
            r"RuntimeError from the forward of build\(16\) on the example",
        ),
    ],
)
def test_what_a_forward_leaves_open_is_refused(build: Build, message: str) -> None:
    with pytest.raises(ParametrizationError, match=message):
        assign_roles(build, width=64, base_width=16, example=FEATURES)


@pytest.mark.parametrize(
    "build", [_attend(lambda n: n // 2, lambda d: 1 / d), _attend(lambda n: 8, lambda d: d**-0.5)]
)
def test_queries_are_told_and_heads_may_grow_with_a_scale_of_one_over_their_width(
    build: Build,
) -> None:
    roles = assign_roles(build, width=64, base_width=16, example=FEATURES)
    assert [role.is_query for role in roles] == [True, False]


def test_heads_may_grow_on_the_users_responsibility() -> None:
    build = _attend(lambda n: n // 2, lambda d: d**-0.5)
    table = role_table(build, width=64, base_width=16, example=FEATURES, attention="accept")
    ((base, grown),) = table.attention
    assert (base.head_width, grown.head_width) == (8, 16)
    assert (base.scale, grown.scale) == (8**-0.5, 0.25)


def test_numbers_that_change_with_width_are_cautioned_about() -> None:
    def build(n: int) -> nn.Module:
        return _Forward(lambda m, x: (x @ m.a) * n**-0.5 * 3, a=(3, n))

    (caution,) = role_table(build, width=64, base_width=16, example=FEATURES).cautions
    assert (
        caution == "the output of a is multiplied by 0.25 at width 16 and by 0.176777 at width 32"
    )


def test_the_last_matrix_of_a_residual_branch_is_told() -> None:
    def forward(m: Any, x: torch.Tensor) -> Any:
        h = x @ m.stem
        up = h @ m.up
        return h + ((up + up**3).tanh() @ m.down + m.shift)

    def build(n: int) -> nn.Module:
        return _Forward(forward, stem=(3, n), up=(n, n), down=(n, n), shift=(n,))

    roles = assign_roles(build, width=64, base_width=16, example=FEATURES)
    assert [role.is_residual_output for role in roles] == [False, False, True, True]


def test_a_gain_on_the_contracted_side_of_a_weight_is_a_vector() -> None:
    def build(n: int) -> nn.Module:
        return _Forward(
            lambda m, x: (x @ m.a) @ (m.gain[:, None] * m.b), a=(3, n), b=(n, n), gain=(n,)
        )

    roles = assign_roles(build, width=64, base_width=16, example=FEATURES)
    assert [role.role for role in roles] == [Role.INPUT, Role.HIDDEN, Role.VECTOR]


def test_a_sink_beside_the_logits_does_not_hide_an_attention() -> None:
    def build(n: int) -> nn.Module:
        def forward(m: Any, x: torch.Tensor) -> Any:
            scores = (x @ m.q)[None] @ (x @ m.k)[None].mT
            return torch.cat([scores, m.sink.expand(1, 2, 1)], -1).softmax(-1)

        return _Forward(forward, q=(3, n), k=(3, n), sink=(1, 1, 1))

    with pytest.raises(ParametrizationError, match=r"attention \(q\) with head width 16"):
        assign_roles(build, width=64, base_width=16, example=FEATURES)


def test_a_fused_tensor_of_hidden_and_output_parts_names_them() -> None:
    def build(n: int) -> nn.Module:
        def forward(m: Any, x: torch.Tensor) -> Any:
            q, k = ((x @ m.stem) @ m.fused).split([n, 4], -1)
            return q.relu().sum(-1) + k.relu().sum(-1)

        return _Forward(forward, stem=(3, n), fused=(n, n + 4))

    _, fused = assign_roles(build, width=64, base_width=16, example=FEATURES)
    assert fused.role is Role.HIDDEN
    assert fused.parts == ((0, 64, Role.HIDDEN), (64, 68, Role.OUTPUT))


def test_declarations_take_patterns_and_beat_the_forward() -> None:
    options: dict[str, Any] = {"width": 64, "base_width": 16, "example": FEATURES}
    (role,) = assign_roles(_cut, **options, roles={"?": "input"})
    assert (role.role, role.parts) == (Role.INPUT, ())
    (role,) = assign_roles(_both_ways, **options, layouts={"*": Layout((1,), (0,))})
    assert role.role is Role.OUTPUT


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ({"b*": "hidden"}, r"roles: got \['b\*'\].*such as 'a'"),
        ({"a": "matrix"}, "roles: got 'matrix' for 'a', wanted one of input, hidden"),
    ],
)
def test_wrong_declarations_are_refused(roles: dict[str, str], message: str) -> None:
    with pytest.raises(ParametrizationError, match=message):
        assign_roles(_cut, width=64, base_width=16, example=FEATURES, roles=roles)


def test_repetitions_whose_number_grows_count_as_outputs() -> None:
    def build(n: int) -> nn.Module:
        def forward(m: Any, x: torch.Tensor) -> Any:
            heads = (x @ m.stem).unflatten(-1, (-1, 8))
            return torch.einsum("bhd,hde->bhe", heads, m.blocks).flatten(1)

        return _Forward(forward, stem=(3, n), blocks=(n // 8, 8, 8))

    _, blocks = assign_roles(build, width=64, base_width=16, example=FEATURES)
    # 8 blocks of 8 outputs, each a sum over 8 entries at every width.
    assert (blocks.role, blocks.fans) == (Role.INPUT, Fans(8, 64))


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
