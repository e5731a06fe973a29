"""Answers and estimates as the JSON documents that commands print: plain data, no NaN."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ..statistics.answer import SchemeAnswer
from ..sweeps.estimate import Estimate, SizeCost
from ..sweeps.result import StudyResult, warnings
from ..sweeps.study import Study


def study_document(result: StudyResult, *, report: str | None) -> dict[str, Any]:
    """Return the answer as the JSON document of `tune --json`.

    `low` and `high` of an optimum are log2 learning rates, those of the prediction learning rates
    and those of the drift octaves per doubling; null where there is no bound. `axis` of a scheme
    says what is varied: every `size` is a size along it.
    """
    return {
        "study": result.study.name,
        "runs": asdict(result.counts),
        "schemes": schemes_document(result.answers),
        "arms": {
            arm.name: {"scheme": arm.scheme, "values": dict(arm.values)}
            for arm in result.study.arms
        },
        "comparisons": [asdict(comparison) for comparison in result.answers.comparisons],
        "confirmations": [asdict(confirmation) for confirmation in result.confirmations],
        "choices": list(result.choices),
        "warnings": warnings(result),
        "report": report,
    }


def schemes_document(answers: Mapping[str, SchemeAnswer]) -> dict[str, Any]:
    """Return what is concluded for each scheme, as in the JSON document of `tune --json`."""
    return {name: _scheme(answer) for name, answer in answers.items()}


def _scheme(answer: SchemeAnswer) -> dict[str, Any]:
    return {
        "axis": answer.axis,
        "verdict": answer.verdict,
        "reason": answer.reason,
        "covers": answer.covers,
        "regret": asdict(answer.regret) if answer.regret else None,
        "regrets": [asdict(regret) for regret in answer.regrets],
        "quality": asdict(answer.quality),
        "drift": asdict(answer.drift) if answer.drift else None,
        "optima": [asdict(optimum) for optimum in answer.optima],
        "prediction": asdict(answer.prediction) if answer.prediction else None,
        "evidence": [{"text": str(e), **asdict(e)} for e in answer.evidence],
    }


def estimate_document(study: Study, found: Estimate) -> dict[str, Any]:
    """Return what a study would cost, every run listed, as in `tune --dry-run --json`."""
    return {
        "study": study.name,
        "runs": [
            {"scheme": p.scheme, "size": p.size, "lr": p.run.lr, "seed": p.run.seed} | asdict(cost)
            for p, cost in found.runs
        ],
        "finished": found.finished,
        "along": study.along,
        "sizes": [_size_document(cost) for cost in found.sizes],
        "total": {
            "runs": len(found.runs),
            "flops": found.flops,
            "hours": None if found.seconds is None else found.seconds / 3600,
            "disk": found.disk,
            "workers": found.workers,
        },
        "confirming": None if found.confirming is None else _size_document(found.confirming),
        "target_directly": _size_document(found.target),
    }


def _size_document(cost: SizeCost) -> dict[str, float | None]:
    return {"size": cost.size, "runs": cost.runs, **asdict(cost.each)}
