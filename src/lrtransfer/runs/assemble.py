"""The parts of a run: model, recipe and task.

Recipes and tasks are kept for the runs of one process that share them.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial

from torch import nn

from ..data.configs import DigitsConfig, TokenConfig, UserBatchesConfig
from ..data.digits import read_digits
from ..data.sources import read_corpus
from ..errors import UserError
from ..models.configs import HuggingFaceConfig, MLPConfig, TransformerConfig, UserModelConfig
from ..models.hugging_face import hugging_face_model
from ..models.mlp import MLP
from ..models.transformer import Transformer
from ..parametrization.choices import Choices, Tuned
from ..parametrization.parametrize import parametrize
from ..parametrization.recipe.recipe import Recipe
from ..parametrization.rules import SCHEMES
from ..study.model_work import ModelWork
from ..training.causality import require_causal
from ..training.objective import Loss, cross_entropy, squared_error
from ..training.task import Classes, NextToken, Task, UserBatches
from .optimizers import name_rule
from .own_process import end_forked_children
from .run import SHARED_SCHEME, RunSettings, RunSpec
from .streams import begin_streams
from .user_code.digest import digest_code
from .user_code.load import load_callable

# Runs of one worker share their text, whatever else differs between them.
_read_corpus = lru_cache(maxsize=1)(read_corpus)

_LOSSES: dict[str, Loss] = {"cross-entropy": cross_entropy, "squared-error": squared_error}


def make_task(settings: RunSettings) -> Task:
    """Return the data and the loss of a run.

    Raises:
        UserError: If the data are not those that the run was planned with.
    """
    return _make_task(_keep_shared(settings))


def make_recipe(run: RunSpec) -> Recipe:
    """Return the recipe of a run.

    Raises:
        UserError: If the code is not that which the run was planned with, or there is no recipe for
            the model.
    """
    return _make_recipe(run.scheme, run.width, _keep_shared(require_model_settings(run)))


def require_model_settings(run: RunSpec) -> RunSettings:
    """Return the settings of a run that trains a model.

    Raises:
        TypeError: If it is the run of a program.
    """
    if not isinstance(run.settings, RunSettings):
        raise TypeError(f"run {run.id}: got {type(run.settings).__name__}, wanted RunSettings")
    return run.settings


def make_builder(settings: RunSettings) -> Callable[[int], nn.Module]:
    """Return the function from width to model."""
    match settings.work.model:
        case TransformerConfig() as config:
            return partial(Transformer, config=config)
        case MLPConfig() as config:
            return partial(MLP, config=config)
        case HuggingFaceConfig() as config:
            return partial(hugging_face_model, config=config, base_width=settings.base_width)
        case UserModelConfig() as config:
            build = end_forked_children()(load_callable("model.build", config.build))
            return partial(build, **config.arguments)


def _keep_shared(settings: RunSettings) -> RunSettings:
    """Return the settings on which task and recipe depend: not on study seed and length."""
    work = settings.work
    training = work.training.model_copy(update={"steps": 1})
    return replace(settings, study_seed=0, work=work.model_copy(update={"training": training}))


@lru_cache(maxsize=64)
def _make_recipe(scheme: str, width: int, settings: RunSettings) -> Recipe:
    _require_code(settings)
    # At the base width all relative schemes are one; any of them gives the same recipe.
    scheme = "sp" if scheme == SHARED_SCHEME else scheme
    build, example = make_builder(settings), _make_task(settings).example()
    begin_streams("recipe")
    if isinstance(settings.work.data, TokenConfig):
        require_causal(build(settings.base_width), example)
    begin_streams("recipe")
    return parametrize(
        build,
        width=width,
        base_width=settings.base_width,
        scheme=scheme,
        optimizer=name_rule(settings.work.optimizer),
        example=example,
        choices=_make_choices(settings.work, scheme),
    )


def _make_choices(work: ModelWork, scheme: str) -> Choices:
    config, depth = work.parametrization, work.depth
    scales_depth = config.base_depth is not None and SCHEMES[scheme].depth
    if scales_depth and depth is None:
        raise UserError(
            "parametrization.base_depth: got a value, but the model's depth is not known, wanted "
            "it in model.depth, model.fields.num_hidden_layers or model.arguments.depth."
        )
    return Choices(
        **config.model_dump(exclude={"base_depth", "tuned"}),
        depth=depth if scales_depth else None,
        base_depth=config.base_depth if scales_depth else None,
        tuned={role: Tuned(t.lr, t.init_std) for role, t in config.tuned.items()},
    )


def _require_code(settings: RunSettings) -> None:
    if digest_code(settings.work.user_code) != settings.code_digest:
        raise UserError(
            "code: got other code than the study was planned with: it changed since. Start the "
            "command again."
        )


@lru_cache(maxsize=16)
def _make_task(settings: RunSettings) -> Task:
    """Return the task of runs; held-out batches are drawn at once, the same in every process."""
    task = _begin_task(settings)
    begin_streams("held out")
    task.example()
    return task


def _begin_task(settings: RunSettings) -> Task:
    work = settings.work
    batch, loss = work.training.batch, work.training.loss
    objective = _LOSSES.get(loss) or load_callable("training.loss", loss)
    match work.data:
        case DigitsConfig() as config:
            return Classes(*read_digits(config), batch=batch, objective=objective)
        case UserBatchesConfig() as config:
            # A model that is called by keywords gives its own loss.
            users = objective if loss != "cross-entropy" else None
            function = load_callable("data.batches", config.batches)
            return UserBatches(function, batch, config.held_out_batches, users)
        case config:
            corpus = _read_corpus(config)
    if corpus.digest != settings.data_digest:
        raise UserError(
            f"corpus: got digest {corpus.digest[:12]}, wanted {settings.data_digest[:12]}: the "
            "text changed since the study was planned. Start the command again."
        )
    return NextToken(
        corpus,
        batch=batch,
        context=work.context,
        held_out_tokens=config.held_out_tokens,
        objective=objective,
        vocabulary=_find_vocabulary(work),
    )


def _find_vocabulary(work: ModelWork) -> int | None:
    if isinstance(work.model, TransformerConfig):
        return work.model.vocabulary
    if isinstance(work.model, HuggingFaceConfig):
        return work.model.fields.get("vocab_size")
    return None
