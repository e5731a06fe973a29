"""What a study is: its settings, with the built-in study as their defaults.

A study made by `load.load` is complete and consistent. Made directly it is neither filled in nor
checked: only each setting alone is.
"""

import math
from typing import Annotated, Literal

from pydantic import Field

from ..data.configs import StandardLibraryConfig
from ..models.configs import TransformerConfig
from ..settings import Count, Name, Option, Positive, Settings
from ..statistics.axis import StudyAxis
from .grid import GridConfig
from .model_work import DEPTH_PATHS, DataSection, ModelSection, ModelWork
from .optimizers import AdamWConfig, OptimizerSection
from .parametrization import ParametrizationConfig
from .program import Program
from .search import AdaptiveSearch, GridSearch
from .stopping import Budget, StoppingRule, read_budget, read_stopping_rule
from .training import TrainingConfig
from .variants import Number, Variant, list_variants

Seed = Annotated[int, Field(ge=0, lt=2**63)]
# TOML and JSON know arrays only; their entries stay strict.
Sizes = Annotated[tuple[Count, ...], Field(strict=False)]
Names = Annotated[tuple[Name, ...], Field(strict=False, min_length=1)]
Values = Annotated[tuple[Number, ...], Field(strict=False, min_length=1)]
Device = Annotated[str, Field(pattern=r"^(cpu|mps|cuda(:\d+)?)$")]


class Study(Settings):
    """Everything that determines a study; the defaults are the built-in one."""

    name: Name = "quickstart"
    widths: Annotated[Sizes, Option("Widths to train, such as 32,64,128.")] = (32, 64, 96, 128)
    base_width: Annotated[
        Count, Option("Width at which all schemes are the same; one of the widths.")
    ] = 32
    target: Annotated[
        Count, Option("Width, or size along another axis, to find the learning rate for.")
    ] = 256
    along: Annotated[
        StudyAxis, Option("What grows: the axis along which the learning rate is to transfer.")
    ] = "width"
    sizes: Annotated[
        Sizes | None, Option("Sizes to train, if something else than the width grows.")
    ] = None
    width: Annotated[Count | None, Option("Width of all models, if something else grows.")] = None
    schemes: Annotated[Names, Option("Parametrizations, such as mup,sp.", "S,S,…")] = ("mup", "sp")
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
    tolerance_regret_abs: Annotated[
        Positive | None,
        Option("The same in units of the loss, which may then have any sign.", "LOSS"),
    ] = None
    design: Annotated[
        Literal["grid", "adaptive"],
        Option("Train the whole grid, or choose the runs that narrow the answer most."),
    ] = "grid"
    stopping_rule: Annotated[
        str | None,
        Option(
            "Adaptive: stop when the verdicts at this tolerance are settled, or when the target's "
            "rate is known to so many octaves either way.",
            "regret=SHARE|octaves=N",
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
    timeout: Annotated[
        Positive | None,
        Option(
            "How long a run may take. By default a command has no limit, and a model ten times as "
            "long as others of its kind took, at least a minute.",
            "SECONDS",
        ),
    ] = None
    device: Annotated[Device, Option("Where models are trained.", "cpu|cuda|mps")] = "cpu"
    grid: GridConfig = GridConfig()
    model: ModelSection = TransformerConfig()
    data: DataSection = StandardLibraryConfig()
    optimizer: OptimizerSection = AdamWConfig()
    training: TrainingConfig = TrainingConfig()
    parametrization: ParametrizationConfig = ParametrizationConfig()
    trainer: Program | None = None

    @property
    def work(self) -> ModelWork | Program:
        """What every run does: train a model, or call the user's program."""
        return self.trainer or ModelWork(**{key: getattr(self, key) for key in MODEL_SECTIONS})

    @property
    def search(self) -> GridSearch | AdaptiveSearch:
        """How the learning rates are searched.

        Raises:
            ValueError: If the stopping rule or the budget is none.
        """
        absolute = self.tolerance_regret_abs is not None
        tolerance = self.tolerance_regret_abs or self.tolerance_regret
        if self.design == "grid":
            return GridSearch(self.grid, tolerance, absolute)
        rule = StoppingRule("regret", tolerance)
        if self.stopping_rule is not None:
            rule = read_stopping_rule(self.stopping_rule)
        tolerance = rule.value if rule.kind == "regret" else tolerance
        budget = Budget(self.grid_runs, "runs")
        if self.budget is not None:
            budget = read_budget(self.budget)
        return AdaptiveSearch(self.grid.refined(), tolerance, absolute, rule, budget)

    @property
    def measured_sizes(self) -> tuple[int, ...]:
        """The sizes that are trained: widths, or what the study goes along."""
        return self.widths if self.along == "width" or self.sizes is None else self.sizes

    @property
    def base_size(self) -> int:
        """The size whose optimum would be used for the target."""
        return self.base_width if self.along == "width" else min(self.measured_sizes)

    def width_at(self, size: int) -> int:
        """Return the width of the model of a size."""
        return size if self.along == "width" else self.width or self.base_width

    @property
    def variants(self) -> tuple[Variant, ...]:
        """What gets an answer of its own: the schemes, with the values of what is varied."""
        return list_variants(self.schemes, self.vary)

    def values_at(self, variant: Variant, size: int) -> dict[str, Number]:
        """Return the settings that differ between runs, by path, for one variant at one size."""
        values = dict(variant.values)
        if self.along != "width":
            values[self.path_along] = size
        if self.along == "depth" and isinstance(self.work, ModelWork):
            values["parametrization.base_depth"] = self.base_size
        return values

    def work_at(self, variant: Variant, size: int) -> ModelWork | Program:
        """Return the work of one variant at one size, in which nothing is varied.

        Raises:
            ValueError: If a value is none for its setting.
        """
        work, values = self.work, self.values_at(variant, size)
        return work.with_values(values) if isinstance(work, ModelWork) and values else work

    @property
    def path_along(self) -> str:
        """Path of the setting that the study goes along, other than the width."""
        if not isinstance(self.work, ModelWork):
            return self.along
        return DEPTH_PATHS[self.model.family] if self.along == "depth" else f"training.{self.along}"

    @property
    def grid_runs(self) -> int:
        """Number of runs of the grid, those that schemes share counted for each."""
        values = math.prod(map(len, self.vary.values()))
        curves = len(self.schemes) * values * len(self.measured_sizes)
        return curves * len(self.grid.indices()) * self.seeds

    def to_json(self) -> str:
        """Return all settings that mean anything, as JSON that makes the same study again."""
        unused = set() if isinstance(self.work, ModelWork) else set(MODEL_SECTIONS)
        if self.along != "width":
            unused.add("widths")
        is_relative = self.tolerance_regret_abs is None
        unused.add("tolerance_regret_abs" if is_relative else "tolerance_regret")
        return self.model_dump_json(exclude=unused)


MODEL_SECTIONS = tuple(ModelWork.model_fields)
