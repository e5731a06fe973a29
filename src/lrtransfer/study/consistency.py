"""Checks that involve several settings: each message is `key: got, wanted`."""

import difflib
from collections.abc import Iterator

from ..data.configs import DigitsConfig, StandardLibraryConfig, TextConfig, UserBatchesConfig
from ..errors import ConfigError
from ..models.configs import HuggingFaceConfig, MLPConfig, TransformerConfig
from ..parametrization.rules import RELATIVE_SCHEMES
from ..statistics.axis import AXES
from ..statistics.trend import least_octaves
from .model_work import DEPTH_PATHS, ModelWork
from .program import PLACEHOLDERS, Program, list_program_problems
from .search import AdaptiveSearch, GridSearch
from .study import MODEL_SECTIONS, Study
from .variants import Number, list_numeric_paths

MAX_RUNS = 100_000
MAX_DEPTH = 10_000  # blocks of a model, which are built one by one
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


def list_problems(study: Study) -> Iterator[str]:
    """Yield what is wrong between the settings of a study."""
    try:
        search = study.search
    except ValueError as problem:
        yield str(problem)
        return
    yield from _list_tolerance_problems(study, search)
    yield from _list_axis_problems(study)
    for key, values in _list_settings(study).items():
        if len(set(values)) != len(values):
            yield f"{key}: got {list(values)}, wanted no value twice"
    many_seeds = study.seeds > 1 or search.adds_seeds
    match study.work:
        case ModelWork() as work:
            yield from _list_model_problems(study, work)
            yield from _list_varied_problems(study, work)
        case Program() as program:
            yield from _list_program_problems(study, program, many_seeds=many_seeds)
    runs = study.grid_runs
    if runs > MAX_RUNS:
        yield (
            f"seeds, grid: got {runs:,} runs, wanted at most {MAX_RUNS:,}; use fewer rates or seeds"
        )
    if study.confirm and study.target in study.measured_sizes:
        yield (
            f"confirm: got a target, {study.target}, among the {_name_sizes(study)}, wanted one "
            "that the sweep does not train"
        )
    yield from _list_search_problems(study, search)
    if isinstance(study.work, ModelWork):
        yield from _list_variant_problems(study, study.work)


def _name_sizes(study: Study) -> str:
    return "widths" if study.along == "width" else "sizes"


def _list_settings(study: Study) -> dict[str, tuple[object, ...]]:
    varied = {f"vary.{path}": values for path, values in study.vary.items()}
    return {_name_sizes(study): study.measured_sizes, "schemes": study.schemes, **varied}


def _list_tolerance_problems(study: Study, search: GridSearch | AdaptiveSearch) -> Iterator[str]:
    if not search.absolute:
        return
    if "tolerance_regret" in study.model_fields_set:
        yield (
            f"tolerance_regret_abs: got {study.tolerance_regret_abs:g} beside tolerance_regret = "
            f"{study.tolerance_regret:g}, wanted one of them"
        )
    match search:
        case AdaptiveSearch(stopping_rule=rule) if study.stopping_rule and rule.kind == "regret":
            yield (
                f"stopping_rule: got {study.stopping_rule!r}, a share of the best loss, beside "
                "tolerance_regret_abs, wanted octaves=NUMBER, or none: the study then stops when "
                "the verdicts at tolerance_regret_abs are settled"
            )


def _list_axis_problems(study: Study) -> Iterator[str]:
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
    if len(study.measured_sizes) < 2:
        sizes, plural = list(study.measured_sizes), AXES[study.along].plural
        yield f"{_name_sizes(study)}: got {sizes}, wanted at least 2 {plural} to compare"
    if study.base_size not in study.measured_sizes:
        widths = list(study.measured_sizes)
        yield f"base_width: got {study.base_size}, wanted one of the widths {widths}"


def _list_model_problems(study: Study, work: ModelWork) -> Iterator[str]:
    widths = [(_name_sizes(study), study.width_at(size)) for size in study.measured_sizes]
    widths += [("target", study.width_at(study.target)), ("base_width", study.base_width)]
    model, data = work.model, work.data
    if work.depth is not None and work.depth > MAX_DEPTH:
        yield (
            f"{DEPTH_PATHS[model.family]}: got {work.depth:,}, wanted at most {MAX_DEPTH:,} blocks"
        )
    if isinstance(model, TransformerConfig):
        for key, width in widths:
            if width % model.head_width:
                where = key if study.along == "width" or key == "base_width" else "width"
                yield (
                    f"{where}: got {width}, wanted multiples of model.head_width, "
                    f"{model.head_width}"
                )
        if model.vocabulary < BYTES and _is_text(work):
            yield (
                f"model.vocabulary: got {model.vocabulary}, wanted at least {BYTES}: tokens are "
                "bytes"
            )
    if isinstance(model, HuggingFaceConfig):
        yield from _list_scaling_problems(
            model, study.base_width, [width for _, width in widths], is_text=_is_text(work)
        )
    if study.device == "mps" and work.training.precision == "float64":
        yield "training.precision: got 'float64' with device = 'mps', wanted another: it has none"
    has_tokens = not isinstance(data, (DigitsConfig, UserBatchesConfig))
    if isinstance(model, MLPConfig) and has_tokens:
        yield f"data.source: got {data.source!r} with an mlp, wanted digits, or batches of your own"
    if isinstance(model, (TransformerConfig, HuggingFaceConfig)) and isinstance(data, DigitsConfig):
        yield "data.source: got 'digits' with a language model, wanted text or tokens"
    for scheme in study.schemes:
        if scheme not in RELATIVE_SCHEMES:
            yield f"schemes: got {scheme!r}, wanted one of {', '.join(RELATIVE_SCHEMES)}"


def _is_text(work: ModelWork) -> bool:
    return isinstance(work.data, (StandardLibraryConfig, TextConfig))


def _list_scaling_problems(
    model: HuggingFaceConfig, base_width: int, widths: list[int], *, is_text: bool
) -> Iterator[str]:
    vocabulary = model.fields.get("vocab_size", BYTES)
    if is_text and isinstance(vocabulary, int) and vocabulary < BYTES:
        yield (
            f"model.fields.vocab_size: got {vocabulary}, wanted at least {BYTES}: tokens are bytes"
        )
    for width in widths:
        try:
            model.fields_at(width, base_width=base_width)
        except ConfigError as error:
            yield str(error)


def _list_variant_problems(study: Study, work: ModelWork) -> Iterator[str]:
    """Yield what is wrong with the settings of some variant at some size."""
    sizes = (*study.measured_sizes, study.target)
    for values in _drop_repeated([study.values_at(v, n) for v in study.variants for n in sizes]):
        try:
            problems = list(_list_model_problems(study, work.with_values(values)))
        except ValueError as error:
            problems = [str(error)]
        for problem in problems:
            setting = ", ".join(f"{path} = {value}" for path, value in values.items())
            yield f"{problem.removesuffix('.')} (with {setting})"


def _drop_repeated(settings: list[dict[str, Number]]) -> list[dict[str, Number]]:
    """Return the settings in order, equal ones once; none where nothing differs."""
    return [dict(items) for items in dict.fromkeys(tuple(one.items()) for one in settings) if items]


def _list_varied_problems(study: Study, work: ModelWork) -> Iterator[str]:
    numeric = [*list_numeric_paths(work.model_dump()), *_UNSET_BY_DEFAULT]
    for path in study.vary:
        if path in numeric or path.startswith(_FREE[work.model.family]):
            continue
        close = difflib.get_close_matches(path, numeric, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"wanted one of {', '.join(numeric)}"
        yield f"vary: got {path!r}, which is no numeric setting, {hint}"
    if study.along == "width":
        return
    if study.path_along in study.vary:
        yield f"vary: got {study.path_along!r}, along which the study goes, wanted another setting"
    has_base_depth = (
        work.parametrization.base_depth is not None or "parametrization.base_depth" in study.vary
    )
    if study.along == "depth" and has_base_depth:
        yield (
            "parametrization.base_depth: got a value with along = 'depth', wanted none: it is the "
            "smallest of sizes"
        )


def _list_program_problems(study: Study, program: Program, *, many_seeds: bool) -> Iterator[str]:
    given = study.model_fields_set
    for key in (_name_sizes(study), "target"):
        if key not in given:
            yield f"{key}: got nothing, wanted it beside trainer.command"
    for key in MODEL_SECTIONS:
        if key in given:
            yield f"{key}: got a value, wanted none beside trainer.command, whose own settings hold"
    for name in study.vary:
        if not name.isidentifier() or name in {*PLACEHOLDERS, study.along}:
            yield (
                f"vary: got {name!r}, wanted a name of your own, such as weight_decay, that is "
                "{weight_decay} in trainer.command"
            )
    if study.along != "width" and study.width is None and "{width}" in program.command:
        yield "width: got nothing, wanted it for the {width} in trainer.command"
    varying = {"lr": True, "seed": many_seeds, "scheme": len(study.schemes) > 1}
    varying = {study.along: True} | varying | dict.fromkeys(study.vary, True)
    yield from list_program_problems(
        program,
        varying=[key for key, varies in varying.items() if varies],
        placeholders=tuple(dict.fromkeys((*PLACEHOLDERS, study.along, *study.vary))),
    )


def _list_search_problems(study: Study, search: GridSearch | AdaptiveSearch) -> Iterator[str]:
    match search:
        case GridSearch():
            for key in ("stopping_rule", "budget"):
                if getattr(study, key) is not None:
                    yield f"{key}: got a value, wanted it with design = 'adaptive' only"
        case AdaptiveSearch(stopping_rule=rule, budget=budget):
            if budget.unit == "flops":
                yield from _list_flops_problems(study)
            if rule.kind == "octaves":
                yield from _list_reach_problems(study, rule.value)


def _list_flops_problems(study: Study) -> Iterator[str]:
    match study.work:
        case Program():
            yield f"budget: got {study.budget!r}, wanted runs: what a command computes is not known"
        case ModelWork(model=model) if not isinstance(model, TransformerConfig):
            yield (
                f"budget: got {study.budget!r}, wanted runs: operations are known of our "
                "transformer"
            )


def _list_reach_problems(study: Study, octaves: float) -> Iterator[str]:
    sizes, plural = list(study.measured_sizes), AXES[study.along].plural
    if len(sizes) < 3:
        yield f"stopping_rule: got octaves with {plural} {sizes}, wanted at least 3 {plural}"
        return
    least = least_octaves(sizes, target=study.target)
    if octaves <= least:
        yield (
            f"stopping_rule: got octaves={octaves:g}, wanted more than {least:.2f}, the least that "
            f"{plural} {sizes} allow for {study.target}: how the drift bends "
            f"beyond them cannot be measured. Give more octaves, or {plural} nearer the target"
        )
