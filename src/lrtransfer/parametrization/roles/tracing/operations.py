"""Rules of the ATen operations: what each does with the weights among its operands.

A table from the name of an operation to a function that writes into the graph. Views need no entry
(see `memory`), elementwise operations are recognised by torch's tag. An operation without an entry
that consumes a weight makes that weight unknown: nothing is guessed.
"""

from collections.abc import Callable

import torch

from .aten_call import AtenCall, is_view
from .attention import attend, take_softmax
from .constants import SHAPED_LIKE
from .contractions import convolve, multiply_three, recur
from .defaults import mark_unread, use_as_table
from .graph import Graph
from .lookups import embed, pick_rows, put_rows
from .matrices import MATRIX_ARGUMENTS, matmul
from .normalization import normalize, normalize_weight
from .pointwise import combine
from .reductions import reduce
from .shaping import concatenate, make_diagonal, rearrange, transform

Handler = Callable[[Graph, AtenCall], None]
_READS_ONLY = {"_local_scalar_dense", "equal", "is_nonzero", "is_same_size", "_assert_async"}


def observe(graph: Graph, call: AtenCall) -> None:
    """Write into the graph what one operation did."""
    if call.name in _READS_ONLY | SHAPED_LIKE or not any(graph.node(t) for t in call.tensors):
        return
    if not call.is_inplace and is_view(call):
        return
    if call.name in _HANDLERS:
        _HANDLERS[call.name](graph, call)
    elif call.is_pointwise:
        combine(graph, call)
    elif call.name.startswith("upsample_"):
        rearrange(graph, call)
    else:
        mark_unread(graph, call)


def observe_input(graph: Graph, tensor: torch.Tensor) -> None:
    """Record an input of the model."""
    graph.put_activation(tensor, ())


def as_activation(graph: Graph, tensor: torch.Tensor) -> torch.Tensor:
    """Return the input of a layer; a weight given as one (learned queries) is used as a table."""
    node = graph.node(tensor)
    if node is None or not node.is_weight:
        return tensor
    copy = tensor.clone()
    graph.consume(tensor)
    makers = use_as_table(graph, node, graph.dimensions(tensor))
    graph.put_activation(copy, (), makers=makers)
    return copy


def _handlers(handler: Handler, names: str) -> dict[str, Handler]:
    return dict.fromkeys(names.split(), handler)


_HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(MATRIX_ARGUMENTS, matmul),
    **_handlers(convolve, "convolution"),
    **_handlers(embed, "embedding _embedding_bag _embedding_bag_forward_only"),
    **_handlers(pick_rows, "index index_select gather"),
    **_handlers(put_rows, "index_put"),
    **_handlers(make_diagonal, "diag_embed"),
    **_handlers(concatenate, "cat stack"),
    **_handlers(transform, "_fft_r2c _fft_c2r _fft_c2c"),
    **_handlers(take_softmax, "_softmax _safe_softmax"),
    **_handlers(
        reduce, "sum mean linalg_vector_norm norm amax amin prod var std var_mean std_mean"
    ),
    **_handlers(
        rearrange,
        "_log_softmax repeat flip roll tril triu cumsum constant_pad_nd tile",
    ),
    **_handlers(
        normalize,
        "native_layer_norm native_group_norm native_batch_norm cudnn_batch_norm"
        " _native_batch_norm_legit_no_training _batch_norm_no_update _fused_rms_norm",
    ),
    **_handlers(
        attend,
        "_scaled_dot_product_flash_attention_for_cpu _scaled_dot_product_flash_attention"
        " _scaled_dot_product_efficient_attention _scaled_dot_product_cudnn_attention"
        " _scaled_dot_product_fused_attention_overrideable",
    ),
    **_handlers(recur, "mkldnn_rnn_layer"),
    **_handlers(normalize_weight, "_weight_norm_interface"),
    **_handlers(multiply_three, "_trilinear"),
}
