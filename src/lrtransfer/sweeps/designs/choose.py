"""The design that a study asks for."""

from ...study.search import AdaptiveSearch, GridSearch
from ...study.study import Study
from ..curves import Curves
from .adaptive import AdaptiveDesign
from .design import Design
from .grid import GridDesign


def make_design(study: Study, curves: Curves) -> Design:
    """Return the design that a study asks for.

    Example:
        >>> from ...runs.digests import Digests
        >>> study = Study()
        >>> design = make_design(study, Curves(study, Digests()))
        >>> len(design.first()["mup", 64])  # rates x seeds
        21
    """
    match study.search:
        case GridSearch():
            return GridDesign(study, curves)
        case AdaptiveSearch() as search:
            return AdaptiveDesign(study, search, curves)
