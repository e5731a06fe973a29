"""`lrtransfer tune`: run a study and answer."""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from ..errors import ConfigError
from .command import Command, Json

OUT = Path("lrtransfer-out")


def _option(metavar: str) -> Any:
    # The defaults are the built-in study's, not None.
    return tyro.conf.arg(metavar=metavar, help_behavior_hint="")


@dataclass(frozen=True)
class Tune(Command):
    """Sweep learning rates over widths, judge transfer, name the rate for the target width.

    Without arguments it runs the built-in study: a small decoder transformer on Python's own
    sources, μP beside SP. Run it again to resume or to see the answer again: finished runs are
    never trained twice.

    Example: lrtransfer tune --widths 32,64,128 --target 512 --out my-study
    """

    study: Annotated[tyro.conf.Positional[Path | None], _option("[STUDY.toml]")] = None
    """Study file; it states what differs from the built-in study."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")] = OUT
    """Folder of the runs and the report."""
    json: Json = False
    widths: Annotated[str | None, _option("N,N,…")] = None
    """Widths to train, such as 32,64,128."""
    base_width: Annotated[str | None, _option("N")] = None
    """Width at which all schemes are the same; one of the widths."""
    target: Annotated[str | None, _option("N")] = None
    """Width for which the learning rate is wanted."""
    lr_low: Annotated[str | None, _option("LR")] = None
    """Lowest learning rate of the first grid, such as 2^-8."""
    lr_high: Annotated[str | None, _option("LR")] = None
    """Highest learning rate of the first grid."""
    per_octave: Annotated[str | None, _option("N")] = None
    """Learning rates per factor of two."""
    seeds: Annotated[str | None, _option("N")] = None
    """Number of seeds."""
    schemes: Annotated[str | None, _option("S,S,…")] = None
    """Parametrizations to compare: mup, sp."""
    steps: Annotated[str | None, _option("N")] = None
    """Training steps of every run."""
    study_seed: Annotated[str | None, _option("N")] = None
    """Names all random streams of the study."""
    tolerance_regret: Annotated[str | None, _option("SHARE")] = None
    """Share of the best loss up to which the rate is said to transfer."""
    workers: Annotated[str | None, _option("N")] = None
    """Number of processes, one thread each; by default one per core."""

    def run(self) -> int:
        """Run the study, write its report, print the answer."""
        from ..sweeps.local import default_workers
        from ..sweeps.study import load
        from ..sweeps.tune import tune
        from .page import present
        from .progress import progress

        study = load(self.study, self._overrides())
        workers = default_workers() if self.workers is None else _whole("workers", self.workers)
        if workers < 1:
            raise ConfigError(f"workers: got {workers}, wanted at least 1.")
        _require_folder(self.out)
        with progress(sys.stderr) as listener:
            result = tune(study, self.out, workers=workers, listener=listener)
        present(result, self.out, as_json=self.json)
        return 0

    def resume_hint(self) -> str:
        """Return the way back into the study."""
        return f"Finished runs are kept in {self.out}; the same command resumes."

    def _overrides(self) -> dict[str, Any]:
        """Return the options given, under their keys in a study file."""
        top = {
            "widths": _list(_whole),
            "base_width": _whole,
            "target": _whole,
            "seeds": _whole,
            "schemes": _list(lambda key, text: text),
            "study_seed": _whole,
            "tolerance_regret": _number,
        }
        nested = {
            "lr_low": ("grid", "low", _number),
            "lr_high": ("grid", "high", _number),
            "per_octave": ("grid", "per_octave", _whole),
            "steps": ("training", "steps", _whole),
        }
        overrides: dict[str, Any] = {
            key: read(key, text)
            for key, read in top.items()
            if (text := getattr(self, key)) is not None
        }
        for key, (section, name, read) in nested.items():
            if (text := getattr(self, key)) is not None:
                overrides.setdefault(section, {})[name] = read(key, text)
        return overrides


def _whole(key: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ConfigError(f"{key}: got {text!r}, wanted a whole number, such as 3.") from None


def _number(key: str, text: str) -> float:
    """Read a number, also in the form 2^-8."""
    power = re.fullmatch(r"2(?:\^|\*\*)(-?\d+(?:\.\d+)?)", text)
    try:
        return 2.0 ** float(power[1]) if power else float(text)
    except (ValueError, OverflowError):
        raise ConfigError(f"{key}: got {text!r}, wanted a number, such as 0.004 or 2^-8.") from None


def _list(read: Callable[[str, str], Any]) -> Callable[[str, str], tuple[Any, ...]]:
    def read_all(key: str, text: str) -> tuple[Any, ...]:
        return tuple(read(key, part.strip()) for part in text.split(","))

    return read_all


def _require_folder(path: Path) -> None:
    try:
        is_other = path.exists() and not path.is_dir()
    except OSError as error:
        raise ConfigError(f"out: got {path} ({error.strerror}), wanted a usable path.") from None
    if is_other:
        raise ConfigError(f"out: got {path}, which is a file, wanted a folder or a new name.")
