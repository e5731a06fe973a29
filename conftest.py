"""Names that the examples in docstrings use without importing them."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from lrtransfer.parametrization.parametrize import parametrize
from lrtransfer.theory.exact.deep_linear import Problem
from lrtransfer.theory.regression import Regression


@pytest.fixture(autouse=True)
def _names(doctest_namespace: dict[str, object]) -> None:
    doctest_namespace.update(math=math, np=np, nn=nn, torch=torch, parametrize=parametrize)
    doctest_namespace.update(Problem=Problem, Regression=Regression)
