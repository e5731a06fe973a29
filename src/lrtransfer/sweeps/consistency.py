"""What is wrong between settings that are each right alone, as `key: got, wanted`."""

import difflib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..data.configs import DigitsConfig, StandardLibraryConfig, TextConfig, UserBatchesConfig
from ..errors import ConfigError
from ..models.configs import HuggingFaceConfig, MLPConfig, TransformerConfig
from ..parametrization.rules import RELATIVE_SCHEMES
from ..statistics.axis import AXES
from ..statistics.drift import least_octaves
from .arms import numeric_paths
from .trainer import PLACEHOLDERS, trainer_problems

if TYPE_CHECKING:
    from .study import Study

MAX_RUNS = 100_000
_UNSET_BY_DEFAULT = (
    "training.clip",
    "parametrization.base_depth",
    "parametrization.embedding_lr_exponent",
)
_TUNED = "parametrization.tuned."
# Settings that a section takes whatever their name.
_FREE = {
    "transformer": (_TUNED,),
    "mlp": (_TUNED,),
    "transformers": (_TUNED, "model.fields."),
    "own": (_TUNED, "model.arguments."),
}
BYTES = 256  # vocabulary of text
OF_THE_BUILT_IN_MODEL = ("model", "data", "optimizer", "training", "parametrization")


def inconsistencies(study: "Study") -> Iterator[str]:
    """Yield what is wrong between the settings of a study."""
    yield from _axis_problems(study)
    for key, values in _lists(study).items():
        if len(set(values)) != len(values):
            yield f"{key}: got {list(values)}, wanted no value twice"
    if study.trainer is None:
        yield from _model_problems(study)
        yield from _varied_problems(study)
    else:
        yield from _trainer_problems(study)
    runs = study.grid_runs
    if runs > MAX_RUNS:
        yield (
            f"seeds, grid: got {runs:,} runs, wanted at most {MAX_RUNS:,}; use fewer rates or seeds"
        )
    if study.confirm and study.target in study.measured:
        yield (
            f"confirm: got a target, {study.target}, among the {_key(study)}, wanted one that the "
            "sweep does not train"
        )
    yield from _design_problems(study)


def _key(study: "Study") -> str:
    return "widths" if study.along == "width" else "sizes"


def _lists(study: "Study") -> dict[str, tuple[object, ...]]:
    varied = {f"vary.{path}": values for path, values in study.vary.items()}
    return {_key(study): study.measured, "schemes": study.schemes, **varied}


def _axis_problems(study: "Study") -> Iterator[str]:
    given = study.model_fields_set
    if study.along == "width":
        for key in ("sizes", "width"):
            if getattr(study, key) is not None:
                yield f"{key}: got a value, wanted it with along = 'depth', 'batch' or 'steps' only"
    else:
        if "widths" in given:
            yield (
                f"widths: got a value with along = {study.along!r}, wanted sizes, and one width for"
                " all of them"
            )
        for key in ("sizes", "target"):
            if key not in given or getattr(study, key) is None:
                yield f"{key}: got nothing, wanted it with along = {study.along!r}"
    if len(study.measured) < 2:
        what = AXES[study.along].plural
        yield f"{_key(study)}: got {list(study.measured)}, wanted at least 2 {what} to compare"
    if study.base not in study.measured:
        yield (f"base_width: got {study.base}, wanted one of the widths {list(study.measured)}")


def _model_problems(study: "Study") -> Iterator[str]:
    widths = [(_key(study), study.width_at(size)) for size in study.measured]
    widths += [("target", study.width_at(study.target)), ("base_width", study.base_width)]
    model, data = study.model, study.data
    if isinstance(model, TransformerConfig):
        for key, width in widths:
            if width % model.head_width:
                where = key if study.along == "width" or key == "base_width" else "width"
                yield (
                    f"{where}: got {width}, wanted multiples of model.head_width, "
                    f"{model.head_width}"
                )
        if model.vocabulary < BYTES and _is_text(study):
            yield (
                f"model.vocabulary: got {model.vocabulary}, wanted at least {BYTES}: tokens are "
                "bytes"
            )
    if isinstance(model, HuggingFaceConfig):
        yield from _scaling_problems(study, [width for _, width in widths])
    if study.device == "mps" and study.training.precision == "float64":
        yield "training.precision: got 'float64' with device = 'mps', wanted another: it has none"
    has_tokens = not isinstance(data, (DigitsConfig, UserBatchesConfig))
    if isinstance(model, MLPConfig) and has_tokens:
        yield f"data.source: got {data.source!r} with an mlp, wanted digits, or batches of your own"
    if isinstance(model, (TransformerConfig, HuggingFaceConfig)) and isinstance(data, DigitsConfig):
        yield "data.source: got 'digits' with a language model, wanted text or tokens"
    for scheme in study.schemes:
        if scheme not in RELATIVE_SCHEMES:
            yield f"schemes: got {scheme!r}, wanted one of {', '.join(RELATIVE_SCHEMES)}"


def _is_text(study: "Study") -> bool:
    return isinstance(study.data, (StandardLibraryConfig, TextConfig))


def _scaling_problems(study: "Study", widths: list[int]) -> Iterator[str]:
    assert isinstance(study.model, HuggingFaceConfig)
    vocabulary = study.model.fields.get("vocab_size", BYTES)
    if _is_text(study) and isinstance(vocabulary, int) and vocabulary < BYTES:
        yield (
            f"model.fields.vocab_size: got {vocabulary}, wanted at least {BYTES}: tokens are bytes"
        )
    for width in widths:
        try:
            study.model.fields_at(width, base_width=study.base_width)
        except ConfigError as error:
            yield str(error)


def _varied_problems(study: "Study") -> Iterator[str]:
    settings = study.model_dump()
    sections = {key: settings[key] for key in OF_THE_BUILT_IN_MODEL}
    known = [*numeric_paths(sections), *_UNSET_BY_DEFAULT]
    for path in study.vary:
        if path in known or path.startswith(_FREE[study.model.family]):
            continue
        close = difflib.get_close_matches(path, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"wanted one of {', '.join(known)}"
        yield f"vary: got {path!r}, which is no numeric setting, {hint}"
    if study.along == "width":
        return
    if study.path_along in study.vary:
        yield f"vary: got {study.path_along!r}, along which the study goes, wanted another setting"
    given = (
        study.parametrization.base_depth is not None or "parametrization.base_depth" in study.vary
    )
    if study.along == "depth" and given and not study.is_variant:
        yield (
            "parametrization.base_depth: got a value with along = 'depth', wanted none: it is the "
            "smallest of sizes"
        )


def _trainer_problems(study: "Study") -> Iterator[str]:
    assert study.trainer is not None
    given = study.model_fields_set
    for key in (_key(study), "target"):
        if key not in given:
            yield f"{key}: got nothing, wanted it beside trainer.command"
    for key in OF_THE_BUILT_IN_MODEL:
        if key in given:
            yield f"{key}: got a value, wanted none beside trainer.command, whose own settings hold"
    for name in study.vary:
        if not name.isidentifier() or name in {*PLACEHOLDERS, study.along}:
            yield (
                f"vary: got {name!r}, wanted a name of your own, such as weight_decay, that is "
                "{weight_decay} in trainer.command"
            )
    if study.along != "width" and study.width is None and "{width}" in study.trainer.command:
        yield "width: got nothing, wanted it for the {width} in trainer.command"
    many_seeds = study.seeds > 1 or study.design == "adaptive"
    varying = {"lr": True, "seed": many_seeds, "scheme": len(study.schemes) > 1}
    varying = {study.along: True} | varying | dict.fromkeys(study.vary, True)
    yield from trainer_problems(
        study.trainer,
        varying=[key for key, varies in varying.items() if varies],
        known=tuple(dict.fromkeys((*PLACEHOLDERS, study.along, *study.vary))),
    )


def _design_problems(study: "Study") -> Iterator[str]:
    if study.design == "grid":
        for key in ("until", "budget"):
            if getattr(study, key) is not None:
                yield f"{key}: got a value, wanted it with design = 'adaptive' only"
        return
    try:
        goal, limit = study.goal, study.limit
    except ValueError as problem:
        yield str(problem)
        return
    if study.trainer is not None and limit.unit == "flops":
        yield f"budget: got {study.budget!r}, wanted runs: what a command computes is not known"
    elif limit.unit == "flops" and not isinstance(study.model, TransformerConfig):
        yield f"budget: got {study.budget!r}, wanted runs: operations are known of our transformer"
    if goal.kind == "octaves":
        yield from _reach_problems(study, goal.value)


def _reach_problems(study: "Study", octaves: float) -> Iterator[str]:
    plural = AXES[study.along].plural
    if len(study.measured) < 3:
        yield f"until: got octaves with {plural} {list(study.measured)}, wanted at least 3 {plural}"
        return
    least = least_octaves(study.measured, target=study.target)
    if octaves <= least:
        yield (
            f"until: got octaves={octaves:g}, wanted more than {least:.2f}: what the drift may bend"
            f" by between {plural} {list(study.measured)} and {study.target} cannot be measured "
            f"there. Give more octaves, or {plural} nearer the target"
        )
