"""Work of the first kind: every run trains a model of ours or of the user's.

The other kind is the user's program (`program.Program`). What depends on the kind of work asks
for the type of `Study.work`, and for nothing else.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Tag, ValidationError

from ..data.configs import (
    DigitsConfig,
    StandardLibraryConfig,
    TextConfig,
    TokensConfig,
    UserBatchesConfig,
)
from ..models.configs import HuggingFaceConfig, MLPConfig, TransformerConfig, UserModelConfig
from ..settings import Settings, discriminate_by
from .messages import format_first_error
from .optimizers import AdamWConfig, OptimizerSection
from .parametrization import ParametrizationConfig
from .training import LOSSES, TrainingConfig
from .variants import Number, replace_setting

ModelSection = Annotated[
    Annotated[TransformerConfig, Tag("transformer")]
    | Annotated[MLPConfig, Tag("mlp")]
    | Annotated[HuggingFaceConfig, Tag("transformers")]
    | Annotated[UserModelConfig, Tag("own")],
    discriminate_by("family", "transformer", {"build": "own", "type": "transformers"}),
]
DataSection = Annotated[
    Annotated[StandardLibraryConfig, Tag("python-standard-library")]
    | Annotated[TextConfig, Tag("text")]
    | Annotated[TokensConfig, Tag("tokens")]
    | Annotated[DigitsConfig, Tag("digits")]
    | Annotated[UserBatchesConfig, Tag("own")],
    discriminate_by("source", "python-standard-library", {"batches": "own"}),
]

# Where each family of models keeps its number of blocks.
DEPTH_PATHS = {
    "transformer": "model.depth",
    "mlp": "model.depth",
    "transformers": "model.fields.num_hidden_layers",
    "own": "model.arguments.depth",
}


class ModelWork(Settings):
    """How every run of a study trains its model: all that decides it but scheme, width and rate."""

    model: ModelSection = TransformerConfig()
    data: DataSection = StandardLibraryConfig()
    optimizer: OptimizerSection = AdamWConfig()
    training: TrainingConfig = TrainingConfig()
    parametrization: ParametrizationConfig = ParametrizationConfig()

    def with_values(self, values: Mapping[str, Number]) -> Self:
        """Return the work with some settings, named by their paths, replaced.

        Raises:
            ValueError: If a value is none for its setting.

        Example:
            >>> ModelWork().with_values({"training.steps": 5}).training.steps
            5
        """
        settings = self.model_dump(mode="json")
        for path, value in values.items():
            settings = replace_setting(settings, path, value)
        try:
            return type(self).model_validate(settings)
        except ValidationError as error:
            raise ValueError(format_first_error(error, type(self))) from None

    @property
    def depth(self) -> int | None:
        """Number of blocks of the model, where a setting gives it."""
        blocks: Any = self.model_dump(include={"model"})
        for key in DEPTH_PATHS[self.model.family].split("."):
            blocks = blocks.get(key, {})
        return blocks if isinstance(blocks, int) else None

    @property
    def context(self) -> int:
        """Tokens of a sequence that the model sees; 1 where it sees no sequences."""
        return int(getattr(self.model, "context", 1))

    @property
    def tokens_per_step(self) -> int | None:
        """Tokens of a step; None where examples are no sequences of tokens."""
        if isinstance(self.data, (DigitsConfig, UserBatchesConfig)):
            return None
        return self.training.batch * self.context

    @property
    def user_code(self) -> dict[str, str]:
        """The user's own code that the settings name, by key."""
        named = {}
        if isinstance(self.model, UserModelConfig):
            named["model.build"] = self.model.build
        if isinstance(self.data, UserBatchesConfig):
            named["data.batches"] = self.data.batches
        if self.training.loss not in LOSSES:
            named["training.loss"] = self.training.loss
        return named

    @property
    def executed(self) -> dict[str, str]:
        """What the settings name that a study executes, by key: the user's own code."""
        return self.user_code

    def training_flops(self, width: int) -> float | None:
        """Return the floating-point operations of a run of our transformer; None of another."""
        if not isinstance(self.model, TransformerConfig):
            return None
        tokens = self.training.steps * self.training.batch * self.model.context
        return tokens * self.model.training_flops(width)
