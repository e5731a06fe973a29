"""Answers along depth, batch size and training length: the same numbers, other words."""

import json
import re
from dataclasses import asdict, replace
from typing import Any

import pytest

from lrtransfer.errors import TableError
from lrtransfer.statistics.answer import SchemeAnswer
from lrtransfer.statistics.axis import AXES, AxisName
from lrtransfer.statistics.table import Observation, RunTable
from lrtransfer.statistics.transfer import judge

from .test_transfer import moving, runs, still, table

OTHERS: tuple[AxisName, ...] = ("depth", "batch", "steps")
EDGE = runs("edge", lambda log2_width: -3.0 - 3 * (log2_width - 6), widths=(64, 128))
ALONE = runs("alone", still, widths=(64,))
CLIFF = runs("cliff", moving, cliff=1.0)
GONE = [Observation("gone", w, 2.0**x, 0, None, True) for w in (64, 128) for x in (-6, -5, -4)]
EVERYTHING = table(runs("still", still), runs("moving", moving), CLIFF, EDGE, ALONE, GONE)


def text_of(answer: SchemeAnswer) -> str:
    """Return all that people read of an answer."""
    assumption = answer.prediction.assumption if answer.prediction else ""
    return "\n".join((answer.reason, answer.covers, assumption, *map(str, answer.evidence)))


def judged(axis: AxisName, **options: Any) -> dict[str, SchemeAnswer]:
    return dict(judge(EVERYTHING, target=4096, axis=axis, **options))


def of_width(text: str) -> list[str]:
    """Return words that speak of width, but for the one place where it is not covered."""
    sentence = text.replace("another width", "")
    return re.findall(r"\w*(?:width|wide|narrow)\w*", sentence, flags=re.IGNORECASE)


@pytest.mark.parametrize("axis", OTHERS)
@pytest.mark.parametrize("options", [{}, {"base": 512}, {"base": 128}])
def test_no_sentence_speaks_of_width(axis: AxisName, options: dict[str, int]) -> None:
    text = "\n".join(map(text_of, judged(axis, **options).values()))
    assert of_width(text) == []
    assert f"at {AXES[axis].name} 512" in text
    widths = "\n".join(map(text_of, judged("width", **options).values()))
    assert len(of_width(widths)) > 10  # the search finds what it looks for


@pytest.mark.parametrize("axis", OTHERS)
def test_what_is_measured_does_not_depend_on_the_axis(axis: AxisName) -> None:
    for one, other in zip(judged("width").values(), judged(axis).values(), strict=True):
        assert other.axis == axis
        for name in ("verdict", "regret", "optima"):
            assert getattr(one, name) == getattr(other, name)
        first, second = ([(e.size, e.log2_lr, e.runs) for e in a.evidence] for a in (one, other))
        assert first == second


def test_predictions_follow_the_prior_of_the_axis() -> None:
    width, depth, batch = (judged(axis)["moving"] for axis in ("width", "depth", "batch"))
    assert width.prediction is not None
    assert depth.prediction is not None
    assert batch.prediction is not None
    assert replace(width.prediction, assumption="") == replace(depth.prediction, assumption="")
    # Along batch the drift is taken to level off: the rate falls less.
    assert batch.prediction.middle > 1.2 * width.prediction.middle


@pytest.mark.parametrize(
    ("axis", "power"),
    [("width", 2), ("depth", 1), ("batch", 1), ("steps", 1), ("params", 1), ("tokens", 1)],
)
def test_runs_cost_in_proportion_to_a_power_of_the_size(axis: AxisName, power: int) -> None:
    (evidence,) = judged(axis)["alone"].evidence
    so_far = sum(row.size**power for row in ALONE)
    assert evidence.size == 128
    assert evidence.cost == pytest.approx(evidence.runs * evidence.size**power / so_far)


@pytest.mark.parametrize(
    ("axis", "covers"),
    [
        (
            "width",
            "Covered: width only, between the measured widths 64 and 512, at these conditions: "
            "AdamW. Not covered: the target width 4096 itself; another training length, batch "
            "size or depth at the target.",
        ),
        (
            "depth",
            "Covered: depth only, between the measured depths 64 and 512, at these conditions: "
            "AdamW. Not covered: the target depth 4096 itself; another width, training length or "
            "batch size at the target.",
        ),
        (
            "batch",
            "Covered: batch size only, between the measured batch sizes 64 and 512, at these "
            "conditions: AdamW. Not covered: the target batch size 4096 itself; another width, "
            "training length or depth at the target.",
        ),
        (
            "steps",
            "Covered: training length only, between the measured training lengths 64 and 512, at "
            "these conditions: AdamW. Not covered: the target training length 4096 itself; "
            "another width, batch size or depth at the target.",
        ),
        (
            "params",
            "Covered: model size only, between the measured model sizes 64 and 512, at these "
            "conditions: AdamW. Not covered: the target model size 4096 itself; another training "
            "length or batch size at the target.",
        ),
        (
            "tokens",
            "Covered: number of tokens only, between the measured numbers of tokens 64 and 512, at "
            "these conditions: AdamW. Not covered: the target number of tokens 4096 itself; "
            "another width, batch size or depth at the target.",
        ),
    ],
)
def test_covers_leaves_out_what_is_varied(axis: AxisName, covers: str) -> None:
    assert judged(axis, conditions="AdamW")["still"].covers == covers


# The whole text of an answer: what README and users quote stays as it is.
@pytest.mark.parametrize(
    ("axis", "name", "plural", "most"),
    [
        ("width", "width", "widths", "widest"),
        ("depth", "depth", "depths", "deepest"),
        ("batch", "batch size", "batch sizes", "largest"),
        ("steps", "training length", "training lengths", "longest"),
    ],
)
def test_sentences_are_these(axis: AxisName, name: str, plural: str, most: str) -> None:
    answers = judged(axis)
    still_, edge, alone = (answers[scheme] for scheme in ("still", "edge", "alone"))
    assert re.fullmatch(
        rf"The optimum of {name} 64 \(2\^-6\.\d+\) costs at most 0(\.\d+)? % of the best loss at "
        rf"{name} 512, the {most} measured; 1 % is allowed\.",
        still_.reason,
    )
    assert still_.prediction is not None
    assert still_.prediction.assumption == (
        f"the optimum goes on over {plural} as it did in public sweeps: a drift may fade, bend or "
        "go on, and changes with no sudden jump beyond the sizes measured"
    )
    assert answers["cliff"].reason.endswith(f" diverges at {name} 512, the {most} measured.")
    assert answers["gone"].reason == f"{name} 64 shows no optimum to be used.".capitalize()
    assert edge.evidence[0].action == (f"add learning rates above 2^-3 at {name} 64 (scheme edge)")
    assert alone.reason == f"Scheme alone has no runs at a second {name} beside 64."
    assert alone.evidence[0].action == f"add runs at {name} 128 (scheme alone)"
    lacking = judged(axis, base=128)["alone"]
    assert lacking.reason == f"Scheme alone has no runs at {name} 128."
    assert lacking.evidence[0].action == (
        f"add the base {name}'s runs at {name} 128 (scheme alone)"
    )


def test_axis_is_written_as_json() -> None:
    answer = judged("steps")["still"]
    assert json.loads(json.dumps(asdict(replace(answer, fits=()))))["axis"] == "steps"


@pytest.mark.parametrize("axis", OTHERS)
@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([], {}, r"wanted runs at two or more {plural}\. Add"),
        (
            ALONE,
            {},
            r"got {name} 64 alone .* at least two {plural}: transfer is between {plural}\.",
        ),
        (runs("a", still), {"target": 0}, r"got target=0, wanted a positive {name}\."),
        (
            runs("a", still),
            {"base": 65},
            r"got base=65, wanted one of the measured {plural} 64, 128",
        ),
        ([Observation("a", 0, 0.1, 0, 3.0)], {}, r"{name} 0, lr 0.1, .* wanted a positive {name} "),
    ],
)
def test_errors_name_the_axis(
    axis: AxisName, rows: list[Observation], options: dict[str, int], message: str
) -> None:
    words = AXES[axis]
    pattern = message.format(name=words.name, plural=words.plural)
    arguments = {"target": 512} | options
    with pytest.raises(TableError, match=pattern) as caught:
        judge(RunTable(tuple(rows)), axis=axis, **arguments)  # type: ignore[arg-type]
    assert of_width(str(caught.value)) == []


def test_unknown_axis_is_refused() -> None:
    with pytest.raises(TableError, match=r"judge, axis: got 'size', wanted .* width, depth, batch"):
        judge(EVERYTHING, target=512, axis="size")  # type: ignore[arg-type]
