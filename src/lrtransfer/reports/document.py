"""Answers and estimates as JSON documents: what commands print with `--json`."""

from dataclasses import asdict
from typing import Any

from ..study.study import Study
from ..sweeps.cost import Estimate, SizeCost
from ..sweeps.result import StudyResult, list_warnings
from .judgement import make_judgement_part


def study_document(result: StudyResult, *, report: str | None) -> dict[str, Any]:
    """Return the answer of a study as the document of `tune --json`.

    `low` and `high` of an optimum are log2 learning rates, those of the prediction learning rates
    and those of the drift octaves per doubling; null where there is no bound. `axis` of a scheme
    says what is varied: every `size` is a size along it.
    """
    return {
        "study": result.study.name,
        "runs": asdict(result.counts),
        **make_judgement_part(result.answers),
        "variants": {
            variant.name: {"scheme": variant.scheme, "values": dict(variant.values)}
            for variant in result.study.variants
        },
        "confirmations": [asdict(confirmation) for confirmation in result.confirmations],
        "choices": list(result.choices),
        "warnings": list_warnings(result),
        "report": report,
    }


def estimate_document(study: Study, estimate: Estimate) -> dict[str, Any]:
    """Return what a study would cost, run by run, as the document of `tune --dry-run --json`."""
    return {
        "study": study.name,
        "runs": [
            {"scheme": p.variant, "size": p.size, "lr": p.run.lr, "seed": p.run.seed} | asdict(cost)
            for p, cost in estimate.runs
        ],
        "finished": estimate.finished,
        "along": study.along,
        "sizes": [_size_document(cost) for cost in estimate.sizes],
        "total": {
            "runs": len(estimate.runs),
            "flops": estimate.flops,
            "hours": None if estimate.seconds is None else estimate.seconds / 3600,
            "disk": estimate.disk,
            "workers": estimate.workers,
        },
        "confirming": None if estimate.confirming is None else _size_document(estimate.confirming),
        "target_directly": _size_document(estimate.target),
    }


def _size_document(cost: SizeCost) -> dict[str, float | None]:
    return {"size": cost.size, "runs": cost.runs, **asdict(cost.each)}
