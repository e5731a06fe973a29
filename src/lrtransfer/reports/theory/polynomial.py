"""Output and loss as polynomials in the learning rate, as a JSON document and as a table."""

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from ...theory.exact.polynomial import LossPolynomial


def polynomial_document(polynomial: "LossPolynomial") -> dict[str, Any]:
    """Return the JSON document of `theory polynomial --json`; lowest powers come first."""
    return {
        "degree_output": polynomial.degree_output,
        "degree_loss": polynomial.degree_loss,
        "output": polynomial.output.tolist(),
        "loss": polynomial.loss.tolist(),
        "radius": polynomial.radius,
        "condition": polynomial.condition,
    }


def print_polynomial(polynomial: "LossPolynomial", *, console: Console) -> None:
    """Print the loss's coefficients as a table, then how far they can be trusted."""
    table = Table("power of lr", "coefficient", title="Loss as a polynomial in the learning rate")
    for power, coefficient in enumerate(polynomial.loss):
        table.add_row(str(power), f"{coefficient:.10g}")
    console.print(table)
    console.print(
        f"The output has degree {polynomial.degree_output}, the loss {polynomial.degree_loss}; "
        f"rounding of the coefficients grows by up to {polynomial.condition:.2g} in the loss."
    )
