"""The transformer against slow, plain definitions."""

import pytest
import torch
import torch.nn.functional as F

from lrtransfer.errors import UserError
from lrtransfer.models.configs import Activation, MLPConfig, TransformerConfig
from lrtransfer.models.mlp import MLP
from lrtransfer.models.transformer import Transformer

WIDTH = 32


def tokens(batch: int = 2, length: int = 12) -> torch.Tensor:
    return torch.randint(0, 256, (batch, length), generator=torch.Generator().manual_seed(0))


def transformer(**options: object) -> Transformer:
    torch.manual_seed(0)
    return Transformer(WIDTH, TransformerConfig.model_validate(options)).double()


def rotate(x: torch.Tensor) -> torch.Tensor:
    """Rotate one head (T, D), pair by pair, angle by angle."""
    length, width = x.shape
    out = torch.empty_like(x)
    half = width // 2
    for position in range(length):
        for i in range(half):
            angle = torch.tensor(position * 10_000.0 ** (-i / half), dtype=torch.float32)
            cosine, sine = angle.cos().double(), angle.sin().double()
            a, b = x[position, i], x[position, i + half]
            out[position, i] = a * cosine - b * sine
            out[position, i + half] = a * sine + b * cosine
    return out


def norm(x: torch.Tensor) -> torch.Tensor:
    return x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt()


def plain(model: Transformer, sequence: torch.Tensor) -> torch.Tensor:
    """Compute the logits of one sequence head by head."""
    x = model.embed.weight[sequence]
    for block in model.blocks:
        weights = {name: p for name, p in block.named_parameters()}
        h, heads = norm(x), []
        for head in range(WIDTH // 16):
            rows = slice(16 * head, 16 * (head + 1))
            q, k, v = (h @ weights[f"{n}.weight"][rows].T for n in ("query", "key", "value"))
            scores = rotate(q) @ rotate(k).T / 16  # 1/D, not 1/sqrt(D)
            past = torch.ones_like(scores).tril().bool()
            heads.append(torch.softmax(scores.masked_fill(~past, -torch.inf), dim=-1) @ v)
        x = x + torch.cat(heads, dim=-1) @ weights["project.weight"].T
        expanded = (norm(x) @ weights["expand.weight"].T).clamp(min=0)
        x = x + expanded @ weights["contract.weight"].T
    return norm(x) @ model.readout.weight.T


def test_forward_equals_the_plain_definition() -> None:
    model, sequence = transformer(), tokens(batch=1)[0]
    torch.testing.assert_close(
        model(sequence[None])[0], plain(model, sequence), rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("positions", ["rotary", "learned"])
def test_the_future_is_not_seen_and_order_is(positions: str) -> None:
    model, x = transformer(positions=positions), tokens()
    changed = x.clone()
    changed[:, 6:] = 0
    torch.testing.assert_close(model(x)[:, :6], model(changed)[:, :6])
    swapped = x.clone()
    swapped[:, [0, 1]] = x[:, [1, 0]]
    assert not torch.allclose(model(x)[:, -1], model(swapped)[:, -1])


@pytest.mark.parametrize("activation", ["relu", "gelu", "squared_relu"])
@pytest.mark.parametrize("positions", ["rotary", "learned"])
def test_every_parameter_gets_a_gradient(activation: Activation, positions: str) -> None:
    model = transformer(activation=activation, positions=positions)
    loss = F.cross_entropy(model(tokens()).flatten(0, 1), tokens().flatten())
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    assert all(gradient.any() for gradient in gradients)


def test_tensors_are_those_of_the_study() -> None:
    shapes = {n: tuple(p.shape) for n, p in transformer(depth=1).named_parameters()}
    # 12 n^2 per block, no biases, no gains, untied readout.
    assert sum(a * b for a, b in shapes.values()) == 12 * WIDTH**2 + 2 * 256 * WIDTH
    assert not any("bias" in name or "norm" in name for name in shapes)


def test_initial_scales() -> None:
    torch.manual_seed(0)
    model = Transformer(256, TransformerConfig())
    stds = {n: float(p.detach().std()) for n, p in model.named_parameters()}
    assert stds["embed.weight"] == pytest.approx(1, rel=0.02)
    assert stds["blocks.0.query.weight"] == pytest.approx(1 / 16, rel=0.02)
    assert stds["blocks.0.contract.weight"] == pytest.approx(1 / 32, rel=0.02)
    assert stds["readout.weight"] == pytest.approx(1 / 16, rel=0.02)


def test_the_head_width_must_divide_the_width() -> None:
    with pytest.raises(UserError, match=r"got width 40 with head_width 16"):
        Transformer(40, TransformerConfig())


def test_a_linear_mlp_is_the_product_of_its_matrices() -> None:
    model = MLP(8, MLPConfig(inputs=3, outputs=2, depth=2, linear=True)).double()
    x = torch.randn(5, 3, dtype=torch.float64)
    w0, w1, w2, v = (p.detach() for p in model.parameters())
    torch.testing.assert_close(model(x), x @ w0.T @ w1.T @ w2.T @ v.T)


def test_an_mlp_of_relus() -> None:
    model = MLP(8, MLPConfig(inputs=3, outputs=2, depth=1))
    x = torch.randn(5, 3)
    w0, w1, v = (p.detach() for p in model.parameters())
    torch.testing.assert_close(model(x), torch.relu(torch.relu(x @ w0.T) @ w1.T) @ v.T)
