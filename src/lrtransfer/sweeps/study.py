"""What a study is: its settings, with the built-in study as their defaults.

A study file is TOML and states only what differs from the built-in study. Every setting is
checked before anything is written, and an error names the key by its path.
"""

import json
import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, ValidationError, model_validator

from ..data.configs import StandardLibraryConfig
from ..errors import ConfigError
from ..models.configs import TransformerConfig
from ..settings import Count, Option, Settings
from ..statistics.axis import AxisName
from .arms import Arm, Number, arms, placed
from .complaints import first_complaint
from .consistency import OF_THE_BUILT_IN_MODEL, inconsistencies
from .goal import Budget, Until, read_budget, read_until
from .sections import (
    DEPTH,
    AdamWConfig,
    DataSection,
    GridConfig,
    ModelSection,
    OptimizerSection,
    ParametrizationConfig,
    TrainingConfig,
    depth_of,
    named_code,
)
from .trainer import TrainerConfig

Seed = Annotated[int, Field(ge=0, lt=2**63)]
# TOML and JSON know arrays only; their entries stay strict.
Sizes = Annotated[tuple[Count, ...], Field(strict=False)]
Names = Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
Values = Annotated[tuple[Number, ...], Field(strict=False, min_length=1)]
Device = Annotated[str, Field(pattern=r"^(cpu|mps|cuda(:\d+)?)$")]


class Study(Settings):
    """Set everything that determines a study; the defaults are the built-in one."""

    is_variant: ClassVar[bool] = False

    name: Annotated[str, Field(min_length=1, max_length=100)] = "quickstart"
    widths: Annotated[Sizes, Option("Widths to train, such as 32,64,128.")] = (32, 64, 96, 128)
    base_width: Annotated[
        Count, Option("Width at which all schemes are the same; one of the widths.")
    ] = 32
    target: Annotated[
        Count, Option("Width, or size along another axis, to find the learning rate for.")
    ] = 256
    along: Annotated[
        AxisName, Option("What grows: the axis along which the learning rate is to transfer.")
    ] = "width"
    sizes: Annotated[
        Sizes | None, Option("Sizes to train, where something else than the width grows.")
    ] = None
    width: Annotated[Count | None, Option("Width of all models, where something else grows.")] = (
        None
    )
    schemes: Annotated[Names, Option("Parametrizations to compare, such as mup,sp.", "S,S,…")] = (
        "mup",
        "sp",
    )
    vary: Annotated[
        dict[str, Values],
        Option(
            "A second axis: a numeric setting with its values, each of which gets a verdict of its "
            "own, such as optimizer.weight_decay=0,0.1.",
            "KEY=X,X,…",
        ),
    ] = Field(default_factory=dict)
    seeds: Annotated[Count, Option("Number of seeds: runs at every size and learning rate.")] = 3
    study_seed: Annotated[Seed, Option("Seed of all random streams of the study.")] = 0
    tolerance_regret: Annotated[
        float,
        Field(gt=0, lt=1),
        Option("Share of the best loss up to which the rate is said to transfer.", "SHARE"),
    ] = 0.01
    design: Annotated[
        Literal["grid", "adaptive"],
        Option("Train the whole grid, or choose the runs that narrow the answer most."),
    ] = "grid"
    until: Annotated[
        str | None,
        Option(
            "Adaptive: stop when the verdicts at this tolerance are settled, or when the target's "
            "rate is known to so many octaves either way.",
            "regret=SHARE|octaves=N",
            name="stopping_rule",
            aliases=("--until",),
        ),
    ] = None
    budget: Annotated[
        Count | str | None,
        Option("Adaptive: spend at most so much, such as 48 or 2e15flops.", "RUNS|FLOPS"),
    ] = None
    confirm: Annotated[
        bool,
        Option(
            "Train the target, too, at the rate that the base width's optimum gives and at its "
            "neighbours, and compare with what was predicted."
        ),
    ] = False
    device: Annotated[Device, Option("Where models are trained.", "cpu|cuda|mps")] = "cpu"
    grid: GridConfig = GridConfig()
    model: ModelSection = TransformerConfig()
    data: DataSection = StandardLibraryConfig()
    optimizer: OptimizerSection = AdamWConfig()
    training: TrainingConfig = TrainingConfig()
    parametrization: ParametrizationConfig = ParametrizationConfig()
    trainer: TrainerConfig | None = None

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, settings: Any) -> Any:
        """Of the built-in study, some defaults say nothing of another kind of study."""
        return _filled(settings) if isinstance(settings, Mapping) else settings

    def recorded(self) -> str:
        """Return all settings that mean anything, as JSON that makes the same study again."""
        unused = set() if self.trainer is None else set(OF_THE_BUILT_IN_MODEL)
        if self.along != "width":
            unused.add("widths")
        return self.model_dump_json(exclude=unused)

    @property
    def measured(self) -> tuple[int, ...]:
        """The sizes that are trained: widths, or what the study goes along."""
        return self.widths if self.along == "width" or self.sizes is None else self.sizes

    @property
    def base(self) -> int:
        """The size whose optimum would be used for the target."""
        return self.base_width if self.along == "width" else min(self.measured)

    def width_at(self, size: int) -> int:
        """Return the width of the model of a size."""
        return size if self.along == "width" else self.width or self.base_width

    @property
    def arms(self) -> tuple[Arm, ...]:
        """What gets an answer of its own: the schemes, with the values of what is varied."""
        return arms(self.schemes, self.vary)

    def at(self, arm: Arm, size: int) -> "Study":
        """Return the settings of one arm at one size: nothing is varied in them."""
        return self.variants.get((arm.values, size), self)

    @cached_property
    def variants(self) -> dict[tuple[Any, int], "Study"]:
        """The settings of every combination of values at every size, where they differ."""
        wanted = {
            (values, size): self._wanted(values, size)
            for values in dict.fromkeys(arm.values for arm in self.arms)
            for size in (*self.measured, self.target)
        }
        return {key: self._with(some) for key, some in wanted.items() if some}

    def _wanted(self, values: tuple[tuple[str, Number], ...], size: int) -> dict[str, Number]:
        """Return what an arm at a size sets, by path; nothing of a user's program."""
        if self.trainer is not None or self.is_variant:
            return {}
        wanted: dict[str, Number] = dict(values)
        if self.along != "width":
            wanted[self.path_along] = size
        if self.along == "depth":
            wanted["parametrization.base_depth"] = self.base
        return wanted

    def _with(self, wanted: Mapping[str, Number]) -> "Study":
        """Return the settings with values put in their places.

        Raises:
            ValueError: If a value is none for its setting.
        """
        settings = json.loads(self.recorded()) | {"vary": {}, "confirm": False}
        for path, value in wanted.items():
            settings = placed(settings, path, value)
        try:
            return _Variant.model_validate(settings)
        except ValidationError as error:
            told = ", ".join(f"{path} = {value}" for path, value in wanted.items())
            complaint = first_complaint(error, Study).removesuffix(".")
            raise ValueError(f"{complaint} (with {told})") from None

    @property
    def path_along(self) -> str:
        """Path of the setting that the study goes along, other than the width."""
        if self.along == "depth":
            return DEPTH[self.model.family]
        return f"training.{self.along}"

    @property
    def depth(self) -> int | None:
        """Number of blocks of the model, where a setting gives it."""
        return depth_of(self.model)

    @property
    def named_code(self) -> dict[str, str]:
        """The user's own code that the settings name, by key."""
        return {} if self.trainer else named_code(self.model, self.data, self.training)

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
        return Budget(self.grid_runs, "runs")

    @property
    def grid_runs(self) -> int:
        """Number of runs of the grid, those that schemes share counted for each."""
        count = len(self.schemes) * len(self.measured) * len(self.grid.indices()) * self.seeds
        for values in self.vary.values():
            count *= len(values)
        return count

    @model_validator(mode="after")
    def _require_consistent(self) -> Self:
        for problem in inconsistencies(self):
            raise ValueError(problem)
        _ = self.variants
        return self


class _Variant(Study):
    """A study in which nothing is varied, at one size of the axis it goes along."""

    is_variant: ClassVar[bool] = True


def _filled(settings: Mapping[str, Any]) -> dict[str, Any]:
    defaults: dict[str, Any] = {}
    widths = settings.get("widths")
    if settings.get("trainer") is not None:
        defaults |= {"name": "command", "schemes": ("all",)}
        if isinstance(widths, (list, tuple)) and widths and all(type(w) is int for w in widths):
            defaults["base_width"] = min(widths)
    if settings.get("along", "width") != "width":
        if isinstance(settings.get("width"), int):
            defaults["base_width"] = settings["width"]
        if settings.get("trainer") is None:
            # At one width the schemes are one; along depth they differ in the branches.
            both = settings["along"] == "depth"
            defaults["schemes"] = ("completep", "mup") if both else ("mup",)
    return {**defaults, **settings}


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
        raise ConfigError(where + first_complaint(error, Study)) from None


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
