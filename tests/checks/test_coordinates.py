"""The coordinate check passes what is right, fails what is wrong, and says so reproducibly."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import transformers
from torch import nn

from lrtransfer.checks.coordinates import check_coordinates, recipe_maker, recipe_roles
from lrtransfer.errors import CheckError
from lrtransfer.scaling import fit_power_law

from .models import BASE, WIDTHS, check, correct, mlp, pair, texts, transformer, vectors


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_mup_passes_and_its_control_fails(optimizer: str) -> None:
    control = correct(scheme="sp", optimizer=optimizer)
    result = check(correct(optimizer=optimizer), vectors(), control=control)
    assert (result.verdict, result.suspects) == ("pass", ())
    assert result.control is not None
    assert result.control.verdict == "fail"
    assert {f.quantity for f in result.findings} == {"initial", "update", "effect", "output"}


def test_a_transformer_passes() -> None:
    result = check(correct(transformer), texts())
    assert result.verdict == "pass"
    assert {f.step for f in result.findings if f.quantity == "scores"} == {0, 1}


def test_a_control_that_does_not_fail_takes_the_pass_away() -> None:
    result = check(correct(), vectors(), control=correct())
    assert result.verdict == "inconclusive"
    assert "the control in the standard parametrization did not fail" in result.reason


def test_the_same_call_gives_the_same_answer_in_any_order_of_widths() -> None:
    torch.manual_seed(3)
    first = check(correct(), vectors())
    torch.manual_seed(4)
    assert check(correct(), vectors(), widths=WIDTHS[::-1]) == first


def test_makers_that_draw_from_the_global_generator_are_reproducible_and_leave_it_alone() -> None:
    def make(width: int, seed: int) -> tuple[nn.Module, torch.optim.Optimizer]:
        model = mlp(width)
        return model, torch.optim.SGD(model.parameters(), lr=0.01)

    torch.manual_seed(5)
    first = check(make, vectors())
    after = torch.rand(2)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(2))
    assert check(make, vectors()) == first


def test_a_zero_readout_is_judged_from_the_second_step_on() -> None:
    def build(width: int) -> nn.Module:
        model = mlp(width)
        nn.init.zeros_(model.get_parameter("6.weight"))
        return model

    result = check(correct(build), vectors())
    assert result.verdict == "pass"
    steps = {f.name: f.step for f in result.findings if f.quantity == "effect"}
    assert steps.pop("6.weight") == 1
    assert set(steps.values()) == {2}
    wrong = check(recipe_maker(build, scheme="sp", base_width=BASE), vectors())
    assert wrong.verdict == "fail"
    assert "share one learning rate" in wrong.suspects[0].cause
    # What lies below has too large an effect because of the readout, not by its own rates.
    assert {s.name for s in wrong.suspects[1:]} == {"all hidden tensors", "6.weight"}


def test_the_bias_of_a_readout_that_starts_from_zero_is_not_its_initial_output() -> None:
    def build(width: int) -> nn.Module:
        hidden = nn.Linear(width, width)
        model = nn.Sequential(nn.Linear(8, width), nn.ReLU(), hidden, nn.Linear(width, 6))
        nn.init.zeros_(model.get_parameter("3.weight"))
        nn.init.ones_(model.get_parameter("3.bias"))
        return model

    assert check(correct(build), vectors()).verdict == "pass"


class _Shared(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.twice = nn.Linear(8, width), nn.Linear(width, width)
        self.readout = nn.Linear(width, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.relu(self.first(x))
        out: torch.Tensor = self.readout(torch.relu(self.twice(torch.relu(self.twice(h)))))
        return out


def test_every_call_of_a_layer_is_judged() -> None:
    result = check(correct(_Shared), vectors())
    assert result.verdict == "pass"
    updates = {f.name for f in result.findings if f.quantity == "update"}
    assert {"twice.weight", "twice (call 2).weight", "twice (call 2).bias"} <= updates


def test_a_mapping_is_given_to_the_model_whose_own_loss_counts() -> None:
    class Returning(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.body = mlp(width)

        def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
            logits = self.body(x)
            return _Output(loss=F.cross_entropy(logits, labels), logits=logits)

    x, labels = pair()
    assert check(correct(Returning), {"x": x, "labels": labels}).verdict == "pass"


class _Output(dict[str, torch.Tensor]):
    def __getattr__(self, name: str) -> torch.Tensor:
        return self[name]


def test_a_loss_can_be_given_and_the_batch_may_depend_on_the_width() -> None:
    def batch(width: int) -> tuple[torch.Tensor, torch.Tensor]:
        return pair()[0], torch.full((16, 6), float(width > 0))

    def loss(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return (output - targets).square().mean()

    assert check(correct(), batch, loss=loss).verdict == "pass"


def test_divergence_is_a_failure_with_its_place() -> None:
    result = check(correct(optimizer="sgd", lr=1e30), vectors())
    assert result.verdict == "fail"
    assert "the loss is not finite after" in result.reason
    assert "at width 32, seed 0" in result.reason


def test_rounding_errors_are_not_judged() -> None:
    def build(width: int) -> nn.Module:  # a bias before a batch norm has no gradient
        return nn.Sequential(
            nn.Linear(8, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 6)
        )

    result = check(correct(build), vectors())
    assert result.untrained == ("0.bias",)
    assert result.verdict == "pass"


def test_weights_scaled_by_hooks_are_run_again_with_them() -> None:
    # The readout in the gauge with a multiplier: std and rate constant, output times 1 / n.
    def make(width: int, seed: int) -> tuple[nn.Module, torch.optim.Optimizer]:
        model = mlp(width)
        readout = model.get_submodule("6")
        nn.init.normal_(model.get_parameter("6.weight"))
        readout.register_forward_pre_hook(lambda module, args: (args[0] / width,))
        groups = [
            {"params": [p], "lr": 0.004 if i in {0, 1, 3, 5, 6} else 0.25 / width}
            for i, p in enumerate(model.parameters())
        ]
        return model, torch.optim.AdamW(groups, weight_decay=0.0)

    result = check(make, vectors(), widths=(64, 128, 256))
    assert result.verdict == "pass", result.reason


BAD: list[tuple[dict[str, Any], str]] = [
    ({"widths": (32, 64)}, r"widths: got \[32, 64\], wanted at least 3"),
    ({"widths": (32, 64, 64)}, "wanted at least 3 different"),
    ({"seeds": 0}, "seeds: got 0, wanted at least 1"),
    ({"steps": 0}, "steps: got 0, wanted at least 1"),
    ({"batch": torch.ones(3)}, "batch: got Tensor, wanted a pair"),
    ({"batch": (torch.ones(4, 8), torch.ones(4, 6))}, "targets of torch.float32 and shape"),
    ({"batch": {"input": torch.ones(4, 8)}}, "returns no loss, wanted one"),
]


@pytest.mark.parametrize(("options", "message"), BAD)
def test_bad_input_is_told(options: dict[str, Any], message: str) -> None:
    batch = options.pop("batch", vectors())
    with pytest.raises(CheckError, match=message):
        check(correct(), batch, **options)


def test_models_must_have_the_same_tensors_at_every_width() -> None:
    def make(width: int, seed: int) -> tuple[nn.Module, torch.optim.Optimizer]:
        hidden = [nn.Linear(width, width) for _ in range(width // 32)]
        model = nn.Sequential(nn.Linear(8, width), *hidden, nn.Linear(width, 6))
        return model, torch.optim.SGD(model.parameters(), lr=0.01)

    with pytest.raises(CheckError, match="in only one of the models of width 32 and 64"):
        check(make, vectors())


def test_an_optimizer_without_a_tensor_is_refused() -> None:
    def make(width: int, seed: int) -> tuple[nn.Module, torch.optim.Optimizer]:
        model = mlp(width)
        return model, torch.optim.SGD(list(model.parameters())[1:], lr=0.01)

    with pytest.raises(CheckError, match=r"without '0.weight' \(1 of 7 tensors missing\)"):
        check(make, vectors())


def test_unknown_optimizers_are_refused() -> None:
    with pytest.raises(CheckError, match="optimizer: got 'sophia', wanted one of adam"):
        recipe_maker(mlp, base_width=32, optimizer="sophia")


def test_no_control_is_possible_but_said() -> None:
    result = check_coordinates(correct(), vectors(), control=None, widths=WIDTHS, steps=1)
    assert result.control is None


def test_the_own_logits_of_tied_embeddings_are_not_random() -> None:
    class Tied(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.table, self.readout = nn.Embedding(16, width), nn.Linear(width, 16, bias=False)
            self.readout.weight = self.table.weight

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.readout(self.table(x))
            return out

    tokens = torch.arange(16)
    result = check(correct(Tied), (tokens, tokens.roll(1)))
    assert result.verdict == "pass", result.reason


def qwen3(width: int) -> nn.Module:
    """Return a tiny Qwen3, whose heads share the gains of the norms of their queries and keys."""
    config = transformers.Qwen3Config(
        hidden_size=width, intermediate_size=2 * width, num_hidden_layers=1, vocab_size=32,
        num_attention_heads=width // 8, num_key_value_heads=width // 16, head_dim=8,
        use_cache=False, tie_word_embeddings=False,
    )  # fmt: skip
    model: nn.Module = transformers.Qwen3ForCausalLM(config)
    return model


def tokens() -> dict[str, torch.Tensor]:
    found = torch.randint(0, 32, (8, 16), generator=torch.Generator().manual_seed(2))
    return {"input_ids": found, "labels": found}


HEAD_NORMS = {f"model.layers.0.self_attn.{name}_norm.weight" for name in "qk"}


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_gains_that_all_heads_share_pass(optimizer: str) -> None:
    settings: dict[str, Any] = {"optimizer": optimizer, "example": tokens()}
    control = correct(qwen3, scheme="sp", **settings)
    widths = (32, 64, 128, 256)
    result = check(correct(qwen3, **settings), tokens(), control=control, widths=widths)
    assert result.verdict == "pass", result.reason
    assert result.control is not None
    assert result.control.verdict == "fail"
    effects = {f.name: f for f in result.findings if f.quantity == "effect"}
    # A mean over n / 8 heads of terms of random sign, times a step of degree 0 or 1 in it.
    expected = -0.5 if optimizer == "adamw" else -1.0
    for name in HEAD_NORMS:
        assert effects[name].slope == pytest.approx(expected, abs=0.35)


@pytest.mark.parametrize("power", [-1, 1])
def test_a_wrong_rate_of_gains_that_all_heads_share_is_caught(power: int) -> None:
    right = correct(qwen3, example=tokens())

    def make(width: int, seed: int) -> tuple[nn.Module, torch.optim.Optimizer]:
        model, optimizer = right(width, seed)
        names = {id(parameter): name for name, parameter in model.named_parameters()}
        for group in list(optimizer.param_groups):
            shared = [p for p in group["params"] if names[id(p)] in HEAD_NORMS]
            if shared:
                group["params"] = [p for p in group["params"] if names[id(p)] not in HEAD_NORMS]
                rate = group["lr"] * (width / BASE) ** power
                optimizer.add_param_group({**group, "params": shared, "lr": rate})
        return model, optimizer

    roles = recipe_roles(qwen3, width=64, base_width=BASE, optimizer="adamw", example=tokens())
    result = check(make, tokens(), roles=roles)
    assert result.verdict == "fail"
    (suspect,) = result.suspects
    assert suspect.name == "all scalar tensors"
    assert suspect.cause == f"scalar learning rate scales as n^{power:+.1f}, wanted a constant"
    assert {f.name for f in result.findings if f.ok is False} == HEAD_NORMS


class _Routed(nn.Module):
    """Weigh four experts by a router whose output has a fixed size."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embed, self.router = nn.Embedding(16, width), nn.Linear(width, 4, bias=False)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
            for _ in range(4)
        )
        self.readout = nn.Linear(width, 16, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.embed(x)
        shares = self.router(h).softmax(-1)
        outputs = torch.stack([expert(h) for expert in self.experts], -1)
        out: torch.Tensor = self.readout(h + (outputs * shares[..., None, :]).sum(-1))
        return out


def test_a_router_passes() -> None:
    result = check(correct(_Routed, example=texts()), texts(), widths=(64, 128, 256))
    assert result.verdict == "pass", result.reason
    (router,) = (f for f in result.findings if (f.name, f.quantity) == ("router.weight", "effect"))
    assert router.slope is not None
    assert router.slope < -0.3


def test_what_is_wrong_with_a_factor_in_the_forward_is_not_called_an_initialisation() -> None:
    class Scaled(nn.Embedding):
        def forward(self, x: torch.Tensor) -> torch.Tensor:  # as Gemma's embedding does
            out: torch.Tensor = super().forward(x) * self.embedding_dim**0.5
            return out

    def build(width: int) -> nn.Module:
        table = Scaled(16, width)
        norm, hidden = nn.LayerNorm(width), nn.Linear(width, width)
        return nn.Sequential(table, norm, hidden, nn.ReLU(), nn.Linear(width, 16))

    result = check(correct(build, example=texts()), texts())
    assert result.verdict == "fail"
    cause = result.suspects[0].cause
    assert (result.suspects[0].name, "its initial values are right" in cause) == ("0.weight", True)
    assert "the layer's output scales as n^+0.5: a factor in the forward pass" in cause


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_only_the_first_effect_of_shared_gains_falls_with_width(optimizer: str) -> None:
    # docs/measurements/coordinate-check.md shows more steps of wider models.
    widths, steps = (32, 64, 128, 256), 4
    effects: dict[str, list[list[float]]] = {
        name: [[] for _ in range(steps)] for name in HEAD_NORMS
    }
    make = correct(qwen3, optimizer=optimizer, example=tokens())
    for width, seed in itertools.product(widths, range(4)):
        torch.manual_seed(seed)
        model, trainer = make(width, seed)
        for step in range(steps):
            before = {name: model.get_parameter(name).detach().clone() for name in HEAD_NORMS}
            trainer.zero_grad()
            model(**tokens()).loss.backward()
            trainer.step()
            for name, value in before.items():
                gain = model.get_parameter(name)
                assert gain.grad is not None
                effect = (gain.grad * (gain.detach() - value)).sum()
                effects[name][step].append(abs(float(effect)))
    for series in effects.values():
        exponents = [
            fit_power_law(np.repeat(widths, 4).tolist(), y, level=0.9).slope for y in series
        ]
        expected = -0.5 if optimizer == "adamw" else -1.0
        assert exponents[0] == pytest.approx(expected, abs=0.5)
        assert exponents[-1] == pytest.approx(0.0, abs=0.45)
        assert exponents[-1] > exponents[0] + 0.3
