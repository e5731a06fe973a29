"""A process that times a few training steps of a run, and throws the result away.

Its argument is the run's identity; it prints seconds and memory as JSON.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

FEW, MORE = 2, 12  # steps timed: their difference is free of what a run costs beside its steps


def main() -> None:
    """Time the run that the argument names."""
    started = time.monotonic()
    import torch

    from .train_run import train_run

    torch.set_num_threads(1)
    identity = json.loads(sys.argv[1])
    _seconds(train_run, identity, FEW)  # the first run of a process also loads and traces
    startup = time.monotonic() - started
    few, more = (_seconds(train_run, identity, steps) for steps in (FEW, MORE))
    per_step = max(0.0, more - few) / (MORE - FEW)
    steps = identity["settings"]["training"]["steps"]
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    bytes_per_unit = 1 if sys.platform == "darwin" else 1024
    print(
        json.dumps({
            "startup": startup,
            "seconds": few + per_step * (steps - FEW),
            "memory": kibibytes * bytes_per_unit,
        })
    )


def _seconds(train_run: Callable[[str], Any], identity: dict[str, Any], steps: int) -> float:
    settings = identity["settings"]
    short = identity | {
        "settings": settings | {"training": settings["training"] | {"steps": steps}}
    }
    started = time.monotonic()
    train_run(json.dumps(short))
    return time.monotonic() - started


if __name__ == "__main__":
    main()
