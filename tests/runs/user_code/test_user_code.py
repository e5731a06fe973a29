"""Runs of models, data and losses that are the user's own."""

import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch

from lrtransfer.errors import BatchError, ConfigError, UserError
from lrtransfer.parametrization.choices import Choices
from lrtransfer.parametrization.rules import RELATIVE_SCHEMES, Role
from lrtransfer.runs.assemble import _make_recipe, _make_task, _read_corpus, make_recipe
from lrtransfer.runs.run import SHARED_SCHEME
from lrtransfer.runs.train import train_run
from lrtransfer.study.load import load
from lrtransfer.study.parametrization import ParametrizationConfig, RoleName
from lrtransfer.study.study import Study
from tests.runs.user_models import MODELS, curve, study_of
from tests.studies import run_of


@pytest.fixture
def own(write_module: Callable[[str], str]) -> str:
    return write_module(MODELS)


def test_an_own_model_on_own_batches_is_trained(own: str) -> None:
    outcome = train_run(run_of(study_of(own, training={"steps": 60, "batch": 32})))
    assert outcome.status == "finished"
    assert outcome.loss is not None
    assert outcome.loss < outcome.curve[0] - 0.1


def test_arguments_reach_the_function_that_builds(own: str) -> None:
    def tensors(**arguments: Any) -> int:
        model = {"build": f"{own}:build", "arguments": arguments}
        run = run_of(study_of(own, model=model))
        return len(make_recipe(run).tensors)

    # Embedding 2, readout 1, every block 6.
    assert [tensors(), tensors(depth=3)] == [2 + 1 + 6, 2 + 1 + 3 * 6]


def test_a_loss_of_ones_own_is_what_the_curve_shows(own: str) -> None:
    training = {"steps": 4, "batch": 8}
    ours = curve(run_of(study_of(own, training=training | {"loss": f"{own}:loss"})))
    plain = curve(run_of(study_of(own, training=training)))
    module = sys.modules[own]
    assert len(ours) == 4
    assert ours != plain
    # With a loss of absolute differences from 0 and 1, about 3 classes: not the log of 3.
    assert ours[0] < 1.0 < plain[0]
    assert module.loss(torch.zeros(4, 3), torch.tensor([0, 1, 2, 0])) == pytest.approx(1 / 3)


def test_squared_error_by_name(own: str) -> None:
    training = {"steps": 2, "batch": 8, "loss": "squared-error"}
    assert curve(run_of(study_of(own, training=training)))[0] < 1.0


def test_all_relative_schemes_are_one_at_the_base_width(own: str) -> None:
    run = run_of(study_of(own))
    at_base = {
        train_run(replace(run, scheme=scheme, width=8))
        for scheme in (*RELATIVE_SCHEMES, SHARED_SCHEME)
    }
    assert len(at_base) == 1
    assert len({train_run(replace(run, scheme=s)) for s in ("mup", "sp")}) == 2


@pytest.mark.parametrize("scheme", ["mup", "completep"])
def test_schemes_of_a_llama_are_one_at_the_base_width(scheme: str) -> None:
    run = run_of(llama_study(), width=8)
    shared = train_run(replace(run, scheme=SHARED_SCHEME))
    assert train_run(replace(run, scheme=scheme)) == shared


def llama_study(**settings: Any) -> Study:
    fields = {
        "vocab_size": 256,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "intermediate_size": 16,
    }
    scales = ["hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads"]
    given = {
        "widths": (8, 16),
        "base_width": 8,
        "target": 32,
        "model": {"type": "llama", "scales": scales, "fields": fields, "context": 8},
        "data": {"held_out_tokens": 256},
        "training": {"steps": 3, "batch": 2},
    }
    return load(None, given | settings)


def test_a_llama_repeats_to_the_last_bit() -> None:
    run = run_of(llama_study())
    first = train_run(run)
    train_run(replace(run, width=8, seed=1))
    assert train_run(run) == first


def test_runs_of_another_length_or_study_seed_read_the_data_once(own: str) -> None:
    before = (_make_task.cache_info().misses, _make_recipe.cache_info().misses)
    for study_seed, steps in ((0, 2), (0, 5), (3, 2)):
        training = {"steps": steps, "batch": 8}
        train_run(run_of(study_of(own, study_seed=study_seed, training=training)))
    after = (_make_task.cache_info().misses, _make_recipe.cache_info().misses)
    assert after == (before[0] + 1, before[1] + 1)


def test_changed_code_is_refused(own: str, tmp_path: Path) -> None:
    run = run_of(study_of(own))
    source = tmp_path / f"{own}.py"
    source.write_text(MODELS + "\n# changed\n")
    wanted = "code: got other code than the study was planned with: it changed since"
    with pytest.raises(UserError, match=wanted):
        train_run(run)
    source.write_text(MODELS)
    assert train_run(run).status == "finished"


@pytest.mark.parametrize("arguments", [{"nonsense": 1}, {"width": 4}])
def test_arguments_that_the_function_does_not_take_are_refused(
    own: str, arguments: dict[str, int]
) -> None:
    model = {"build": f"{own}:build", "arguments": arguments}
    with pytest.raises(UserError, match=r"got TypeError from build\(8\): build\(\) got "):
        train_run(run_of(study_of(own, model=model)))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (
            "nowhere:build",
            "model.build: got 'nowhere:build', but there is no file of a module 'nowhere'",
        ),
        ("OWN:missing", "has no 'missing', wanted the name of an object in it"),
        ("OWN:TABLE", "model.build: got '.*:TABLE', a dict, wanted a function"),
    ],
)
def test_code_that_is_not_there_is_refused(own: str, name: str, wanted: str) -> None:
    with pytest.raises(ConfigError, match=wanted):
        train_run(run_of(study_of(own, model={"build": name.replace("OWN", own)})))


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_bytes(bytes(range(256)) * 40)
    return path


def test_where_a_text_lies_does_not_matter_but_what_is_in_it(own: str, text: Path) -> None:
    def study_at(path: Path) -> Study:
        data = {"source": "text", "path": str(path), "held_out_tokens": 64}
        return study_of(own, model={"build": f"{own}:tokens", "context": 8}, data=data)

    run = run_of(study_at(text))
    first = curve(run)
    moved = text.rename(text.with_name("moved.txt"))
    assert run_of(study_at(moved)) == run
    assert str(text) not in run.identity
    assert curve(run_of(study_at(moved))) == first
    changed = text.with_name("changed.txt")
    changed.write_bytes(b"!" + moved.read_bytes()[1:])
    assert run_of(study_at(changed)).id != run.id
    planned = run_of(study_at(moved))
    moved.write_bytes(changed.read_bytes())
    for cache in (_make_task, _make_recipe, _read_corpus):  # as in another process
        cache.cache_clear()
    with pytest.raises(UserError, match=r"corpus: got digest .*changed since the study was"):
        curve(planned)


def test_tokens_of_a_file_train_a_model(own: str, tmp_path: Path) -> None:
    path = tmp_path / "tokens.bin"
    path.write_bytes((np.arange(6000, dtype="<u2") % 300).tobytes())
    data = {"source": "tokens", "path": str(path), "held_out_tokens": 64}
    model, training = {"build": f"{own}:tokens", "context": 8}, {"steps": 30, "batch": 8}
    run = run_of(study_of(own, model=model, data=data, training=training))
    assert train_run(run).status == "finished"


def test_tokens_that_an_own_model_does_not_know_are_one_error(own: str, tmp_path: Path) -> None:
    path = tmp_path / "tokens.bin"
    path.write_bytes(np.full(6000, 300, dtype="<u2").tobytes())
    data = {"source": "tokens", "path": str(path), "held_out_tokens": 512}
    run = run_of(study_of(own, model={"build": f"{own}:tokens", "context": 8}, data=data))
    with pytest.raises(BatchError, match="got IndexError from the forward on it"):
        train_run(run)


def recipe_for(study: Study, *, scheme: str = "mup", width: int = 16) -> Any:
    run = run_of(study, width, scheme=scheme)
    return make_recipe(run)


def test_parametrization_settings_default_to_the_choices() -> None:
    settings, choices = ParametrizationConfig(), Choices()
    shared = set(ParametrizationConfig.model_fields) & {field.name for field in fields(Choices)}
    assert shared == set(ParametrizationConfig.model_fields)
    for name in shared:
        assert getattr(settings, name) == getattr(choices, name), name


def test_roles_of_settings_are_those_of_the_rules() -> None:
    assert set(get_args(RoleName)) == {role.value for role in Role}


def test_parametrization_settings_reach_the_recipe(own: str) -> None:
    chosen = {
        "weight_decay": "independent",
        "readout_init": "zero",
        "scale_eps": False,
        "norm_gains": "fix",
        "tuned": {"hidden": {"lr": 2.0, "init_std": 0.5}},
    }
    plain, own_choices = (recipe_for(study_of(own, **p)) for p in ({}, {"parametrization": chosen}))
    assert own_choices.choices.weight_decay == "independent"
    before, after = ({t.name: t for t in r.tensors} for r in (plain, own_choices))
    up = "blocks.0.up.weight"
    assert after[up].lr == 2 * before[up].lr
    assert after[up].initial.std == pytest.approx(0.5 * before[up].initial.std)
    assert after["readout.weight"].initial.std == 0
    assert {t.eps for t in own_choices.tensors} == {1.0}
    assert after["blocks.0.norm.weight"].lr == 0


@pytest.mark.parametrize("scheme", ["completep", "mup"])
def test_a_base_depth_scales_branches_under_the_scheme_that_has_rules(
    own: str, scheme: str
) -> None:
    study = study_of(
        own,
        schemes=("completep", "mup"),
        model={"build": f"{own}:build", "arguments": {"depth": 4}},
        parametrization={"base_depth": 2},
    )
    recipe = recipe_for(study, scheme=scheme)
    is_scaled = scheme == "completep"
    assert (recipe.choices.depth, recipe.choices.base_depth) == (
        (4, 2) if is_scaled else (None,) * 2
    )
    # The end of every branch is multiplied by base depth / depth.
    assert [m.factor for m in recipe.multipliers] == ([0.5] * 4 if is_scaled else [])


def test_a_base_depth_without_a_known_depth_is_refused(own: str) -> None:
    study = study_of(own, schemes=("completep",), parametrization={"base_depth": 2})
    with pytest.raises(UserError, match=r"parametrization.base_depth: .*model.arguments.depth"):
        recipe_for(study, scheme="completep")


def test_accumulation_and_precision_reach_the_loop(own: str) -> None:
    def at(**training: Any) -> tuple[float, ...]:
        return curve(run_of(study_of(own, training={"steps": 4, "batch": 8} | training)))

    whole, parts = (at(precision="float64", accumulate=k) for k in (1, 4))
    assert parts == pytest.approx(whole, rel=1e-10)
    assert at() == pytest.approx(whole, rel=1e-4)
    assert at(precision="bfloat16") == pytest.approx(whole, rel=0.05)
    assert at(precision="bfloat16") != at()
    assert at(clip=1e-3, precision="float64")[0] == whole[0]
    decays = ("linear", "constant", "cosine")
    assert len({at(schedule=decay, warmup_share=0) for decay in decays}) == 3
