"""A process that times a few training steps of a run, and throws the result away.

Its argument is a request as JSON; it prints what it found as JSON.
"""

import json
import resource
import sys
import time
from typing import Any

FEW, MORE = 2, 12  # steps timed: their difference is free of what a run costs beside its steps


def main() -> None:
    """Count the model of a run and, unless it is too large, time its steps."""
    started = time.monotonic()
    import torch

    from .train_run import Place, count_parameters, step_flops

    torch.set_num_threads(1)
    request = json.loads(sys.argv[1])
    identity, place = request["identity"], Place(**request["place"])
    found: dict[str, Any] = {
        "parameters": count_parameters(identity, place),
        "flops": step_flops(identity, place),
    }
    if request["timed"]:
        found |= _timed(json.loads(identity), place, started)
    print(json.dumps(found))


def _timed(identity: dict[str, Any], place: Any, started: float) -> dict[str, float]:
    _seconds(identity, place, FEW)  # the first run of a process also loads and traces
    startup = time.monotonic() - started
    few, more = (_seconds(identity, place, steps) for steps in (FEW, MORE))
    per_step = max(0.0, more - few) / (MORE - FEW)
    steps = identity["settings"]["training"]["steps"]
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "startup": startup,
        "seconds": max(0.0, few + per_step * (steps - FEW)),
        "memory": kibibytes * (1 if sys.platform == "darwin" else 1024),
    }


def _seconds(identity: dict[str, Any], place: Any, steps: int) -> float:
    from .train_run import train_run

    settings = identity["settings"]
    training = settings["training"] | {"steps": steps}
    started = time.monotonic()
    train_run(json.dumps(identity | {"settings": settings | {"training": training}}), place)
    return time.monotonic() - started


if __name__ == "__main__":
    main()
