"""`lrtransfer tune`: run a study and answer."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from ..errors import ConfigError
from .command import Command, Json
from .numbers import listed, number, whole

OUT = Path("lrtransfer-out")


def option(metavar: str) -> Any:
    """Describe an option whose default is not None but what stands in its help."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint="")


@dataclass(frozen=True)
class Tune(Command):
    """Sweep learning rates over widths, judge transfer, name the rate for the target width.

    Without arguments it runs the built-in study: a small decoder transformer on Python's own
    sources, μP beside SP. Run it again to resume or to see the answer again: finished runs are
    never trained twice.

    Example: lrtransfer tune --widths 32,64,128 --target 512 --out my-study

    Example: lrtransfer tune --command "python train.py --width {width} --lr {lr} --seed {seed}"
    --loss-from "stdout:loss (.*)" --widths 64,128,256 --target 1024
    """

    study: Annotated[tyro.conf.Positional[Path | None], option("[STUDY.toml]")] = None
    """Study file; it states what differs from the built-in study."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")] = OUT
    """Folder of the runs and the report."""
    json: Json = False
    widths: Annotated[str | None, option("N,N,…")] = None
    """Widths to train, such as 32,64,128."""
    base_width: Annotated[str | None, option("N")] = None
    """Width at which all schemes are the same; one of the widths."""
    target: Annotated[str | None, option("N")] = None
    """Width for which the learning rate is wanted."""
    lr_low: Annotated[str | None, option("LR")] = None
    """Lowest learning rate of the first grid, such as 2^-8."""
    lr_high: Annotated[str | None, option("LR")] = None
    """Highest learning rate of the first grid."""
    per_octave: Annotated[str | None, option("N")] = None
    """Learning rates per factor of two."""
    seeds: Annotated[str | None, option("N")] = None
    """Number of seeds."""
    schemes: Annotated[str | None, option("S,S,…")] = None
    """Parametrizations to compare, such as mup,sp; docs/reference/study-file.md lists them."""
    steps: Annotated[str | None, option("N")] = None
    """Training steps of every run."""
    study_seed: Annotated[str | None, option("N")] = None
    """Names all random streams of the study."""
    tolerance_regret: Annotated[str | None, option("SHARE")] = None
    """Share of the best loss up to which the rate is said to transfer."""
    design: Annotated[str | None, option("grid|adaptive")] = None
    """Whether to train the whole grid, or to choose runs that narrow the answer most."""
    stopping_rule: Annotated[str | None, option("regret=SHARE|octaves=N")] = None
    """Adaptive: stop when the verdicts at this tolerance are settled, or when the target's rate is
    known to so many octaves either way."""
    budget: Annotated[str | None, option("RUNS|FLOPS")] = None
    """Adaptive: spend at most so much, such as 48 or 2e15flops."""
    command: Annotated[str | None, option("PROGRAM ARGS…")] = None
    """Your own trainer, with {width}, {lr}, {seed}, {scheme} and {out}, a folder of the run's own.
    No shell is used unless --shell asks for it."""
    loss_from: Annotated[str | None, option("PATH:KEY|stdout:REGEX")] = None
    """Where its loss is, such as {out}/result.json:loss."""
    scheme: Annotated[str | None, option("NAME")] = None
    """What to call the parametrization that it uses."""
    timeout: Annotated[str | None, option("SECONDS")] = None
    """How long it may take for a run."""
    retries: Annotated[str | None, option("N")] = None
    """How often a run without a result is tried again; by default once."""
    shell: bool = False
    """Give the command to a shell."""
    along: Annotated[str | None, option("width|depth|batch|steps")] = None
    """What the sizes count, along which transfer is asked."""
    sizes: Annotated[str | None, option("N,N,…")] = None
    """Sizes to train along another axis than width."""
    width: Annotated[str | None, option("N")] = None
    """Width of every model, along another axis."""
    vary: Annotated[str | None, option("KEY=X,X,…")] = None
    """A second axis: a numeric setting with its values, each of which gets a verdict of its own,
    such as optimizer.weight_decay=0,0.1."""
    confirm: bool = False
    """Train the target, too, at the rate that the base width's optimum gives and its neighbours,
    and compare with what was foretold."""
    dry_run: bool = False
    """Say what it would cost, beside tuning the target directly; train nothing."""
    device: Annotated[str | None, option("cpu|cuda|mps")] = None
    """Where models are trained."""
    allow_code: bool = False
    """Run code that the study file names as pkg.module:function."""
    workers: Annotated[str | None, option("N")] = None
    """Number of processes, one thread each; by default one per core, of a command one."""

    def run(self) -> int:
        """Run the study, write its report, print the answer."""
        from ..study.load import load
        from ..sweeps.tune import count_workers, require_consent, run_study
        from .page import present
        from .progress import progress

        study = load(self.study, self._overrides())
        require_consent(study, allow_code=self.allow_code)
        asked = None if self.workers is None else whole("workers", self.workers)
        workers = count_workers(study, asked)
        _require_folder(self.out)
        if self.dry_run:
            from ..sweeps.estimate import estimate_cost
            from .dry_run import print_estimate

            found = estimate_cost(study, self.out, workers=workers)
            print_estimate(study, found, as_json=self.json)
            return 0
        with progress(sys.stderr) as listener:
            result = run_study(study, self.out, workers=workers, listener=listener)
        present(result, self.out, as_json=self.json)
        return 0

    def resume_hint(self) -> str:
        """Return the way back into the study."""
        return f"Finished runs are kept in {self.out}; the same command resumes."

    def _overrides(self) -> dict[str, Any]:
        """Return the options given, under their keys in a study file."""
        top = {
            "widths": listed(whole),
            "base_width": whole,
            "target": whole,
            "seeds": whole,
            "schemes": listed(_as_is),
            "along": _as_is,
            "sizes": listed(whole),
            "width": whole,
            "vary": _varied,
            "device": _as_is,
            "design": _as_is,
            "stopping_rule": _as_is,
            "budget": _as_is,
            "study_seed": whole,
            "tolerance_regret": number,
        }
        nested = {
            "lr_low": ("grid", "low", number),
            "lr_high": ("grid", "high", number),
            "per_octave": ("grid", "per_octave", whole),
            "steps": ("training", "steps", whole),
            "command": ("trainer", "command", _as_is),
            "loss_from": ("trainer", "loss_from", _as_is),
            "timeout": ("trainer", "timeout", number),
            "retries": ("trainer", "retries", whole),
        }
        overrides: dict[str, Any] = {
            key: read(key, text)
            for key, read in top.items()
            if (text := getattr(self, key)) is not None
        }
        for key, (section, name, read) in nested.items():
            if (text := getattr(self, key)) is not None:
                overrides.setdefault(section, {})[name] = read(key, text)
        if self.confirm:
            overrides["confirm"] = True
        if self.shell:
            overrides.setdefault("trainer", {})["shell"] = True
        if self.scheme is not None and self.schemes is not None:
            raise ConfigError(
                f"scheme: got {self.scheme!r} and schemes {self.schemes!r}, wanted one of them."
            )
        if self.scheme is not None:
            overrides["schemes"] = (self.scheme,)
        return overrides


def _varied(key: str, text: str) -> dict[str, tuple[float, ...]]:
    path, equals, values = text.partition("=")
    if not equals:
        raise ConfigError(
            f"{key}: got {text!r}, wanted KEY=X,X,…, such as optimizer.weight_decay=0,0.1."
        )
    return {path.strip(): listed(_whole_or_not)(key, values)}


def _whole_or_not(key: str, text: str) -> float:
    return int(text) if text.strip().isdigit() else number(key, text)


def _as_is(key: str, text: str) -> str:
    return text


def _require_folder(path: Path) -> None:
    try:
        is_other = path.exists() and not path.is_dir()
    except OSError as error:
        raise ConfigError(f"out: got {path} ({error.strerror}), wanted a usable path.") from None
    if is_other:
        raise ConfigError(f"out: got {path}, which is a file, wanted a folder or a new name.")
