"""Train blocks of runs: assemble the parts, let an engine train them, note what came of it.

This is where parametrization and training meet; nothing but the identity decides the result.
"""

import platform
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import torch
from torch import nn

from ..errors import UserError
from ..randomness import seed_of
from ..training.engines.engine import Engine, TrainingJob
from ..training.engines.loop import Loop
from ..training.outcome import Outcome
from ..training.schedule import schedule_factor
from ..training.step_options import StepOptions
from .assemble import make_builder, make_recipe, make_task, require_model_settings
from .count import count_parameters
from .failure import Failure, describe_error
from .optimizers import make_optimizers
from .result import Provenance, TrainedRun
from .run import RunSpec
from .streams import begin_streams

ENGINES: tuple[Engine, ...] = (Loop(),)  # the first that takes a block trains it


def train_block(
    block: Iterable[RunSpec],
    *,
    device: str = "cpu",
    on_step: Callable[[], None] = lambda: None,
) -> Iterator[tuple[RunSpec, TrainedRun | Failure]]:
    """Yield what came of every run of a block, in order; one run's failure is its own.

    Arguments:
        block: The runs.
        device: Where they are trained.
        on_step: Called before every step of any of them.
    """
    remaining = deque(block)
    while remaining:
        started = time.monotonic()
        try:
            jobs = [make_job(run, device=device, on_step=on_step) for run in remaining]
            engine = _choose_engine(jobs)
            # strict: an engine that gives too few outcomes would be asked for them for ever.
            for run, outcome in zip(tuple(remaining), engine.train(jobs), strict=True):
                seconds, started = time.monotonic() - started, time.monotonic()
                provenance = _describe(run, engine, seconds=seconds, device=device)
                remaining.popleft()
                yield run, TrainedRun(run.id, run.identity, outcome, provenance)
        except BaseException as error:  # also an exit or an interrupt that the user's code raises
            if isinstance(error, GeneratorExit):  # whoever reads the results has stopped
                raise
            run = remaining.popleft()
            yield run, Failure(run, describe_error(error), may_pass=_is_out_of_memory(error))


def train_run(
    run: RunSpec, *, device: str = "cpu", on_step: Callable[[], None] = lambda: None
) -> Outcome:
    """Train one run and return its outcome; arguments as of `train_block`.

    Raises:
        UserError: If data or code are not those that the run was planned with, or model, data and
            optimizer do not work together.
    """
    jobs = [make_job(run, device=device, on_step=on_step)]
    (outcome,) = _choose_engine(jobs).train(jobs)
    return outcome


def _is_out_of_memory(error: BaseException) -> bool:
    """Return whether memory was missing, which other runs may have held."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError))


def make_job(
    run: RunSpec, *, device: str, on_step: Callable[[], None] = lambda: None
) -> TrainingJob:
    """Return what an engine needs to train a run.

    Raises:
        UserError: If the data are not those that the run was planned with.
    """
    settings = require_model_settings(run)
    training = settings.work.training
    options = StepOptions(device, training.precision, training.accumulate, training.clip)
    factor = partial(
        schedule_factor,
        steps=training.steps,
        warmup_share=training.warmup_share,
        final_factor=training.final_factor,
        decay=training.schedule,
        decay_share=training.decay_share,
    )

    def schedule(step: int) -> float:
        on_step()
        return factor(step)

    return TrainingJob(
        start=partial(_start, run, options),
        task=make_task(settings),
        steps=training.steps,
        seed=seed_of("data", settings.study_seed, run.seed),
        schedule=schedule,
        options=options,
    )


def _start(run: RunSpec, options: StepOptions) -> tuple[nn.Module, Sequence[torch.optim.Optimizer]]:
    settings = require_model_settings(run)
    seeds = (settings.study_seed, run.seed)
    recipe = make_recipe(run)
    begin_streams("model", *seeds)  # of what a model itself draws, such as dropout
    model = recipe.initialize(
        make_builder(settings)(run.width),
        seed=seed_of("init", *seeds),
        overwrite=True,  # it was just built
    )
    _require_device(options.device)
    options.prepare(model)
    optimizers = make_optimizers(recipe, model, settings.work.optimizer, lr=run.lr)
    recipe.verify(model, *optimizers)
    begin_streams("training", *seeds)  # a user's data may draw from the common streams, too
    return model, optimizers


def _choose_engine(jobs: Sequence[TrainingJob]) -> Engine:
    return next(engine for engine in ENGINES if all(map(engine.takes, jobs)))


def _describe(run: RunSpec, engine: Engine, *, seconds: float, device: str) -> Provenance:
    return Provenance(
        engine=engine.name,
        seconds=round(seconds, 3),
        parameters=count_parameters(run),
        processor=_name_processor(device),
        python=platform.python_version(),
        torch=torch.__version__,
    )


def _name_processor(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return device if device != "cpu" else torch.backends.cpu.get_cpu_capability()


def _require_device(device: str) -> None:
    try:
        torch.empty(1, device=device)
    except Exception as error:
        raise UserError(
            f"device: got {device!r}, on which torch computes nothing ({error}), wanted one that "
            "this machine and this torch have, such as cpu."
        ) from None
