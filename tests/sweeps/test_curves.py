"""The curves of a study: all of them, each with its settings, shared where schemes are one."""

import math
from typing import Any

import pytest

from lrtransfer.runs.digests import Digests
from lrtransfer.runs.run import ProgramSettings, RunSettings
from lrtransfer.study.load import load
from lrtransfer.sweeps.curves import Curves

PROGRAM: dict[str, Any] = {
    "trainer": {"command": "x {width} {lr} {seed} {scheme} {decay}", "loss_from": "stdout:(.*)"},
    "widths": (64, 128),
    "target": 256,
    "schemes": ("a", "b"),
    "vary": {"decay": (0.0, 0.1)},
}


def curves_of(**settings: Any) -> Curves:
    return Curves(load(None, settings), Digests("d", "c"))


def test_there_is_a_curve_of_every_variant_at_every_size_and_at_the_target() -> None:
    curves = curves_of(vary={"optimizer.weight_decay": (0, 0.1)})
    assert len(curves) == len(list(curves)) == 4 * 5
    assert {size for _, size in curves} == {32, 64, 96, 128, 256}
    for (name, size), curve in curves.items():
        assert (curve.variant.name, curve.size, curve.width) == (name, size, size)
        assert isinstance(curve.settings, RunSettings)
        decay = curve.settings.work.optimizer.model_dump()["weight_decay"]
        assert decay == dict(curve.variant.values)["optimizer.weight_decay"]
        assert (curve.settings.data_digest, curve.settings.code_digest) == ("d", "c")


def test_a_target_among_the_sizes_is_one_curve() -> None:
    assert len(curves_of(target=128)) == 2 * 4


def test_schemes_share_their_curve_at_the_base_width_alone() -> None:
    curves = curves_of()
    assert curves["mup", 32].shared_key == curves["sp", 32].shared_key == ("base", 32)
    assert curves["mup", 32].run(0.5, 0).id == curves["sp", 32].run(0.5, 0).id
    assert curves["mup", 64].shared_key == ("mup", 64)
    assert curves.sharing["base", 32] == (("mup", 32), ("sp", 32))
    assert curves.sharing["sp", 64] == (("sp", 64),)
    names = [key for keys in curves.sharing.values() for key in keys]
    assert sorted(names) == sorted(curves)


def test_equal_settings_are_equal_and_others_are_not() -> None:
    one, again, other = curves_of(), curves_of(), curves_of(study_seed=1)
    assert one["mup", 64].settings == again["mup", 64].settings == one["sp", 64].settings
    assert hash(one["mup", 64].settings) == hash(again["mup", 64].settings)
    assert one["mup", 64].settings != other["mup", 64].settings


def test_where_data_lie_is_no_part_of_the_settings_that_are_compared() -> None:
    here, there = (
        curves_of(data={"source": "text", "path": path})["mup", 64].settings for path in ("a", "b")
    )
    assert here == there


def test_the_costliest_variant_gives_the_operations_of_a_size() -> None:
    curves = curves_of(vary={"training.batch": (4, 8)})
    for size in (32, 256):
        of_variants = [curve.training_flops or 0 for (_, n), curve in curves.items() if n == size]
        assert curves.flops_by_size[size] == max(of_variants) == 2 * min(of_variants) > 0


def test_what_a_program_computes_is_not_known_and_nothing_of_it_is_shared() -> None:
    curves = curves_of(**PROGRAM)
    assert len(curves) == 4 * 3
    curve = curves["b, decay 0.1", 64]
    assert isinstance(curve.settings, ProgramSettings)
    assert (curve.scheme, curve.settings.values) == ("b", {"decay": 0.1})
    assert curve.training_flops is None
    assert set(curves.flops_by_size.values()) == {math.inf}
    assert all(len(keys) == 1 for keys in curves.sharing.values())


@pytest.mark.parametrize(("along", "path"), [("depth", "model.depth"), ("steps", "training.steps")])
def test_along_another_axis_the_size_is_a_setting_and_the_width_is_one(
    along: str, path: str
) -> None:
    curves = curves_of(along=along, sizes=(2, 4), target=8, width=64, schemes=("completep",))
    section, _, key = path.partition(".")
    for (_, size), curve in curves.items():
        assert curve.width == 64
        assert curve.settings.document[section][key] == size
