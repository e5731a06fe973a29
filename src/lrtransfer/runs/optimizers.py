"""The optimizers of a run over the groups of its recipe."""

import torch
from torch import nn

from ..parametrization.recipe.recipe import Recipe
from ..study.optimizers import (
    AdagradConfig,
    AdamConfig,
    AdamWConfig,
    MuonConfig,
    OptimizerSection,
    RMSpropConfig,
    SGDConfig,
)

_ADAMS = {"adam": torch.optim.Adam, "nadam": torch.optim.NAdam, "adamax": torch.optim.Adamax}
_MUONS = {"original": "muon_keller", "match_rms_adamw": "muon_kimi"}


def name_rule(config: OptimizerSection) -> str:
    """Return the name of the rule that an optimizer follows."""
    return _MUONS[config.adjust] if isinstance(config, MuonConfig) else config.family


def make_optimizers(
    recipe: Recipe, model: nn.Module, config: OptimizerSection, *, lr: float
) -> list[torch.optim.Optimizer]:
    """Return the optimizers of a model: one, or a matrix optimizer with AdamW for the rest."""
    return [_make_optimizer(recipe, model, config, kind, lr) for kind in recipe.optimizers]


def _make_optimizer(
    recipe: Recipe, model: nn.Module, config: OptimizerSection, kind: str, lr: float
) -> torch.optim.Optimizer:
    is_companion = isinstance(config, MuonConfig) and kind == "adamw"
    has_eps = not isinstance(config, (SGDConfig, MuonConfig)) or is_companion
    groups = recipe.param_groups(
        model,
        lr=lr * config.adamw_lr if isinstance(config, MuonConfig) and is_companion else lr,
        weight_decay=getattr(config, "weight_decay", 0.0),
        eps=getattr(config, "eps", None) if has_eps else None,
        optimizer=kind,
    )
    match config:
        case AdamWConfig():
            return torch.optim.AdamW(groups, betas=config.betas, fused=True)
        case AdamConfig():
            kin: torch.optim.Optimizer = _ADAMS[config.family](groups, betas=config.betas)
            return kin
        case SGDConfig():
            return torch.optim.SGD(groups, momentum=config.momentum, nesterov=config.nesterov)
        case RMSpropConfig():
            return torch.optim.RMSprop(groups, alpha=config.alpha, momentum=config.momentum)
        case AdagradConfig():
            return torch.optim.Adagrad(groups)
        case MuonConfig():
            if is_companion:
                return torch.optim.AdamW(groups, betas=config.betas, fused=True)
            return torch.optim.Muon(
                groups,
                momentum=config.momentum,
                nesterov=config.nesterov,
                adjust_lr_fn=config.adjust,
            )
