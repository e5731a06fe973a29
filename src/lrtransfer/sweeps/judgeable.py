"""Can a study judge the losses that its runs leave? Asked of each as it ends, not of the last.

A regret that is a share of the best loss needs losses above 0. Whoever trains a score, a reward or
a log-likelihood density learns that from the first run, which is kept.
"""

from collections.abc import Mapping

from ..errors import UserError
from ..runs.result import TrainedRun
from ..runs.run import RunSpec
from ..study.study import Study
from ..training.outcome import Outcome
from .sweep import Sweep


def require_judgeable(study: Study, run: RunSpec, outcome: Outcome) -> None:
    """Refuse to go on from a loss of which no share can be taken.

    Raises:
        UserError: If the loss is 0 or below and the study's tolerance is a share of the best loss.
    """
    loss = outcome.loss
    if loss is None or loss > 0 or outcome.diverged or study.search.absolute:
        return
    raise UserError(
        f"loss: got {loss:g} from the run of {run.scheme}, width {run.width}, lr {run.lr:.4g}, "
        f"seed {run.seed}, wanted a positive loss: tolerance_regret is a share of the best one. "
        "Give --tolerance-regret-abs LOSS (tolerance_regret_abs in a study file or from Python), a "
        "tolerance in units of the loss, such as 0.02: it judges losses of any sign, and the runs "
        "are kept."
    )


def require_judgeable_runs(sweep: Sweep, present: Mapping[str, TrainedRun]) -> None:
    """Refuse to go on from runs of a study that are finished, as `require_judgeable` does.

    Raises:
        UserError: If one of them has such a loss.
    """
    for planned in sweep.expand(sweep.design.first()):
        if (finished := present.get(planned.run.id)) is not None:
            require_judgeable(sweep.study, planned.run, finished.outcome)
