"""The options that state a problem, shared by all commands of `lrtransfer theory`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from ...errors import UserError
from ..options import option, read_number, read_rows, read_whole

if TYPE_CHECKING:
    from ...theory.exact.deep_linear import Problem
    from ...theory.regression import Regression


@dataclass(frozen=True, kw_only=True)
class ProblemOptions:
    """Options that state a problem, as text."""

    depth: Annotated[str, tyro.conf.arg(metavar="L")]
    """Number of hidden n×n matrices, at least 1."""
    steps: Annotated[str, tyro.conf.arg(metavar="T")]
    """Number of training steps."""
    data: Annotated[Path | None, option("FILE.npz")] = None
    """File with the arrays X (N, d) and y (N,) or (N, k)."""
    synthetic: Annotated[str | None, option("N,D,NOISE,SEED")] = None
    """Linear data drawn at random instead, such as 500,10,0.1,0."""
    scheme: Annotated[str | None, option("NAME")] = None
    """Parametrization: mup (the default), sp, ntp."""
    abc: Annotated[Path | None, option("FILE.toml")] = None
    """Rows of exponents instead, in the tables input, hidden, output: a = 0, b = 0.5, c = 0."""
    train: Annotated[str, tyro.conf.arg(metavar="ROLE,…")] = "hidden"
    """What trains: some of input, hidden, output; or all."""
    momentum: Annotated[str, tyro.conf.arg(metavar="MU")] = "0"
    """Heavy-ball momentum."""
    weight_decay: Annotated[str, tyro.conf.arg(metavar="LAMBDA")] = "0"
    """One step shrinks every trained tensor by this share times the learning rate."""
    batch_size: Annotated[str | None, option("N")] = None
    """Samples per step; by default all of them."""
    batch_seed: Annotated[str, tyro.conf.arg(metavar="N")] = "0"
    """Seed of the order of the samples."""

    @property
    def step_count(self) -> int:
        """Number of training steps t."""
        return read_whole("steps", self.steps, least=0)

    def read_problem(self) -> "Problem":
        """Return the problem that the options state.

        Raises:
            UserError: If an option cannot be used, or two exclude each other.
        """
        from ...theory.exact.deep_linear import Problem

        data = self._load_data()
        return Problem(
            data,
            depth=read_whole("depth", self.depth),
            scheme=self._read_scheme(),
            trained=self._read_roles(),
            momentum=read_number("momentum", self.momentum),
            weight_decay=read_number("weight_decay", self.weight_decay),
            batches=self._draw_batches(data),
        )

    def _load_data(self) -> "Regression":
        from ...theory.regression import load_regression

        if (self.data is None) == (self.synthetic is None):
            got = "neither" if self.data is None else "both"
            raise UserError(
                f"data: got {got} of --data and --synthetic, wanted one: --data FILE.npz with "
                "arrays X and y, or --synthetic 500,10,0.1,0."
            )
        return load_regression(self.data) if self.data else _draw_data(str(self.synthetic))

    def _read_scheme(self) -> Any:
        if self.abc is None:
            return self.scheme or "mup"
        if self.scheme is not None:
            raise UserError("scheme: got --scheme and --abc, wanted one of them. Leave one out.")
        return read_rows("abc", self.abc)

    def _read_roles(self) -> tuple[str, ...]:
        from ...theory.schemes import ROLES

        names = tuple(name.strip() for name in self.train.split(","))
        return ROLES if names == ("all",) else names

    def _draw_batches(self, data: "Regression") -> Any:
        from ...theory.regression import shuffle_batches

        if self.batch_size is None:
            return None
        return shuffle_batches(
            data,
            size=read_whole("batch_size", self.batch_size),
            steps=self.step_count,
            seed=read_whole("batch_seed", self.batch_seed, least=0),
        )


# Without a name of its own the group adds no prefix to its options.
ProblemArguments = Annotated[ProblemOptions, tyro.conf.arg(name="")]


def _draw_data(text: str) -> "Regression":
    from ...theory.regression import draw_regression

    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 4:
        raise UserError(
            f"synthetic: got {text!r}, wanted N,d,noise,seed: four numbers, such as 500,10,0.1,0."
        )
    count, dimension, noise, seed = parts
    return draw_regression(
        count=read_whole("synthetic", count),
        dimension=read_whole("synthetic", dimension),
        noise=read_number("synthetic", noise),
        seed=read_whole("synthetic", seed),
    )


def read_width(text: str) -> int | None:
    """Return the width, or None for the infinite one.

    Raises:
        UserError: If it is neither inf nor a positive whole number.
    """
    if text == "inf":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise UserError(f"width: got {text!r}, wanted inf or a width from 1, such as 1024.")
    return int(text)
