"""Every family of the installed transformers, judged by rules that know nothing of a forward."""

import re

import pytest
import torch
import transformers as tf

from lrtransfer.errors import ParametrizationError
from lrtransfer.parametrization.roles.growth import make
from lrtransfer.parametrization.roles.roles import RoleTable, make_role_table

from .families import EXAMPLES, build_of, families
from .judge import judge
from .not_judged import NOT_JUDGED, UNREAD, VERSION

BASE, LARGEST = 32, 8_000_000  # the width, and entries of a model that count as tiny
pytestmark = pytest.mark.slow


class NotTinyError(Exception):
    """A configuration that does not make a tiny model whose width is a number."""


def table_of(family: str) -> RoleTable:
    """Return the roles of a family; the first example that its forward takes counts."""
    build = build_of(family)
    base, double = (dict(make(build, n, "meta").named_parameters()) for n in (BASE, 2 * BASE))
    shapes = [{name: p.shape for name, p in table.items()} for table in (base, double)]
    if shapes[0] == shapes[1] or sum(map(torch.numel, base.values())) > LARGEST:
        raise NotTinyError(family)
    for example in EXAMPLES:
        try:
            return make_role_table(build, width=2 * BASE, base_width=BASE, example=example)
        except ParametrizationError as error:
            if "from the forward of build" not in str(error):
                raise
            last = error
    raise NotTinyError(family) from last


# What is known to be read otherwise than its name says.
OTHERWISE = {
    "yolos": "positions of the middle layers, cut up and interpolated, are read as a vector",
    "muse_spark_text": "its gains come before the norm, not after it",
}
JUDGED = [
    pytest.param(name, marks=pytest.mark.xfail(strict=True, reason=OTHERWISE[name]))
    if name in OTHERWISE
    else name
    for name in families()
    if name not in NOT_JUDGED
]


@pytest.mark.parametrize("family", JUDGED)
def test_every_tensor_has_the_role_that_its_layer_says(family: str) -> None:
    try:
        table = table_of(family)
    except Exception:
        if tf.__version__ == VERSION:
            raise
        pytest.skip(f"new in transformers {tf.__version__}, and not built from these settings")
    model = make(build_of(family), BASE, "meta")
    wrong = {
        tensor.name: (tensor.role.value, expected)
        for tensor in table.tensors
        if (expected := judge(model, tensor.name, tensor.base_shape, tensor.shape))
        not in {None, tensor.role.value}
    }
    assert wrong == {}
    for tensor in table.tensors:
        is_norm = re.search(r"(norm|ln|ln_\w+)\.weight$", tensor.name.lower())
        assert tensor.is_norm_gain or not is_norm or len(tensor.shape) > 1, tensor.name


@pytest.mark.skipif(tf.__version__ != VERSION, reason=f"the list is that of {VERSION}")
@pytest.mark.parametrize("family", sorted(UNREAD))
def test_a_family_that_is_refused_says_what_to_declare(family: str) -> None:
    with pytest.raises(ParametrizationError, match=UNREAD[family]):
        table_of(family)


@pytest.mark.skipif(tf.__version__ != VERSION, reason=f"the list is that of {VERSION}")
@pytest.mark.parametrize("family", sorted(set(NOT_JUDGED) - set(UNREAD)))
def test_what_is_not_judged_is_no_tiny_model(family: str) -> None:
    with pytest.raises(Exception):  # ruff: ignore[assert-raises-exception, pytest-raises-too-broad]
        table_of(family)
