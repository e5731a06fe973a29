"""Models of many kinds, each with the role of every tensor written down by hand."""

from .architectures import ARCHITECTURES
from .hub import HUB
from .products import PRODUCTS

ZOO = PRODUCTS | ARCHITECTURES | HUB
