"""Was the target's learning rate predicted? The target trained at the rate that would be used.

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
from ..statistics.axis import AxisName
from ..study.study import Study
from .plan import GridPoint, Plan

PREDICTION_NAME = "prediction.json"
NEIGHBOURS = 1  # rates on either side of the one used


@dataclass(frozen=True)
class Confirmation:
    """What was predicted for the target beside what was measured there.

    Attributes:
        scheme: Name.
        size: The target, a size along the axis.
        axis: What the size counts.
        log2_lr: The rate used, the optimum of the base width, as log2.
        predicted: Learning rate predicted, if it could be.
        optimum: Optimum of the target's runs.
        regret: What the rate used costs at the target, as far as its neighbours show.
    """

    scheme: str
    size: int
    axis: AxisName
    log2_lr: float
    predicted: Prediction | None
    optimum: Optimum
    regret: Regret | None


def plan_target(study: Study, answers: Mapping[str, SchemeAnswer]) -> Plan:
    """Return what to try at the target, under every variant whose base optimum is known."""
    plan: dict[tuple[str, int], tuple[GridPoint, ...]] = {}
    per_octave = study.search.lattice.per_octave
    step = per_octave // study.grid.per_octave
    for variant, answer in answers.items():
        used = _find_base_optimum(study, answer)
        if used is None:
            continue
        centre = round(used * per_octave)
        plan[variant, study.target] = tuple(
            GridPoint(centre + step * k, seed)
            for k in range(-NEIGHBOURS, NEIGHBOURS + 1)
            for seed in range(study.seeds)
        )
    return plan


def confirm(
    study: Study, before: Mapping[str, SchemeAnswer], after: Mapping[str, SchemeAnswer]
) -> tuple[Confirmation, ...]:
    """Compare the answers before the target was trained with those after."""
    confirmations = []
    for variant, answer in after.items():
        used = _find_base_optimum(study, before[variant])
        at_target = [optimum for optimum in answer.optima if optimum.size == study.target]
        if used is None or not at_target:
            continue
        confirmations.append(
            Confirmation(
                scheme=variant,
                size=study.target,
                axis=study.along,
                log2_lr=used,
                predicted=before[variant].prediction,
                optimum=at_target[0],
                regret=answer.regret,
            )
        )
    return tuple(confirmations)


def write_predictions(answers: Mapping[str, SchemeAnswer], directory: Path) -> None:
    """Write the predictions into the study's folder, before the target is trained.

    Raises:
        UserError: If it cannot be written.
    """
    predictions = {
        name: None if answer.prediction is None else asdict(answer.prediction)
        for name, answer in answers.items()
    }
    temporary = directory / f".{PREDICTION_NAME}.tmp"
    try:
        temporary.unlink(missing_ok=True)  # of a study that was killed while it wrote
        with temporary.open("x", encoding="utf-8") as file:
            json.dump(predictions, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(directory / PREDICTION_NAME)
    except OSError as error:
        raise UserError(
            f"{directory / PREDICTION_NAME}: got '{error.strerror}', wanted a file that can be "
            "written: the prediction must stand there before the target is trained."
        ) from None


def _find_base_optimum(study: Study, answer: SchemeAnswer) -> float | None:
    for optimum in answer.optima:
        if optimum.size == study.base_size and optimum.status == "ok":
            return optimum.log2_lr
    return None
