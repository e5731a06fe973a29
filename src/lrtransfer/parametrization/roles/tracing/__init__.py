r"""A forward pass, run once and watched: what it does with every parameter.

`y = x @ w` sums over dimension 0 of `w`, and dimension 1 of `w` appears in `y`: it *contracts* one
side of `w` and *produces* the other. Which side is which decides the role of `w`, and a model may
write the product in many ways: as a layer, transposed, split into heads, elementwise with a sum
after it, as an einsum. So the operations that PyTorch executes are watched, below all of these.

**What is kept.** A *weight* is computed from parameters and constants alone; an *activation*
depends on the model's inputs; a *constant* depends on neither. Views share memory, so knowledge is
kept per block of memory (a `Node`), one `Dimension` per axis; that of a view follows from its
strides (`memory`), and no view operation needs a rule of its own. Every other operation has a rule,
found by its name (`operations`), which writes down what is known of its result and which *uses* it
makes of weights. All of it is collected in a `Graph`.

**Legend.** `p.d` stands for dimension d of parameter p.

=================  =================================================================================
side               Dimensions of a parameter that an operation treats alike: *contracted* (summed
                   over), *produced* (left in the result) or *batch* (the operation repeats along
                   them, as over experts).
use                One operation on one parameter, by its sides: what a trace is made for.
stretch            Number of entries that one sum takes of a dimension, if not all: `w` of shape
                   (heads * d, n), viewed as (heads, d, n) in a batch of products, is contracted in
                   stretches of d, and repeats along the rest.
label              On a dimension of a weight: walking along it walks along p.d. A *gain* label: the
                   weight only scales others along it. An activation has labels only while a
                   product is open.
origin             On any dimension: its index 0 is index `start` of p.d. The result of a product
                   is in the order of the side that produced it, so activations have origins, too.
part               Entries of p.d that the model uses by themselves (the queries of a fused matrix):
                   what the origins of a slice say. It is in one run, or in several where every
                   second entry is taken, say.
trait              What operations said of a dimension of an activation: that a weight produced it,
                   that a product was repeated along it (over experts), or that a gate varies along
                   it. What is added along it is then a bias, not a table.
piece              The size of one of the tensors that were concatenated along a dimension.
product            A weight times an activation, elementwise. It is *open* until its consumers are
                   seen, and each consumer *settles* it: if all sum over the same of its dimensions,
                   it was a contraction, else a gain.
composition        A weight times a weight, as matrices: which of its sides each contracts follows
                   from how the result is used.
maker              A parameter that contracted or shifted last on the way to an activation.
lookup             A dimension of a weight along which indices picked rows: once it meets an
                   activation it was a table.
provisional use    A product of a weight with constants alone. It is withdrawn if the result then
                   scales a weight, as in the power iteration of a spectral norm.
=================  =================================================================================

**First example: a fused matrix.** One layer of which the first two outputs are used apart from the
other four. Its weight has shape (6, 4):

>>> import torch
>>> from torch import nn
>>> from lrtransfer.parametrization.roles.tracing.graph import Graph
>>> from lrtransfer.parametrization.roles.tracing.operations import observe_input
>>> from lrtransfer.parametrization.roles.tracing.trace import watch
>>> layer, x = nn.Linear(4, 6, bias=False), torch.ones(2, 4)
>>> graph = Graph(layer)
>>> observe_input(graph, x)
>>> graph.dimensions(layer.weight.T)[1].labels  # a view: the labels are swapped with its strides
frozenset({weight.0})

The layer runs a matrix product with that view. Its rule (`matrices`) writes down a use, and gives
the last dimension of the result an origin and a trait, but no label, since it is an activation:

>>> with watch(graph):
...     y = layer(x)
>>> last = graph.dimensions(y)[1]
>>> last.labels, last.origins, [trait.name for trait in last.traits]
(frozenset(), frozenset({weight.0[0:]}), ['PRODUCED'])
>>> [use] = graph.uses()["weight"]
>>> use.kind.name, use.contracted, use.produced
('MATMUL', frozenset({1}), frozenset({0}))

A slice of the result moves the origin, and its first consumer makes it a part:

>>> with watch(graph):
...     first, second = y.split((2, 4), dim=1)
...     z = second.tanh()
>>> graph.dimensions(second)[1].origins
frozenset({weight.0[2:]})
>>> graph.parts["weight", 0]
[Part(runs=((2, 6),))]

**Second example: an elementwise product.** `(x[:, :, None] * w).sum(1)` is `x @ w` in other words,
`x[:, :, None] * w` alone would scale. Which of the two it is cannot be known when the product is
computed, so the product is opened with number 1, which the labels of the result carry. Its shape is
(2, 4, 3):

>>> model = nn.ParameterDict({"w": torch.ones(4, 3)})
>>> graph = Graph(model)
>>> observe_input(graph, x)
>>> with watch(graph):
...     scaled = x[:, :, None] * model["w"]
>>> [dimension.labels for dimension in graph.dimensions(scaled)]
[frozenset(), frozenset({w.0 in product 1}), frozenset({w.1 in product 1})]
>>> [use.kind.name for use in graph.uses()["w"]]  # without a consumer that sums: a gain
['SCALED']

A sum over dimension 1 settles it. No other consumer disagrees, so `w` is contracted:

>>> with watch(graph):
...     y = scaled.sum(1)
>>> [use] = graph.uses()["w"]
>>> use.kind.name, use.contracted, use.produced
('MATMUL', frozenset({0}), frozenset({1}))
"""
