"""What a study is: its settings, with the built-in study as their defaults.

A study file is TOML and states only what differs from the built-in study. Every setting is
checked before anything is written, and an error names the key by its path.
"""

import difflib
import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from ..errors import ConfigError
from ..models.configs import Count, ModelConfig, TransformerConfig
from ..parametrization.rules import RELATIVE_SCHEMES
from ..statistics.drift import least_octaves
from .goal import Budget, Until, read_budget, read_until
from .trainer import TrainerConfig, trainer_problems

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
# TOML and JSON know arrays only; their entries stay strict.
Widths = Annotated[tuple[Count, ...], Field(strict=False)]
Names = Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
Betas = Annotated[tuple[Share, Share], Field(strict=False)]

MAX_RUNS = 100_000
OF_THE_BUILT_IN_MODEL = ("model", "data", "optimizer", "training")
FINENESS = 4  # rates that an adaptive design may choose from, per rate of the grid
_SLACK = 1e-9  # so that a rate written as a rounded decimal is the lattice's own


class DataConfig(ModelConfig):
    """Set the text, and how much of it is held out to measure the loss."""

    source: Literal["python-standard-library"] = "python-standard-library"
    held_out_tokens: Count = 65_536


class OptimizerConfig(ModelConfig):
    """Set the optimizer; `betas` and `eps` are AdamW's, `momentum` is SGD's."""

    family: Literal["adamw", "sgd"] = "adamw"
    betas: Betas = (0.9, 0.95)
    eps: Positive = 1e-12
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    weight_decay: Annotated[float, Field(ge=0)] = 0.0


class TrainingConfig(ModelConfig):
    """Set length, batch (sequences per step) and learning-rate schedule of every run."""

    steps: Count = 100
    batch: Count = 8
    warmup_share: Share = 0.08
    final_factor: Share = 1e-4


class GridConfig(ModelConfig):
    """Set the learning rates tried first: low to high, `per_octave` rates per factor of two.

    Rates lie on the lattice 2^(k / per_octave), so that grids extended later share their points;
    the grid is the smallest on it that covers low and high.
    """

    low: Positive = 2.0**-9
    high: Positive = 2.0**-3
    per_octave: Annotated[int, Field(ge=1, le=16)] = 1

    def indices(self) -> range:
        """Return the lattice indices k of the first grid."""
        low, high = (math.log2(rate) * self.per_octave for rate in (self.low, self.high))
        return range(math.floor(low + _SLACK), math.ceil(high - _SLACK) + 1)

    def refined(self) -> "GridConfig":
        """Return the same grid on a lattice FINENESS times as dense."""
        return self.model_copy(update={"per_octave": FINENESS * self.per_octave})

    def rate(self, index: int) -> float:
        """Return the learning rate 2^(k / per_octave) of a lattice index."""
        return float(2.0 ** (index / self.per_octave))

    @model_validator(mode="after")
    def _require_points(self) -> Self:
        if len(self.indices()) < 3:
            raise ValueError(
                f"got low={self.low:g} and high={self.high:g}, which hold "
                f"{len(self.indices())} rates, wanted at least 3"
            )
        return self


class Study(ModelConfig):
    """Set everything that determines a study; the defaults are the built-in one."""

    name: Annotated[str, Field(min_length=1, max_length=100)] = "quickstart"
    widths: Widths = (32, 64, 96, 128)
    base_width: Count = 32
    target: Count = 256
    schemes: Names = ("mup", "sp")
    seeds: Count = 3
    study_seed: Seed = 0
    tolerance_regret: Annotated[float, Field(gt=0, lt=1)] = 0.01
    design: Literal["grid", "adaptive"] = "grid"
    until: str | None = None
    budget: Count | str | None = None
    confirm: bool = False
    grid: GridConfig = GridConfig()
    model: TransformerConfig = TransformerConfig()
    data: DataConfig = DataConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    training: TrainingConfig = TrainingConfig()
    trainer: TrainerConfig | None = None

    @model_validator(mode="before")
    @classmethod
    def _fill_in_for_a_trainer(cls, settings: Any) -> Any:
        """Of the built-in study, what speaks of its own model says nothing of a user's program."""
        if not isinstance(settings, Mapping) or settings.get("trainer") is None:
            return settings
        widths = settings.get("widths")
        whole = isinstance(widths, (list, tuple)) and all(isinstance(w, int) for w in widths)
        narrowest = {"base_width": min(widths)} if whole and widths else {}
        return {"name": "command", "schemes": ("all",), **narrowest, **settings}

    def recorded(self) -> str:
        """Return all settings that mean anything, as JSON that makes the same study again."""
        unused = set() if self.trainer is None else set(OF_THE_BUILT_IN_MODEL)
        return self.model_dump_json(exclude=unused)

    @property
    def lattice(self) -> GridConfig:
        """The rates that may be tried: those of the grid, under an adaptive design finer ones."""
        return self.grid if self.design == "grid" else self.grid.refined()

    @property
    def goal(self) -> Until:
        """When an adaptive design stops: by default when the verdicts are settled."""
        return read_until(self.until) if self.until else Until("regret", self.tolerance_regret)

    @property
    def tolerance(self) -> float:
        """The share of the best loss up to which a rate transfers."""
        return self.goal.value if self.goal.kind == "regret" else self.tolerance_regret

    @property
    def limit(self) -> Budget:
        """What an adaptive design may spend: by default as many runs as the grid would be."""
        if self.budget is not None:
            return read_budget(self.budget)
        return Budget(grid_runs(self), "runs")

    @model_validator(mode="after")
    def _require_consistent(self) -> Self:
        for problem in _inconsistencies(self):
            raise ValueError(problem)
        return self


def _inconsistencies(study: Study) -> list[str]:
    """Return what is wrong between settings that are each right alone, as `key: got, wanted`."""
    problems = _trainer_problems(study)
    for key in ("widths", "schemes"):
        values = getattr(study, key)
        if len(set(values)) != len(values):
            problems.append(f"{key}: got {list(values)}, wanted no value twice")
    if len(study.widths) < 2:
        problems.append(f"widths: got {list(study.widths)}, wanted at least 2 widths to compare")
    if study.base_width not in study.widths:
        problems.append(
            f"base_width: got {study.base_width}, wanted one of the widths {list(study.widths)}"
        )
    for key, width in [("widths", w) for w in study.widths] + [("target", study.target)]:
        if study.trainer is None and width % study.model.head_width:
            problems.append(
                f"{key}: got {width}, wanted multiples of model.head_width, "
                f"{study.model.head_width}"
            )
    if study.model.vocabulary < 256:
        problems.append(
            f"model.vocabulary: got {study.model.vocabulary}, wanted at least 256: tokens are bytes"
        )
    for scheme in study.schemes:
        if study.trainer is None and scheme not in RELATIVE_SCHEMES:
            known = ", ".join(RELATIVE_SCHEMES)
            problems.append(f"schemes: got {scheme!r}, wanted one of {known}")
    runs = grid_runs(study)
    if runs > MAX_RUNS:
        problems.append(
            f"seeds, grid: got {runs:,} runs, wanted at most {MAX_RUNS:,}; use fewer rates or seeds"
        )
    if study.confirm and study.target in study.widths:
        problems.append(
            f"confirm: got a target, {study.target}, among the widths, wanted one that the sweep "
            "does not train"
        )
    return problems + _design_problems(study)


def _trainer_problems(study: Study) -> list[str]:
    if study.trainer is None:
        return []
    given = study.model_fields_set
    problems = [
        f"{key}: got nothing, wanted it beside trainer.command"
        for key in ("widths", "target")
        if key not in given
    ]
    problems += [
        f"{key}: got a value, wanted none beside trainer.command, whose own settings hold"
        for key in OF_THE_BUILT_IN_MODEL
        if key in given
    ]
    many_seeds = study.seeds > 1 or study.design == "adaptive"
    varying = {"width": True, "lr": True, "seed": many_seeds, "scheme": len(study.schemes) > 1}
    return problems + trainer_problems(study.trainer, [k for k, v in varying.items() if v])


def _design_problems(study: Study) -> list[str]:
    if study.design == "grid":
        given = [key for key in ("until", "budget") if getattr(study, key) is not None]
        return [f"{key}: got a value, wanted it with design = 'adaptive' only" for key in given]
    try:
        goal, _ = study.goal, study.limit
    except ValueError as problem:
        return [str(problem)]
    if study.trainer is not None and study.limit.unit == "flops":
        return [f"budget: got {study.budget!r}, wanted runs: what a command computes is not known"]
    if goal.kind == "regret":
        return []
    if len(study.widths) < 3:
        return [f"until: got octaves with widths {list(study.widths)}, wanted at least 3 widths"]
    least = least_octaves(study.widths, target=study.target)
    if goal.value > least:
        return []
    return [
        f"until: got octaves={goal.value:g}, wanted more than {least:.2f}: what the drift may bend "
        f"by between widths {list(study.widths)} and {study.target} cannot be measured there. Give "
        "more octaves, or widths nearer the target"
    ]


def grid_runs(study: Study) -> int:
    """Return how many runs the grid of a study has, those that schemes share counted for each."""
    return len(study.schemes) * len(study.widths) * len(study.grid.indices()) * study.seeds


def load(path: Path | None, overrides: Mapping[str, Any]) -> Study:
    """Return the study of a TOML file, with some top-level keys or `[grid]` keys overridden.

    Arguments:
        path: Study file; None for the built-in study.
        overrides: Values that go before the file's; a nested mapping is merged key by key.

    Raises:
        ConfigError: If the file cannot be read or a setting is wrong; the message names the key.

    Example:
        >>> load(None, {"seeds": 5}).seeds
        5
        >>> load(None, {"sedes": 5})
        Traceback (most recent call last):
        lrtransfer.errors.ConfigError: sedes: unknown key, did you mean 'seeds'?
    """
    settings = merged(_read(path) if path else {}, overrides)
    try:
        return Study.model_validate(settings)
    except ValidationError as error:
        where = f"{path}: " if path else ""
        raise ConfigError(where + _explain(error.errors()[0])) from None


def merged(settings: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with some overridden; a nested mapping is merged key by key.

    Example:
        >>> merged({"grid": {"low": 1, "high": 2}}, {"grid": {"low": 0}})
        {'grid': {'low': 0, 'high': 2}}
    """
    result = dict(settings)
    for key, value in overrides.items():
        if isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            value = {**result[key], **value}
        result[key] = value
    return result


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path}: got {error.strerror}, wanted a readable study file. Check the path."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: got text that is not TOML ({error}). Mend that line.") from None


def _explain(error: ErrorDetails) -> str:
    """Turn pydantic's first complaint into `key: got, wanted`, with did-you-mean."""
    path = [str(part) for part in error["loc"]]
    key = ".".join(path)
    if error["type"] == "extra_forbidden":
        known = _fields_at(path[:-1])
        close = difflib.get_close_matches(path[-1], known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"wanted one of {', '.join(known)}."
        return f"{key}: unknown key, {hint}"
    if path[:1] == ["budget"] and error["type"] != "value_error":
        return f"budget: got {error['input']!r}, wanted runs, such as 48, or '2e15 flops'."
    if error["type"] == "missing":
        option = {"command": "--command", "loss_from": "--loss-from"}.get(path[-1])
        return f"{key}: got nothing, wanted it" + (f", or the option {option}." if option else ".")
    if error["type"] == "value_error":
        reason = str(error["ctx"]["error"])
        return f"{key}: {reason}." if key else f"{reason}."
    wanted = error["msg"][0].lower() + error["msg"][1:]
    return f"{key}: got {error['input']!r}, {wanted.replace('input should', 'it should')}."


def _fields_at(path: list[str]) -> list[str]:
    model: type[BaseModel] = Study
    for part in path:
        annotation: Any = model.model_fields[part].annotation
        if annotation == TrainerConfig | None:
            annotation = TrainerConfig
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)
