"""Try the optimizers of public packages: `verify(test=True)` beside steps at two widths.

    python -m benchmarks.optimizers measure [WORD ...] > rows.jsonl
    python -m benchmarks.optimizers page rows.jsonl > docs/measurements/optimizers.md

The first prints one JSON document for each configuration, with words for those that contain one of
them; packages that are not installed are left out. The second writes the page.
"""

import contextlib
import io
import json
import logging
import sys
import time
import warnings
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

import torch

from lrtransfer.errors import ParametrizationError

from .catalog import DECAY, Configuration, list_configurations
from .oracle import WIDTH, find_faults, make
from .page import Row, write_page


def main() -> None:
    """Measure, or write the page."""
    command, *words = sys.argv[1:] or ["help"]
    if command == "measure":
        measure(words)
    elif command == "page" and words:
        lines = Path(words[0]).read_text(encoding="utf-8").splitlines()
        print(write_page([Row(**json.loads(line)) for line in lines]))
    else:
        print(__doc__)


def measure(words: list[str]) -> None:
    """Print one JSON document for each configuration."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    torch.compiler.set_stance("force_eager")  # the values are the same, compiling takes minutes
    for configuration in list_configurations():
        name = f"{configuration.package} {configuration.label}"
        if not words or any(word in name for word in words):
            with contextlib.redirect_stdout(io.StringIO()):
                row = _try(configuration)
            print(json.dumps(asdict(row)), flush=True)


def _try(configuration: Configuration) -> Row:
    verdict, reason, seconds = _verify(configuration)
    return Row(
        package=configuration.package,
        version=_find_version(configuration),
        label=configuration.label,
        follows=configuration.follows,
        verdict=verdict,
        reason=reason,
        faults=find_faults(configuration),
        seconds=seconds,
    )


def _verify(configuration: Configuration) -> tuple[str, str, float]:
    """Return what verify says of a configuration, why, and how long it took."""
    start = time.process_time()
    try:
        made = make(configuration, WIDTH, decay=DECAY)
        start = time.process_time()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            made.recipe.verify(made.model, *made.optimizers, test=True)
    except ParametrizationError as error:
        return "refused", str(error), time.process_time() - start
    except Exception as error:  # of the package
        return "not made", f"{type(error).__name__}: {error}", 0.0
    cautions = [str(c.message) for c in caught if str(c.message).startswith("verify:")]
    seconds = time.process_time() - start
    return ("caution", cautions[0], seconds) if cautions else ("passes", "", seconds)


def _find_version(configuration: Configuration) -> str:
    try:
        return metadata.version(configuration.package)
    except metadata.PackageNotFoundError:
        return "from source"


if __name__ == "__main__":
    main()
