"""A process that times a few training steps of some runs, and throws the results away.

Its argument is a request as JSON; the last line it prints is what it found as JSON.
"""

import json
import resource
import sys
import time
from typing import Any

FEW = 2  # steps of a short run: what a longer one takes more is free of what a run costs besides
LONG_ENOUGH = 0.5  # seconds by which the longer run must be longer


def main() -> None:
    """Time some runs and count others, as the request says."""
    started = time.monotonic()
    import torch

    from .reasons import reason_of

    torch.set_num_threads(1)
    try:
        found = _found(json.loads(sys.argv[1]), started)
    except Exception as error:  # told by whoever asked
        found = {"error": reason_of(error)}
    print("\n" + json.dumps(found))  # what was printed before may lack the end of its line


def _found(request: dict[str, Any], started: float) -> dict[str, Any]:
    from .count_run import count_parameters, step_flops
    from .run_parts import Place

    place = Place(**request["place"])
    timed, counted = list[dict[str, Any]](), list[dict[str, Any]]()
    for identity in request["timed"]:
        flops = step_flops(identity, place) or step_flops(identity, place, device="cpu")
        found = {"parameters": count_parameters(identity, place), "flops": flops}
        first = json.loads(identity)
        _seconds(first, place, FEW)  # the first run of a kind also loads and traces
        if not timed:
            startup = time.monotonic() - started
        timed.append(found | _timed(first, place) | {"startup": startup})
    for identity in request["counted"]:
        parameters = count_parameters(identity, place)
        counted.append({"parameters": parameters, "flops": step_flops(identity, place)})
    return {"timed": timed, "counted": counted}


def _timed(identity: dict[str, Any], place: Any) -> dict[str, float]:
    steps = identity["settings"]["training"]["steps"]
    few, taken = _seconds(identity, place, FEW), FEW
    more = few
    while more - few < LONG_ENOUGH and taken < steps:
        taken = min(steps, 6 * taken)
        more = _seconds(identity, place, taken)
    per_step = max(0.0, more - few) / max(1, taken - FEW)
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": max(0.0, more + per_step * (steps - taken)),
        "memory": kibibytes * (1 if sys.platform == "darwin" else 1024),
    }


def _seconds(identity: dict[str, Any], place: Any, steps: int) -> float:
    from .train_run import train_run

    settings = identity["settings"]
    most = settings["training"]["steps"]  # data may end with the run
    training = settings["training"] | {"steps": min(steps, most)}
    started = time.monotonic()
    train_run(json.dumps(identity | {"settings": settings | {"training": training}}), place)
    return time.monotonic() - started


if __name__ == "__main__":
    main()
