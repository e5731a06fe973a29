"""Will the learning rate tuned on a small model still be right for the big one?"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checks.coordinates import check_coordinates as check_coordinates
    from .checks.coordinates import recipe_maker as recipe_maker
    from .interface import Answer as Answer
    from .interface import PairAnswers as PairAnswers
    from .interface import predict_pair as predict_pair
    from .interface import tune as tune
    from .interface import verdict as verdict
    from .parametrization.choices import Choices as Choices
    from .parametrization.choices import Tuned as Tuned
    from .parametrization.parametrize import parametrize as parametrize
    from .parametrization.recipe.ratios import keep_ratios as keep_ratios
    from .parametrization.recipe.recipe import Recipe as Recipe
    from .parametrization.roles.roles import Layout as Layout

__version__ = "0.1.0"

# Loaded on first use: `lrtransfer --help` must not wait for torch.
_HOMES = {
    "Answer": "interface",
    "Choices": "parametrization.choices",
    "PairAnswers": "interface",
    "Layout": "parametrization.roles.roles",
    "Recipe": "parametrization.recipe.recipe",
    "Tuned": "parametrization.choices",
    "check_coordinates": "checks.coordinates",
    "keep_ratios": "parametrization.recipe.ratios",
    "parametrize": "parametrization.parametrize",
    "predict_pair": "interface",
    "recipe_maker": "checks.coordinates",
    "tune": "interface",
    "verdict": "interface",
}
__all__ = [
    "Answer",
    "Choices",
    "Layout",
    "PairAnswers",
    "Recipe",
    "Tuned",
    "check_coordinates",
    "keep_ratios",
    "parametrize",
    "predict_pair",
    "recipe_maker",
    "tune",
    "verdict",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lrtransfer' has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
