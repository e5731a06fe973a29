"""Let your own program train the runs: `lrtransfer tune --command`.

Without arguments, this file starts the study, which then calls it with arguments, once for every
learning rate and width. Put your own `train.py` in its place. The model is a two-layer network
under muP in NumPy.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np


def train(*, width: int, lr: float, seed: int, steps: int = 60) -> float:
    """Train a network of this width by gradient descent and return its held-out loss."""
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((1100, 8))
    targets = np.sin(inputs @ rng.standard_normal((8, 1)) / 3) + rng.standard_normal((1100, 1))
    x, y = inputs[:100], targets[:100]
    first = np.random.default_rng([seed, width]).standard_normal((8, width)) / np.sqrt(8)
    readout = np.zeros((width, 1))
    for _ in range(steps):
        hidden = np.maximum(x @ first, 0)
        slope = 2 * (hidden @ readout - y) / len(x)
        gate = (slope @ readout.T) * (hidden > 0)
        # muP for SGD: the first layer learns at lr * width, the readout at lr / width.
        readout -= lr / width * hidden.T @ slope
        first -= lr * width * x.T @ gate
        if not np.abs(readout).max() < 1e3:
            return float("nan")  # reports that the run diverged
    error = np.maximum(inputs[100:] @ first, 0) @ readout - targets[100:]
    return float((error**2).mean())


def main() -> None:
    """Train one model if called with arguments; without arguments, tune this program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int)
    parser.add_argument("--lr", type=float)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.width is not None:
        loss = train(width=options.width, lr=options.lr, seed=options.seed)
        (options.out / "result.json").write_text(json.dumps({"loss": loss}))
        return
    study = Path(tempfile.mkdtemp())
    done = subprocess.run(
        [
            *(sys.executable, "-m", "lrtransfer", "tune", "--json", "--out", str(study)),
            "--command",
            f"'{sys.executable}' '{__file__}' --width {{width}} --lr {{lr}} --seed {{seed}} "
            "--out {out}",
            *("--loss-from", "{out}/result.json:loss", "--scheme", "mup", "--seeds", "1"),
            *("--widths", "64,128,256,512", "--target", "2048", "--workers", "2"),
            *("--lr-low", "2^-6", "--lr-high", "2^1", "--design", "adaptive"),
        ],
        check=True,
        stdout=subprocess.PIPE,
    )
    answer = json.loads(done.stdout)["schemes"]["mup"]
    print(answer["verdict"], "-", answer["reason"])
    print(f"learning rate for width 2048: {answer['prediction']['lr']:.3g}")
    assert answer["verdict"] == "transfers"


if __name__ == "__main__":
    main()
