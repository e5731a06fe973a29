"""How a program of the user's is called, where its loss is read, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from lrtransfer.errors import ConfigError
from lrtransfer.study.load import load
from lrtransfer.study.program import Program, fill_command, fill_in, read_loss
from tests.studies import program_settings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trainer": {"command": "train {width} {lrr} {seed}"}}, "did you mean {lr}"),
        ({"trainer": {"command": "train {width} {seed}"}}, "wanted {lr} in it"),
        ({"trainer": {"command": "train {width} {lr}"}}, "wanted {seed} in it"),
        ({"schemes": ("a", "b")}, "wanted {scheme} in it"),
        ({"trainer": {"command": "train '{width} {lr} {seed}"}}, "wanted closed quotes"),
        ({"trainer": {"loss_from": "result.json"}}, "wanted PATH:KEY"),
        ({"trainer": {"loss_from": "result.json:loss"}}, "wanted a file of each run's own"),
        ({"trainer": {"loss_from": "r-{width}-{lr}.json:loss"}}, "{width}, {lr}, {seed}"),
        ({"trainer": {"loss_from": "{ouut}/r.json:loss"}}, "did you mean {out}"),
        ({"trainer": {"command": "a\0 {width} {lr} {seed}"}}, "null character"),
        ({"trainer": {"comand": "x"}}, "did you mean 'command'"),
        (
            {"trainer": {"command": "x {width} {lr}"}, "seeds": 1, "design": "adaptive"},
            "wanted {seed} in it",
        ),
        ({"target": 10**23}, "target: got"),
        ({"design": "adaptive", "budget": 1.5}, "budget: got 1.5, wanted runs"),
        ({"trainer": {"loss_from": "stdout:("}}, "wanted a regular expression"),
        ({"trainer": {"timeout": 0.0}}, "trainer.timeout: got 0.0"),
        ({"steps": 5}, "steps: unknown key"),
        ({"training": {"steps": 5}}, "training: got a value, wanted none beside"),
        ({"design": "adaptive", "budget": "1e15 flops"}, "wanted runs: what a command computes"),
        ({"widths": ()}, "widths"),
    ],
)
def test_wrong_settings_are_one_error(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, program_settings(Path("train.py"), **changes))
    assert message in str(caught.value)


def test_widths_and_target_must_be_given() -> None:
    trainer = {"command": "train {width} {lr} {seed}", "loss_from": "stdout:(.*)"}
    with pytest.raises(ConfigError, match="widths: got nothing"):
        load(None, {"trainer": trainer})


def test_what_is_missing_is_named_with_its_option() -> None:
    with pytest.raises(ConfigError, match=r"trainer.loss_from: .* the option --loss-from"):
        load(None, {"trainer": {"command": "train {width} {lr}"}, "widths": (1, 2), "target": 4})


def test_placeholders_are_filled_without_a_shell() -> None:
    trainer = Program(command="train '--opt {lr}' {out} '{\"a\": 1}'", loss_from="a:b")
    values = {"lr": "0.1", "out": "my folder; rm -rf x"}
    assert fill_command(trainer, values) == [
        "train",
        "--opt 0.1",
        "my folder; rm -rf x",
        '{"a": 1}',
    ]
    with_shell = trainer.model_copy(update={"command": "train {out}", "shell": True})
    assert fill_command(with_shell, values) == ["sh", "-c", "train 'my folder; rm -rf x'"]
    assert fill_in("{width} {other}", {"width": "64"}) == "64 {other}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"loss": 2.5}', 2.5),
        ('{"loss": "2.5"}', 2.5),
        ('{"loss": "much"}', "gave 'much' as its loss, which is no number"),
        ('{"other": 2.5}', "left a result without 'loss'"),
        ("[1, 2]", "left a result without 'loss'"),
        ("[1, 2", "left a result that is not JSON"),
    ],
)
def test_results_are_read_or_explained(tmp_path: Path, text: str, expected: float | str) -> None:
    (tmp_path / "r.json").write_text(text)
    found = read_loss("{out}/r.json:loss", {"out": str(tmp_path)}, tmp_path / "output.txt")
    if isinstance(expected, str):
        assert isinstance(found, str)
        assert found.startswith(expected)
    else:
        assert found == expected


@pytest.mark.parametrize("text", ['{"loss": NaN}', '{"loss": null}', '{"loss": Infinity}'])
def test_losses_that_are_not_finite_are_numbers(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.json").write_text(text)
    found = read_loss("{out}/r.json:loss", {"out": str(tmp_path)}, tmp_path / "output.txt")
    assert isinstance(found, float)
    assert found != found or found == float("inf")
