"""Whether a model predicts the next token without having seen it."""

import torch
from torch import nn

from ..errors import BatchError
from .objective import call, evaluating, extract_tensor


def require_causal(model: nn.Module, tokens: torch.Tensor) -> None:
    """Refuse a model whose earlier outputs change when a later token does.

    Arguments:
        model: Maps tokens (B, T) to logits (B, T, V).
        tokens: Some tokens.

    Raises:
        BatchError: If it sees later tokens: its loss then says nothing; or if it raises.
    """
    other = tokens.clone()
    other[:, -1] = (tokens[:, -1] == 0).to(tokens.dtype)
    with evaluating(model):
        before, after = (
            extract_tensor(call("the forward", model, some))[:, :-1] for some in (tokens, other)
        )
    if not torch.allclose(before, after, rtol=1e-3, atol=1e-5):
        raise BatchError(
            "model: got one whose output at a position changes with a later token, wanted a causal "
            "one: it sees what it is to predict. Use a decoder, such as llama or gpt2, or set the "
            "field that makes it one (is_decoder)."
        )
