#!/usr/bin/env bash
# pytorch-optimizer 4.1.0: Prodigy trains every parameter group at the learning rate of the first.
#
# Two equal tensors with equal gradients, in groups at lr = 1 and lr = 1/4, take equal steps.
# prodigyopt 1.1.2, which it is made after, raises an error there ("Setting different lr values in
# different parameter groups is only supported for values of 0"); here nothing is said. Layer-wise
# rates (muP, LLRD, a backbone at a lower rate) have no effect.
#
# Seen: step of the group at lr 1/4 over that at lr 1: 1.0 (AdamW: 0.25); prodigyopt: RuntimeError
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.13.0 numpy
venv/bin/pip install --quiet --no-deps pytorch-optimizer==4.1.0 prodigyopt==1.1.2
cat > step.py <<'PYTHON'
import prodigyopt
import pytorch_optimizer
import torch


def compare(cls: type[torch.optim.Optimizer]) -> float:
    """Return the step of a tensor at lr 1/4 over that of its like at lr 1."""
    tensors = [torch.nn.Parameter(torch.ones(4, 4)) for _ in range(2)]
    groups = [{"params": [p], "lr": lr} for p, lr in zip(tensors, (1.0, 0.25))]
    optimizer = cls(groups)
    for _ in range(5):
        for p in tensors:
            p.grad = torch.ones_like(p)
        optimizer.step()
    first, second = ((p.detach() - 1).norm() for p in tensors)
    return float(second / first)


plain, ratio = compare(torch.optim.AdamW), compare(pytorch_optimizer.Prodigy)
print("AdamW", plain, "Prodigy of pytorch-optimizer", ratio)
assert abs(plain - 0.25) < 0.03, plain
assert abs(ratio - 1) < 1e-6, ratio
try:
    compare(prodigyopt.Prodigy)
except RuntimeError as error:
    print("prodigyopt:", error)
else:
    raise SystemExit("prodigyopt takes unequal rates now")
PYTHON
venv/bin/python -W ignore step.py
