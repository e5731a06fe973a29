"""Attentions whose heads grow with width and are not scaled as muP needs: they are refused."""

import math
from collections.abc import Sequence

from torch import nn

from ...errors import ParametrizationError
from .growth import Build, Probes, make
from .tracing.records import Attention


def require_fixed_head_width(pairs: Sequence[tuple[Attention, Attention]], base_width: int) -> None:
    """Refuse attentions whose head width grows and whose scale does not make up for it.

    Arguments:
        pairs: Every attention at the base width and at twice that.
        base_width: The base width.

    Raises:
        ParametrizationError: If there is one.
    """
    for base, grown in pairs:
        if base.head_width == grown.head_width:
            continue
        scale = base.scale * base.head_width / grown.head_width
        if not math.isclose(grown.scale, scale, rel_tol=1e-4):
            who = ", ".join(sorted(base.queries)) or "queries fused with keys"
            raise ParametrizationError(
                f"parametrize: got an attention ({who}) with head width {base.head_width} and "
                f"{_name_scale(base, 'scale ')} at width {base_width}, {grown.head_width} and "
                f"{_name_scale(grown)} at width {2 * base_width}, wanted one head width, or a "
                "scale proportional to 1/head width, which muP needs where it grows. Keep the "
                "head width fixed by growing the number of heads (num_heads) with width, or scale "
                "by 1/d."
            )


def _name_scale(attention: Attention, what: str = "") -> str:
    known = not math.isnan(attention.scale)
    return f"{what}{attention.scale:g}" if known else "an unknown scale"


def require_fixed_modules(build: Build, probes: Probes, base_width: int) -> None:
    """Refuse torch's attention layers whose heads grow, where no forward shows them.

    Raises:
        ParametrizationError: If there is one.
    """
    grown = dict(make(build, 2 * base_width, probes.device).named_modules())
    for name, module in probes.base.named_modules():
        if isinstance(module, nn.MultiheadAttention) and module.head_dim != grown[name].head_dim:
            raise ParametrizationError(
                f"parametrize: got MultiheadAttention {name!r} with head_dim {module.head_dim} at "
                f"width {base_width} and {grown[name].head_dim} at width {2 * base_width}, wanted "
                "one head_dim at every width: it scales logits by 1/sqrt(head_dim), and muP needs "
                "more where head_dim grows. Keep head_dim fixed by growing num_heads with width."
            )
