"""Attention scores, recorded where a model computes them."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

# Masked scores are the lowest number of their type, or minus infinity.
_MASKED = -1e4
_SOFTMAX = (torch.softmax, F.softmax, torch.Tensor.softmax)


@dataclass(frozen=True)
class Scores:
    """Attention scores of one softmax.

    Attributes:
        values: The scores, masked ones included.
        head_width: Width of a head; None where a bare softmax does not show it.
    """

    values: torch.Tensor
    head_width: int | None

    def visible(self) -> torch.Tensor:
        """Return a mask of the scores that are not masked out, in the shape of `values`."""
        return self.values > _MASKED


class ScoreRecorder(TorchFunctionMode):
    """Context manager that records the scores of every attention, in the order of the calls.

    Attention is `F.scaled_dot_product_attention`, `nn.MultiheadAttention`, or any softmax.
    """

    def __init__(self) -> None:
        """Start without any scores."""
        super().__init__()
        self.calls: list[Scores] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Record the scores, then compute as usual."""
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention:
            self._record_query_and_key(*args, **kwargs)
        elif func is F.multi_head_attention_forward:
            self._record_projections(*args, **kwargs)
        elif func in _SOFTMAX:
            scores = args[0] if args else kwargs["input"]
            self.calls.append(Scores(scores.detach().clone(), None))
        return func(*args, **kwargs)

    def _record_query_and_key(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        *rest: Any,
        scale: float | None = None,
        **options: Any,
    ) -> None:
        head_width = query.shape[-1]
        query, key = query.detach(), key.detach()
        if query.ndim > 3 and key.shape[-3] != query.shape[-3]:
            key = key.repeat_interleave(query.shape[-3] // key.shape[-3], dim=-3)
        scores = query @ key.mT * (head_width**-0.5 if scale is None else scale)
        self.calls.append(Scores(scores, head_width))

    def _record_projections(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        embed_dim: int,
        heads: int,
        in_weight: torch.Tensor | None,
        in_bias: torch.Tensor | None,
        *rest: Any,
        **options: Any,
    ) -> None:
        if in_weight is None:
            query_weight, key_weight = options["q_proj_weight"], options["k_proj_weight"]
        else:
            query_weight, key_weight, _ = in_weight.detach().chunk(3)
        query_bias, key_bias = (None, None) if in_bias is None else in_bias.detach().chunk(3)[:2]
        q = F.linear(query.detach(), query_weight, query_bias).unflatten(-1, (heads, -1))
        k = F.linear(key.detach(), key_weight, key_bias).unflatten(-1, (heads, -1))
        head_width = q.shape[-1]
        scores = torch.einsum("i...hd,j...hd->...hij", q, k) / math.sqrt(head_width)
        self.calls.append(Scores(scores.detach(), head_width))
