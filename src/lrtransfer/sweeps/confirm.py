"""Was the target's learning rate foretold? The target trained at the rate that would be used.

The prediction is written down before the target is trained. The target gets the optimum of the base
width and a neighbour on either side, with the sweep's seeds: enough to see what the rate costs
against its neighbours, not to find the target's optimum wherever it may be.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import UserError
from ..statistics.answer import Optimum, Prediction, Regret, SchemeAnswer
from ..statistics.axis import AXES, AxisName
from ..statistics.notation import format_power
from .plan import Cell, Cells
from .study import Study

FILE_NAME = "prediction.json"
NEIGHBOURS = 1  # rates on either side of the one used


@dataclass(frozen=True)
class Confirmation:
    """Compare what was foretold for the target with what was measured there.

    Attributes:
        scheme: Name.
        size: The target, a size along the axis.
        axis: What the size counts.
        log2_lr: The rate used, the optimum of the base width, as log2.
        predicted: Learning rate foretold, if it could be.
        optimum: What the target's runs tell of its optimum.
        regret: What the rate used costs at the target, as far as its neighbours tell.
    """

    scheme: str
    size: int
    axis: AxisName
    log2_lr: float
    predicted: Prediction | None
    optimum: Optimum
    regret: Regret | None

    def __str__(self) -> str:
        """Return one line for people."""
        found, regret, name = self.optimum, self.regret, AXES[self.axis].name
        foretold = "nothing" if self.predicted is None else f"{self.predicted.lr:.3g}"
        line = (
            f"{self.scheme}: at {name} {self.size} the optimum of the base {name} "
            f"({format_power(self.log2_lr)}) was tried with its neighbours; foretold {foretold}"
        )
        if found.log2_lr is None:
            return f"{line}, no optimum measured"
        low, high = ("?" if end is None else format_power(end) for end in (found.low, found.high))
        at_edge = found.status != "ok"
        best = "best at the edge of what was tried," if at_edge else "best measured"
        line += f", {best} {format_power(found.log2_lr)} ({low} … {high})"
        if regret is None:
            return line
        least = "at least " if at_edge else ""
        return f"{line}; the rate used costs {least}{100 * regret.estimate:.2g} %"


def target_cells(study: Study, answers: Mapping[str, SchemeAnswer]) -> Cells:
    """Return what to try at the target, under every scheme whose base optimum is known."""
    cells: dict[tuple[str, int], tuple[Cell, ...]] = {}
    step = study.lattice.per_octave // study.grid.per_octave
    for name, answer in answers.items():
        used = _base_optimum(study, answer)
        if used is None:
            continue
        centre = round(used * study.lattice.per_octave)
        cells[name, study.target] = tuple(
            (centre + step * k, seed)
            for k in range(-NEIGHBOURS, NEIGHBOURS + 1)
            for seed in range(study.seeds)
        )
    return cells


def confirmations(
    study: Study, foretold: Mapping[str, SchemeAnswer], found: Mapping[str, SchemeAnswer]
) -> tuple[Confirmation, ...]:
    """Compare answers before and after the target was trained."""
    compared = []
    for scheme, answer in found.items():
        used = _base_optimum(study, foretold[scheme])
        measured = [o for o in answer.optima if o.size == study.target]
        if used is None or not measured:
            continue
        compared.append(
            Confirmation(
                scheme=scheme,
                size=study.target,
                axis=study.along,
                log2_lr=used,
                predicted=foretold[scheme].prediction,
                optimum=measured[0],
                regret=answer.regret,
            )
        )
    return tuple(compared)


def write_down(answers: Mapping[str, SchemeAnswer], directory: Path) -> None:
    """Write the predictions into the study's folder, before the target is trained.

    Raises:
        UserError: If it cannot be written.
    """
    told = {
        name: None if answer.prediction is None else asdict(answer.prediction)
        for name, answer in answers.items()
    }
    temporary = directory / f".{FILE_NAME}.tmp"
    try:
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(told, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(directory / FILE_NAME)
    except OSError as error:
        raise UserError(
            f"{directory / FILE_NAME}: got '{error.strerror}', wanted a file that can be written: "
            "the prediction must stand there before the target is trained."
        ) from None


def _base_optimum(study: Study, answer: SchemeAnswer) -> float | None:
    for optimum in answer.optima:
        if optimum.size == study.base and optimum.status == "ok":
            return optimum.log2_lr
    return None
