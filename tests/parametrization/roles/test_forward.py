"""Roles read from a traced forward: what it leaves open is refused, what it shows is used."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lrtransfer.errors import ParametrizationError
from lrtransfer.parametrization.powers import Fans
from lrtransfer.parametrization.roles.roles import Layout, assign_roles, make_role_table
from lrtransfer.parametrization.rules import Role

Build = Callable[[int], nn.Module]
TOKENS, FEATURES = torch.arange(6).reshape(2, 3), torch.ones(2, 3)


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
    table = make_role_table(build, width=64, base_width=16, example=FEATURES, attention="accept")
    ((base, grown),) = table.attention
    assert (base.head_width, grown.head_width) == (8, 16)
    assert (base.scale, grown.scale) == (8**-0.5, 0.25)


def test_numbers_that_change_with_width_are_cautioned_about() -> None:
    def build(n: int) -> nn.Module:
        return _Forward(lambda m, x: (x @ m.a) * n**-0.5 * 3, a=(3, n))

    (caution,) = make_role_table(build, width=64, base_width=16, example=FEATURES).cautions
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
