"""Names that the examples in docstrings use without importing them."""

import math

import numpy as np
import pytest
import torch
from torch import nn


@pytest.fixture(autouse=True)
def _names(doctest_namespace: dict[str, object]) -> None:
    doctest_namespace.update(math=math, np=np, nn=nn, torch=torch)
