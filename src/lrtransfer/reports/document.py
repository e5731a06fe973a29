"""Answers and estimates as JSON documents: what commands print with `--json`."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from ..statistics.answer import SchemeAnswer
from ..statistics.transfer import Judgement
from ..study.study import Study
from ..sweeps.cost import Estimate, SizeCost
from ..sweeps.result import StudyResult, list_warnings


def study_document(result: StudyResult, *, report: str | None) -> dict[str, Any]:
    """Return the answer of a study as the document of `tune --json`.

    `low` and `high` of an optimum are log2 learning rates, those of the prediction learning rates
    and those of the drift octaves per doubling; null where there is no bound. `axis` of a scheme
    says what is varied: every `size` is a size along it.
    """
    return {
        "study": result.study.name,
        "runs": asdict(result.counts),
        **_judgement_part(result.answers),
        "variants": {
            variant.name: {"scheme": variant.scheme, "values": dict(variant.values)}
            for variant in result.study.variants
        },
        "confirmations": [asdict(confirmation) for confirmation in result.confirmations],
        "choices": list(result.choices),
        "warnings": list_warnings(result),
        "report": report,
    }


def judgement_document(judgement: Judgement, *, notes: Iterable[str]) -> dict[str, Any]:
    """Return what is concluded from runs made elsewhere, as the document of `verdict --json`."""
    return {**_judgement_part(judgement), "warnings": list(notes)}


def _judgement_part(judgement: Judgement) -> dict[str, Any]:
    return {
        "schemes": {name: _scheme_document(answer) for name, answer in judgement.items()},
        "comparisons": [asdict(comparison) for comparison in judgement.comparisons],
        "failed_runs": [asdict(failed) for failed in judgement.failures],
    }


def _scheme_document(answer: SchemeAnswer) -> dict[str, Any]:
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
