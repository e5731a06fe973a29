"""Recipes whose initial values are measured once per builder, which takes most of the time."""

from functools import cache
from typing import Any

import pytest

from lrtransfer.parametrization import parametrize as module
from lrtransfer.parametrization.recipe.initial import measure_initial
from lrtransfer.parametrization.recipe.recipe import Recipe
from lrtransfer.parametrization.roles.roles import Build

measure_once = cache(measure_initial)


def parametrize_measured_once(build: Build, **options: Any) -> Recipe:
    """Return the recipe; `build` must be the same object at every call."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "measure_initial", measure_once)
        return module.parametrize(build, **options)
