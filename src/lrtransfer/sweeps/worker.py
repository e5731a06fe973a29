"""A worker process: reads one run's identity a line from stdin, answers one line of JSON each.

It answers on a pipe of its own, named by its first argument, so that nothing printed can be taken
for an answer; the second one says where it trains, as JSON. It ends with its input: a worker does
not outlive the process that started it.
"""

import json
import os
import platform
import queue
import sys
import threading
import time
from typing import Any, BinaryIO


def main(answers: int, place_json: str) -> None:
    """Train run after run, answering on this file descriptor, until the input ends."""
    requests: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(requests, _own_input()), daemon=True).start()
    import torch

    from .count_run import count_parameters
    from .reasons import reason_of
    from .run_parts import Place
    from .train_run import train_run

    torch.set_num_threads(1)  # one run per core: more threads cost more than they gain
    place = Place(**json.loads(place_json))
    record = {
        "engine": "loop",
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    while True:
        identity = requests.get()
        started = time.monotonic()
        try:
            outcome = train_run(identity, place)
        except (Exception, SystemExit) as error:
            # One run's failure is its own: it is reported, and the worker goes on.
            _send(answers, {"error": reason_of(error)})
            continue
        made = {
            "seconds": round(time.monotonic() - started, 3),
            "parameters": count_parameters(identity, place),
            "processor": _processor(place.device),
        }
        _send(answers, {"result": vars(outcome), "record": record | made})


def _processor(device: str) -> str:
    """Return what computes: equal runs differ in their last digits between processors."""
    import torch

    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return device if device != "cpu" else torch.backends.cpu.get_cpu_capability()


def _own_input() -> BinaryIO:
    """Return the input with the requests; the user's own code finds its input at an end.

    It is not buffered: a buffer's lock, held while waiting, would stay held in forked children.
    """
    requests = os.fdopen(os.dup(0), "rb", buffering=0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return requests


def _listen(requests: "queue.Queue[str]", lines: BinaryIO) -> None:
    for line in lines:
        requests.put(line.decode().strip())
    os._exit(0)  # whoever wanted the answer is gone; a long run must not go on without them


def _send(answers: int, message: dict[str, Any]) -> None:
    data = (json.dumps(message, allow_nan=False) + "\n").encode()
    while data:
        data = data[os.write(answers, data) :]


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
