"""Settings: what is accepted, and that every refusal names its key."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lrtransfer.errors import ConfigError
from lrtransfer.study.grid import GridConfig
from lrtransfer.study.load import load, parse_study
from lrtransfer.study.model_work import ModelWork
from lrtransfer.study.study import Study
from lrtransfer.study.variants import Variant
from tests.studies import SMALL

LLAMA: dict[str, Any] = {"type": "llama", "scales": ["hidden_size", "num_attention_heads"]}
DEPTH: dict[str, Any] = {"along": "depth", "sizes": [2, 4], "target": 8, "width": 32}


def test_the_defaults_are_a_valid_study() -> None:
    study = load(None, {})
    assert study == Study()
    assert study.schemes == ("mup", "sp")
    assert study.data.model_dump()["held_out_tokens"] >= 64_000


def test_a_file_states_what_differs_and_options_go_before_it(small_toml: Path) -> None:
    assert load(small_toml, {}) == load(None, SMALL)
    changed = load(small_toml, {"seeds": 3, "grid": {"low": 2.0**-9}})
    assert (changed.seeds, changed.grid.low, changed.grid.high) == (3, 2.0**-9, 0.5)


def test_settings_survive_json() -> None:
    study = load(None, SMALL | {"tolerance_regret": 0.1 + 0.2})
    assert Study.model_validate_json(study.model_dump_json()) == study


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sedes": 3}, "^sedes: unknown key, did you mean 'seeds'"),
        ({"grid": {"lo": 1e-3}}, "^grid.lo: unknown key, did you mean 'low'"),
        ({"model": {"qqqq": 1}}, "^model.qqqq: unknown key, wanted one of family, vocabulary"),
        ({"seeds": 0}, "^seeds: got 0, it should be greater than or equal to 1"),
        ({"seeds": True}, "^seeds: got True, it should be a valid integer"),
        ({"seeds": "3"}, "^seeds: got '3', it should be a valid integer"),
        ({"seeds": 2.5}, "^seeds: got 2.5, it should be a valid integer"),
        ({"widths": 32}, "^widths: got 32, wanted a list"),
        ({"widths": [32, "64"]}, "^widths.1: got '64', it should be a valid integer"),
        ({"widths": [32, -64]}, "^widths.1: got -64, it should be greater"),
        ({"widths": [32]}, r"^widths: got \[32\], wanted at least 2 widths"),
        ({"widths": []}, r"^widths: got \[\], wanted at least 2 widths"),
        ({"widths": [32, 64, 32]}, r"^widths: got \[32, 64, 32\], wanted no value twice"),
        ({"widths": [64, 128]}, r"^base_width: got 32, wanted one of the widths \[64, 128\]"),
        ({"widths": [32, 40]}, "^widths: got 40, wanted multiples of model.head_width, 16"),
        ({"target": 250}, "^target: got 250, wanted multiples of model.head_width, 16"),
        ({"schemes": ["mup", "ntk"]}, "^schemes: got 'ntk', wanted one of sp, .*mup"),
        ({"schemes": []}, "^schemes: got .*, it should|^schemes: got"),
        ({"schemes": ["mup", "mup"]}, "^schemes: got .*, wanted no value twice"),
        ({"grid": {"low": 0.1, "high": 0.01}}, "^grid: got low=0.1 and high=0.01, which hold 0"),
        ({"grid": {"low": 0.0}}, "^grid.low: got 0.0, it should be greater than 0"),
        ({"grid": {"low": -1.0}}, "^grid.low: got -1.0"),
        ({"grid": {"high": float("inf")}}, "^grid.high: got inf, it should be a finite number"),
        ({"grid": {"low": float("nan")}}, "^grid.low: got nan"),
        ({"seeds": 10**9}, "^seeds, grid: got .* runs, wanted at most 100,000"),
        ({"tolerance_regret": 0}, "^tolerance_regret: got 0"),
        ({"study_seed": -1}, "^study_seed: got -1"),
        ({"name": ""}, "^name: got ''"),
        (
            {"optimizer": {"family": "lion"}},
            "^optimizer.family: got 'lion', wanted one of adamw, adam",
        ),
        ({"optimizer": {"betas": [0.9]}}, "^optimizer.betas"),
        ({"model": {"head_width": 15}}, "^model.head_width: got 15"),
        ({"model": {"vocabulary": 100}}, "^model.vocabulary: got 100, wanted at least 256"),
        ({"model": 3}, "^model: got 3"),
        ({"training": {"steps": 0}}, "^training.steps: got 0"),
        ({"data": {"source": "c4"}}, "^data.source: got 'c4'"),
        ({"data": {"source": "text"}}, "^data.path: got nothing, wanted it"),
        ({"model": {"family": "vit"}}, "^model.family: got 'vit', wanted one of transformer, mlp"),
        ({"model": {"build": "model.py"}}, "^model.build: got 'model.py', wanted the form pkg.mod"),
        ({"model": {"type": "llama"}}, "^model.scales: got nothing, wanted it"),
        ({"model": {"family": "mlp"}}, "^data.source: got 'python-.*' with an mlp, wanted digits"),
        ({"data": {"source": "digits"}}, "^data.source: got 'digits' with a language model"),
        ({"model": LLAMA}, "^model.fields.num_attention_heads: got None, wanted its whole number"),
        (
            {"model": LLAMA | {"fields": {"hidden_size": 64}}},
            "^model.fields.hidden_size: got 64, w",
        ),
        (
            {"model": LLAMA | {"fields": {"num_attention_heads": 1}}, "widths": [32, 40]},
            "^model.fields.num_attention_heads: got 1 at the base width 32, which is not whole",
        ),
        ({"optimizer": {"family": "sgd", "betas": [0.9, 0.9]}}, "^optimizer.betas: unknown key"),
        (
            {"optimizer": {"family": "sgd", "nesterov": True}},
            "^optimizer: got nesterov without mom",
        ),
        ({"training": {"accumulate": 3}}, "^training: got batch = 8 and accumulate = 3"),
        ({"training": {"loss": "mse"}}, "^training: got loss = 'mse', wanted cross-entropy"),
        ({"training": {"schedule": "step"}}, "^training.schedule: got 'step', it should be"),
        ({"device": "tpu"}, "^device: got 'tpu', wanted cpu, cuda, cuda:N or mps"),
        ({"parametrization": {"tuned": {"readout": {}}}}, "^parametrization.tuned.readout"),
        ({"parametrization": {"weight_decay": "l2"}}, "^parametrization.weight_decay: got 'l2'"),
        ({"vary": {"optimizer.decay": [0, 1]}}, "^vary: got 'optimizer.decay'.* did you mean 'opt"),
        (
            {"vary": {"model.positions": [0, 1]}},
            "^vary: got 'model.positions', which is no numeric",
        ),
        (
            {"vary": {"optimizer.eps": [1e-8, 0]}},
            r"^optimizer.eps: got 0, .*\(with optimizer.eps = 0",
        ),
        (
            {"vary": {"optimizer.eps": [1e-8, 1e-8]}},
            "^vary.optimizer.eps: .* wanted no value twice",
        ),
        ({"vary": {"training.batch": [8, "x"]}}, "^vary.training.batch"),
        (
            {"vary": {"training.batch": 8}},
            "^vary.training.batch: got 8, wanted a list",
        ),
        ({"along": "heads"}, "^along: got 'heads', it should be"),
        ({"sizes": [2, 4]}, "^sizes: got a value, wanted it with along = "),
        ({"along": "depth", "width": 32}, "^sizes: got nothing, wanted it with along = 'depth'"),
        (DEPTH | {"widths": [32, 64]}, "^widths: got a value with along = 'depth', wanted sizes"),
        (DEPTH | {"sizes": [2]}, r"^sizes: got \[2\], wanted at least 2 depths to compare"),
        (DEPTH | {"width": 40}, "^width: got 40, wanted multiples of model.head_width, 16"),
        (DEPTH | {"vary": {"model.depth": [2, 3]}}, "^vary: got 'model.depth', along which"),
        (DEPTH | {"along": "batch", "training": {"accumulate": 4}}, "^training: got batch = 2 and"),
    ],
)
def test_bad_settings_are_one_error_that_names_the_key(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load(None, settings)


@pytest.mark.parametrize("settings", [DEPTH, {"vary": {"optimizer.eps": [1e-8, 1e-9]}}])
def test_recorded_settings_make_the_same_study(settings: dict[str, Any]) -> None:
    study = load(None, settings)
    assert parse_study(study.to_json()) == study


def test_every_variant_has_work_of_its_own() -> None:
    study = load(None, {"vary": {"optimizer.weight_decay": [0, 1], "training.batch": [4, 8]}})
    assert len(study.variants) == 8
    assert study.variants[1].name == "mup, weight_decay 0, batch 8"
    for variant in study.variants:
        work, values = model_work(study, variant, 64), dict(variant.values)
        assert work.optimizer.model_dump()["weight_decay"] == values["optimizer.weight_decay"]
        assert work.training.batch == values["training.batch"]


def model_work(study: Study, variant: Variant, size: int) -> ModelWork:
    work = study.work_at(variant, size)
    assert isinstance(work, ModelWork)
    return work


def test_sizes_are_put_where_they_belong() -> None:
    study = load(None, DEPTH)
    assert (study.measured_sizes, study.base_size, study.base_width) == ((2, 4), 2, 32)
    assert study.schemes == ("completep", "mup")
    work = model_work(study, study.variants[0], 4)
    assert (work.depth, work.parametrization.base_depth) == (4, 2)
    llama = {"model": LLAMA | {"fields": {"num_attention_heads": 2}}, "width": 32}
    deeper = load(None, DEPTH | llama)
    assert model_work(deeper, deeper.variants[0], 8).depth == 8
    steps = load(None, DEPTH | {"along": "steps"})
    assert model_work(steps, steps.variants[0], 4).training.steps == 4
    assert steps.schemes == ("mup",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"seeds = ", "not TOML"),
        (b"seeds = 0x", "not TOML"),
        (b"\xff\xfe", "not TOML"),
        (b"seeds = 1e3", "seeds: got 1000.0, it should be a valid integer"),
        (b"[grid]\nlow = nan", "grid.low: got nan"),
    ],
)
def test_bad_files(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "study.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        load(path, {})


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none.toml: got No such file.*Check the path"):
        load(tmp_path / "none.toml", {})
    with pytest.raises(ConfigError, match=r"got Is a directory"):
        load(tmp_path, {})


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["mup", "sp", 32, 64, 0.01]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["low", "high", "steps", "depth", "x"]), inner, max_size=2
        )
    ),
    max_leaves=4,
)


# The time of generating data says nothing about the code.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from([*Study.model_fields, "typo"]), _VALUES, max_size=3))
def test_any_settings_are_a_study_or_one_error(given_settings: dict[str, Any]) -> None:
    try:
        load(None, given_settings)
    except ConfigError as error:
        message = str(error)
    else:
        message = ""
    assert "\n" not in message


def test_rates_lie_on_the_lattice() -> None:
    grid = GridConfig(low=0.001, high=0.25, per_octave=1)
    assert [grid.rate(i) for i in grid.indices()] == [2.0**k for k in range(-10, -1)]
    covering = GridConfig(low=0.003, high=0.09)
    assert [covering.rate(i) for i in covering.indices()] == [2.0**k for k in range(-9, -2)]
    fine = GridConfig(low=0.25, high=1.0, per_octave=2)
    assert [fine.rate(i) for i in fine.indices()] == pytest.approx([
        0.25,
        0.5**1.5,
        0.5,
        0.5**0.5,
        1,
    ])


def test_the_former_name_of_the_stopping_rule_is_read(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text('design = "adaptive"\nuntil = "octaves=2"\n')
    study = load(path, {})
    assert study.stopping_rule == "octaves=2"
    assert "until" not in study.to_json()
    assert load(path, {"stopping_rule": "regret=0.02"}).stopping_rule == "regret=0.02"
    with pytest.raises(ConfigError, match=r"stopping_rule: got 'x', wanted regret=SHARE"):
        load(path, {"until": "x"})
    path.write_text('design = "adaptive"\nuntil = "octaves=2"\nstopping_rule = "octaves=1"\n')
    with pytest.raises(ConfigError, match=r"study.toml: stopping_rule: .*Remove until"):
        load(path, {})
