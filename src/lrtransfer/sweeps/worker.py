"""A worker process: reads one run's identity a line from stdin, answers one line of JSON each.

It ends with its input, so it does not outlive the process that started it by more than a run.
"""

import json
import os
import platform
import sys
import time
import traceback
from typing import IO, Any


def main() -> None:
    """Train run after run until the input ends."""
    answers = _claim_stdout()
    import torch

    from .train_run import count_parameters, train_run

    torch.set_num_threads(1)  # one run per core: more threads cost more than they gain
    record = {"engine": "loop", "torch": torch.__version__, "python": platform.python_version()}
    _send(answers, {"ready": True})
    for line in sys.stdin:
        started = time.monotonic()
        try:
            outcome = train_run(line.strip())
        except Exception:
            # One run's failure is its own: it is reported, and the worker goes on.
            _send(answers, {"error": traceback.format_exc()})
            continue
        made = {
            "seconds": round(time.monotonic() - started, 3),
            "parameters": count_parameters(line.strip()),
        }
        _send(answers, {"result": vars(outcome), "record": record | made})


def _claim_stdout() -> IO[str]:
    """Keep stdout for answers; whatever else is printed goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _send(answers: IO[str], message: dict[str, Any]) -> None:
    answers.write(json.dumps(message, allow_nan=False) + "\n")
    answers.flush()


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        sys.exit(0)  # whoever wanted the answer is gone
