"""What runs will cost: processes that count models and time a few steps, and keep no result.

A process reads its request, pickled, from its standard input; the last line that it prints is its
answer as JSON.
"""

import json
import os
import pickle
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from statistics import mean
from subprocess import PIPE
from typing import IO, Any

from ..errors import UserError
from ..runs.failure import describe_error, describe_output, format_failure
from ..runs.own_process import require_process
from ..runs.run import CurveSettings, RunSettings, RunSpec
from .supervised import SupervisedProcess

# Time per step is the difference of a long and a short run, so that fixed costs cancel.
SHORT = 2  # steps of the short run
LONG_ENOUGH = 0.5  # seconds by which the long run must be longer


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What is known of a run without training it to the end; None where it is not.

    Attributes:
        parameters: Number of parameters of the model.
        flops: Floating-point operations of one step.
        startup: Seconds until the first run of a process was ready.
        seconds: Time of the whole run.
        memory: Bytes that the process held.
    """

    parameters: int | None = None
    flops: float | None = None
    startup: float = 0.0
    seconds: float | None = None
    memory: int | None = None


def probe_runs(
    timed: Sequence[RunSpec], *, counted: RunSpec, device: str, workers: int
) -> dict[tuple[int, CurveSettings], Probe]:
    """Time runs of different cost classes, and count one that is not trained.

    Arguments:
        timed: One run of each class.
        counted: A run whose model is counted alone.
        device: Where models are trained.
        workers: Processes that do the same at once, as many as will train: they share the memory
            bus.

    Returns:
        What is known of each class.

    Raises:
        UserError: If a model cannot be trained at all.
    """
    timed = sorted(timed, key=lambda run: (run.width, run.settings.canonical))
    request = pickle.dumps((timed, counted, device))
    answers = _run_probes(request, workers if timed else 1)
    for answer in answers:
        if "error" in answer:
            raise UserError(f"dry run: {format_failure(answer['error'])}")
    by_process = [[Probe(**probe) for probe in answer["timed"]] for answer in answers]
    combined = map(_combine, zip(*by_process, strict=True))
    classes = [run.cost_class for run in timed]
    uncounted = Probe(**answers[0]["counted"])
    return {counted.cost_class: uncounted} | dict(zip(classes, combined, strict=True))


def _run_probes(request: bytes, count: int) -> list[dict[str, Any]]:
    """Return the answers of so many processes, which end with this call."""
    command = [sys.executable, "-P", "-m", __spec__.name]
    with ExitStack() as ending:
        printed = [ending.enter_context(tempfile.TemporaryFile()) for _ in range(count)]
        processes = []
        for output in printed:
            process = SupervisedProcess(command, stdin=PIPE, stdout=PIPE, stderr=output)
            ending.enter_context(process.supervisor)
            ending.callback(process.end, 0.0)  # where an interrupt leaves it running
            processes.append(process)
        for process in processes:
            pipe = process.supervisor.stdin
            assert pipe is not None
            with suppress(BrokenPipeError):  # one that ended already says so by its exit code
                pipe.write(request)
                pipe.close()
            process.supervisor.stdin = None
        outputs = [process.supervisor.communicate()[0] for process in processes]
        codes = [process.wait() for process in processes]
        return [*map(_read_answer, outputs, codes, printed)]


def _read_answer(output: bytes, code: int, printed: IO[bytes]) -> dict[str, Any]:
    """Return the answer that a process printed in its last line, after what the code printed.

    Raises:
        UserError: If there is none.
    """
    with suppress(ValueError, IndexError):
        answer: Any = json.loads(output.decode(errors="replace").strip().splitlines()[-1])
        if code == 0 and isinstance(answer, dict) and answer.keys() & {"timed", "error"}:
            return answer
    printed.seek(0)
    said = output.decode(errors="replace") + printed.read().decode(errors="replace")
    raise UserError(
        "\n".join([
            f"dry run: got exit code {code} and no answer from a few steps, wanted a model that "
            "trains. What it printed last:",
            *describe_output(said),
        ])
    )


def _combine(probes: Sequence[Probe]) -> Probe:
    """Combine the measurements of processes that did the same at once."""
    return replace(
        probes[0],
        startup=max(probe.startup for probe in probes),
        seconds=mean(probe.seconds or 0.0 for probe in probes),
        memory=max(probe.memory or 0 for probe in probes),
    )


def main() -> None:
    """Answer the request on the standard input."""
    started = time.monotonic()
    timed, counted, device = pickle.load(sys.stdin.buffer)
    import torch

    torch.set_num_threads(1)
    owner = os.getpid()
    try:
        answer = _answer(timed, counted, device, started)
    except BaseException as error:  # the driver raises it
        answer = {"error": describe_error(error)}
    require_process(owner)
    print("\n" + json.dumps(answer))  # what was printed before may lack the end of its line


def _answer(
    timed: Sequence[RunSpec], counted: RunSpec, device: str, started: float
) -> dict[str, object]:
    from ..runs.count import count_parameters, count_step_flops

    probes, startup = list[dict[str, object]](), None
    for run in timed:
        flops = count_step_flops(run) or count_step_flops(run, device="cpu")
        parameters = count_parameters(run)
        _time_training(run, device, SHORT)  # the first run of a kind also loads and traces
        if startup is None:
            startup = time.monotonic() - started
        probe = Probe(
            parameters=parameters,
            flops=flops,
            startup=startup,
            seconds=_time_run(run, device),
            memory=_peak_memory(),
        )
        probes.append(asdict(probe))
    alone = Probe(parameters=count_parameters(counted), flops=count_step_flops(counted))
    return {"timed": probes, "counted": asdict(alone)}


def _time_run(run: RunSpec, device: str) -> float:
    """Return the seconds of a run, from those of some of its steps."""
    steps = run.settings.steps
    short, taken = _time_training(run, device, SHORT), SHORT
    long = short
    while long - short < LONG_ENOUGH and taken < steps:
        taken = min(steps, 6 * taken)
        long = _time_training(run, device, taken)
    per_step = max(0.0, long - short) / max(1, taken - SHORT)
    return max(0.0, long + per_step * (steps - taken))


def _peak_memory() -> int:
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kibibytes * (1 if sys.platform == "darwin" else 1024)


def _time_training(run: RunSpec, device: str, steps: int) -> float:
    """Return the seconds of a training of so many steps, or of all where these are fewer."""
    from ..runs.train import train_run

    owner, started = os.getpid(), time.monotonic()
    train_run(_shorten(run, steps), device=device, on_step=partial(require_process, owner))
    return time.monotonic() - started


def _shorten(run: RunSpec, steps: int) -> RunSpec:
    settings = run.settings
    assert isinstance(settings, RunSettings)  # programs are not probed
    training = settings.work.training
    shorter = training.model_copy(update={"steps": min(steps, training.steps)})
    work = settings.work.model_copy(update={"training": shorter})
    return replace(run, settings=replace(settings, work=work))


if __name__ == "__main__":
    main()
