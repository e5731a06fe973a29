"""The JSON documents of answers."""

import json

from lrtransfer.reports.judgement import judgement_document
from lrtransfer.reports.notation import format_drift
from lrtransfer.statistics.answer import Interval
from lrtransfer.statistics.axis import AXES
from lrtransfer.statistics.table import RunTable
from lrtransfer.statistics.transfer import judge

from . import synthetic


def test_a_document_is_strict_json_with_plain_minus_signs() -> None:
    table = RunTable((*synthetic.runs("mup"), *synthetic.runs("SP")))
    document = judgement_document(judge(table, target=8192), notes=("read width from 'n'",))
    text = json.dumps(document, allow_nan=False, ensure_ascii=False)
    assert "−" not in text
    assert "−" in format_drift(Interval(-0.3, -0.4, -0.2), AXES["width"])  # people's has it
    assert "(2^-5.38) costs at least" in text
    assert json.loads(text)["warnings"] == ["read width from 'n'"]


def test_the_quantiles_of_a_regret_are_named() -> None:
    table = RunTable(synthetic.runs("SP"))
    scheme = judgement_document(judge(table, target=8192), notes=())["schemes"]["SP"]
    levels = {(r["measured"], r["low_quantile"], r["high_quantile"]) for r in scheme["regrets"]}
    assert levels == {(True, 0.01, 0.95)}
