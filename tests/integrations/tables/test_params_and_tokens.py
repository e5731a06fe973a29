"""Tables along the number of parameters and along the tokens trained on."""

import pytest

from lrtransfer.integrations.tables.runs import parse_runs
from lrtransfer.statistics.axis import AxisName

# As in Step Law's table: width and depth grow with the parameters, steps with the tokens.
ROWS = [
    {
        "params": 1000 * 2**n,
        "width": 64 * 2**n,
        "tokens": 8000 * 2**d,
        "steps": 1000 * 2**d,
        "batch_size": 8,
        "lr": lr,
        "loss": 3.0 - n / 10 - d / 10 + lr,
    }
    for n in range(3)
    for d in range(4)
    for lr in (0.1, 0.2, 0.4)
]


@pytest.mark.parametrize(
    ("along", "sizes", "where", "conditions"),
    [
        ("params", [1000, 2000, 4000], {"tokens": 8000}, "1,000 steps, 8 batch, 8,000 tokens"),
        ("tokens", [8000, 16000, 32000, 64000], {"width": 64}, "width 64, 8 batch"),
    ],
)
def test_one_size_grows_and_the_other_stays(
    along: AxisName, sizes: list[int], where: dict[str, int], conditions: str
) -> None:
    runs = parse_runs(ROWS, name="mine", along=along, where=where)
    assert sorted({run.size for run in runs.table.observations}) == sizes
    assert runs.conditions == conditions


def test_sizes_may_have_units() -> None:
    rows = [{"params": "1.5B", "lr": 0.1, "loss": 2.0}]
    assert parse_runs(rows, name="mine", along="params").table.observations[0].size == 1.5e9


def test_every_row_along_tokens_is_a_run_of_its_length() -> None:
    rows = [{"tokens": 1000 * k, "step": k, "lr": 0.1, "loss": 3.0 - k / 10} for k in range(1, 4)]
    assert len(parse_runs(rows, name="mine", along="tokens").table) == 3
