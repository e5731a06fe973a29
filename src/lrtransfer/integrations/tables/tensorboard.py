"""TensorBoard: the table of its HParams tab, where metrics are columns such as `hparam/loss`."""

from .dialect import Dialect

TENSORBOARD = Dialect(metrics=("hparam",))
