"""A worker process: trains the blocks that it receives, and answers each once.

Blocks come in on its standard input, answers go out on a pipe of its own, both pickled, so that
nothing printed can be taken for an answer. It ends with its input: a worker does not outlive the
process that started it.
"""

import os
import pickle
import queue
import sys
import threading
from multiprocessing.connection import Connection

from .blocks import Block


def serve(device: str, answers: Connection) -> None:
    """Train block after block on a device until the input ends."""
    blocks: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_listen, args=(_take_input(), blocks), daemon=True).start()
    import torch

    from ..runs.train import train_block

    torch.set_num_threads(1)  # one run per core: more threads cost more than they gain
    while True:
        block: Block = pickle.loads(blocks.get())
        answers.send(list(train_block(block, device=device)))


def _take_input() -> Connection:
    """Return the input with the blocks; the user's own code finds its input at an end.

    It is not buffered: a buffer's lock, held while waiting, would stay held in forked children.
    """
    requests = Connection(os.dup(0), writable=False)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return requests


def _listen(requests: Connection, blocks: "queue.Queue[bytes]") -> None:
    try:
        while True:
            blocks.put(requests.recv_bytes())
    except (EOFError, OSError):
        os._exit(0)  # the driver is gone; a long run must not go on without it


if __name__ == "__main__":
    serve(sys.argv[1], Connection(int(sys.argv[2]), readable=False))
