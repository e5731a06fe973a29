"""Try the optimizers of public packages: `verify(test=True)` beside steps at two widths.

    python -m benchmarks.optimizers [WORD ...] > docs/measurements/optimizers.md

Writes the page of measurements. Packages that are not installed are left out; with words, the
configurations that contain one of them are tried.
"""

import contextlib
import io
import logging
import sys
import time
import warnings
from importlib import metadata

import torch

from lrtransfer.errors import ParametrizationError

from .catalog import DECAY, Configuration, list_configurations
from .oracle import WIDTH, find_faults, make
from .page import Row, write_page


def main() -> None:
    """Try all configurations and print the page."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    torch.compiler.set_stance("force_eager")  # the values are the same, compiling takes minutes
    words = sys.argv[1:]
    rows = []
    for configuration in list_configurations():
        name = f"{configuration.package} {configuration.label}"
        if words and not any(word in name for word in words):
            continue
        with contextlib.redirect_stdout(io.StringIO()):
            row = _try(configuration)
        print(
            name, row.verdict, row.faults, row.reason[:300], f"{row.seconds:.2f} s", file=sys.stderr
        )
        rows.append(row)
    print(write_page(rows))


def _try(configuration: Configuration) -> Row:
    verdict, reason, seconds = _verify(configuration)
    return Row(
        configuration, _version(configuration), verdict, reason, find_faults(configuration), seconds
    )


def _verify(configuration: Configuration) -> tuple[str, str, float]:
    """Return what verify says of a configuration, why, and how long it took."""
    start = time.perf_counter()
    try:
        made = make(configuration, WIDTH, decay=DECAY)
        start = time.perf_counter()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            made.recipe.verify(made.model, *made.optimizers, test=True)
    except ParametrizationError as error:
        return "refused", str(error), time.perf_counter() - start
    except Exception as error:  # of the package
        return "not made", f"{type(error).__name__}: {error}", 0.0
    cautions = [str(c.message) for c in caught if str(c.message).startswith("verify:")]
    seconds = time.perf_counter() - start
    return ("caution", cautions[0], seconds) if cautions else ("passes", "", seconds)


def _version(configuration: Configuration) -> str:
    try:
        return metadata.version(configuration.package)
    except metadata.PackageNotFoundError:
        return "from source"


if __name__ == "__main__":
    main()
