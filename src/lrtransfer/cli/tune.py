"""`lrtransfer tune`: run a study, judge transfer, name the learning rate for the target."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from ..defaults import STUDY_FOLDER
from ..errors import ConfigError
from .command import Command, print_json, wide_console
from .options import Json, option, path_of, read_whole
from .study_options import STUDY_ARGUMENTS, read_settings

EXIT_NO_ANSWER = 1  # runs failed, and the others allow no verdict


@dataclass(frozen=True, kw_only=True)
class TuneCommand(Command):
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
    out: Annotated[Path, path_of("out"), tyro.conf.arg(metavar="DIR")] = STUDY_FOLDER
    """Folder of the runs and the report."""
    json: Json = False
    settings: Annotated[Any, STUDY_ARGUMENTS, tyro.conf.OmitArgPrefixes]
    scheme: Annotated[str | None, option("NAME")] = None
    """Name of the parametrization that your own trainer uses, in the place of --schemes."""
    dry_run: bool = False
    """Print what the study would cost, beside tuning the target directly; train nothing."""
    allow_code: bool = False
    """Run what the study file names: code as pkg.module:function, or the command of its trainer."""
    workers: Annotated[str | None, option("N")] = None
    """Number of processes, one thread each; by default one per core, one for a command."""

    def run(self) -> int:
        """Run the study, write its report, print the answer."""
        from ..study.load import load
        from ..sweeps.tune import count_workers, require_consent, run_study
        from .present import present
        from .progress import show_progress

        typed = self.overrides()
        study = load(self.study, typed)
        require_consent(study, allow_code=self.allow_code, typed=typed, estimate_only=self.dry_run)
        workers = None if self.workers is None else read_whole("workers", self.workers)
        workers = count_workers(study, workers)
        _require_folder(self.out)
        if self.dry_run:
            from ..reports.document import estimate_document
            from ..reports.text import print_estimate
            from ..sweeps.estimate import estimate_cost

            estimate = estimate_cost(study, self.out, workers=workers)
            if self.json:
                print_json(estimate_document(study, estimate))
            else:
                print_estimate(study, estimate, console=wide_console())
            return 0
        with show_progress(sys.stderr) as listener:
            result = run_study(study, self.out, workers=workers, listener=listener)
        present(result, self.out, as_json=self.json)
        return 0 if result.answers else EXIT_NO_ANSWER

    def resume_hint(self) -> str:
        """Return how to resume the study."""
        return f"Finished runs are kept in {self.out}; the same command resumes."

    def overrides(self) -> dict[str, Any]:
        """Return the settings that options give, under their keys in a study file."""
        overrides = read_settings(vars(self.settings))
        if self.scheme is not None:
            if "schemes" in overrides:
                raise ConfigError(
                    f"scheme: got {self.scheme!r} and schemes {self.settings.schemes!r}, wanted "
                    "one of them."
                )
            overrides["schemes"] = (self.scheme,)
        return overrides


def _require_folder(path: Path) -> None:
    try:
        is_other = path.exists() and not path.is_dir()
    except OSError as error:
        raise ConfigError(f"out: got {path} ({error.strerror}), wanted a usable path.") from None
    if is_other:
        raise ConfigError(f"out: got {path}, which is a file, wanted a folder or a new name.")
