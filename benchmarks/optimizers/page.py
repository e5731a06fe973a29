"""The page that the trials of optimizers fill."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .catalog import DECAY, LR

_HEAD = f"""# What optimizers of public packages do

Measured and written by `python -m benchmarks.optimizers` (install the packages of the extra
`optimizers` with `pip install --no-deps`; dion and SOAP are on GitHub alone). Each configuration
was made as a user would: recipe with `follows=`, groups with lr = {LR:g}, weight decay {DECAY:g},
no `lr=` for the constructor unless the table shows it, then `recipe.verify(..., test=True)`.

- **verify**: what it said; for what it refuses, what [the trial](../reference/optimizers.md)
  measured.
- **steps at widths 64 and 256**: an independent measurement. The optimizer trains a linear model at
  both widths with equal gradients (smaller by 1/4 below the readout, as they are under μP). Listed
  is what differs from what the recipe promises: the step of input, hidden and output matrices at
  four times the width (promised 1, 1/4, 1/4; orthogonal steps 1/2), the share that weight decay
  takes, equal tensors, weights that move without a gradient.
"""


@dataclass(frozen=True)
class Row:
    """What was found of one configuration.

    Attributes:
        package: Name of its package.
        version: Version of the package.
        label: The class with its options.
        follows: The rule that it is said to follow.
        verdict: What `verify` says: passes, refused, caution, or not made.
        reason: Its message.
        faults: What the steps at two widths show.
        seconds: Time of the processor that `verify` took.
    """

    package: str
    version: str
    label: str
    follows: str
    verdict: str
    reason: str
    faults: Sequence[str]
    seconds: float


def write_page(rows: Sequence[Row]) -> str:
    """Return the page as Markdown."""
    made = [row for row in rows if row.verdict != "not made"]
    seconds = sorted(row.seconds for row in made)
    counts = [
        ("configurations tried", len(made)),
        ("pass, and the steps are as promised", _count(made, passes=True, faults=False)),
        ("refused or cautioned, and the steps differ", _count(made, passes=False, faults=True)),
        ("pass, though the steps differ", _count(made, passes=True, faults=True)),
        ("refused, though these steps are as promised", _count(made, passes=False, faults=False)),
        ("could not be made in this way", len(rows) - len(made)),
    ]
    table = ["| | configurations |", "|---|---|", *(f"| {name} | {n} |" for name, n in counts)]
    median = seconds[len(seconds) // 2] if seconds else 0.0
    return "\n".join([
        _HEAD,
        *table,
        "",
        f"`verify` took {median:.2g} s of one core (median).",
        "",
        _NOTES,
        *_write_rows([row for row in rows if row in made]),
    ])


_NOTES = """Where the two differ (torch 2.13, versions as below):

- dion's `Muon` as `muon_keller` and omnimuon's `Muon` are refused for what a model of square hidden
  matrices does not show: the factor of wide matrices, and rates that are ignored (the recipe wants
  equal ones there).
- `AdaGO`, `DualAdam` and `VSGD` follow the size of larger gradients, and `DASH` takes smaller steps
  for larger matrices up to 32 × 32, in the trial alone.
- torch-optimizer's `Lamb` counts no norm above 10, which matrices of width 256 do not reach yet.
- `APOLLO` takes a fixed share of the decay (0.316 times), the same at every width: that is right.
- `Alice` takes 0.80 of the promised step on input matrices, just outside the band of 0.8 to 1.25.
- `AdaSmooth(weight_decouple=True)` passes, though its decay changes with width: a miss.

pytorch-optimizer's Kron and SpectralSphere take minutes and were left out, as were optimizers that
want second derivatives, a model or several processes."""


def _count(rows: Sequence[Row], *, passes: bool, faults: bool) -> int:
    return sum((row.verdict == "passes") == passes and bool(row.faults) == faults for row in rows)


def _write_rows(rows: Sequence[Row]) -> list[str]:
    lines = []
    for package in dict.fromkeys(row.package for row in rows):
        own = [row for row in rows if row.package == package]
        lines += [f"\n## {package} {own[0].version}\n"]
        lines += [
            "| optimizer | follows | verify | steps at widths 64 and 256 |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| `{row.label}` | `{row.follows}` | {_tell(row)} | "
            f"{'; '.join(row.faults) or 'as promised'} |"
            for row in own
        ]
    return lines


def _tell(row: Row) -> str:
    if row.verdict == "passes":
        return "passes"
    parts = re.findall(r"got (.*?)(?:, wanted|$)", row.reason, flags=re.DOTALL)
    told = "; ".join(parts) or row.reason
    return f"**{row.verdict}**: {told}".replace("|", "\\|").replace("\n", " ")
