"""How long a run that trains a model may take, from those of its kind that have finished.

A limit is for hangs, not for slow runs: one that is too short costs good runs, one that is too long
only time. Nothing is concluded from runs of other calls, made on a machine that may be another.
"""

from ..runs.run import RunSpec

FACTOR = 10.0  # times the longest finished run of its kind
FLOOR = 60.0  # seconds that any run may take: other work on the machine may slow it down
SILENCE = 600.0  # seconds that a run may go on without a step while none of its kind has finished


class Pace:
    """The times of the runs of one call, and how long a run may take."""

    def __init__(self, timeout: float | None = None) -> None:
        """Know of no run yet.

        Arguments:
            timeout: Seconds that every run may take, if the user said so.
        """
        self._timeout = timeout
        self._longest: dict[object, float] = {}

    def note(self, run: RunSpec, seconds: float) -> None:
        """Take note of the time of a finished run."""
        known = self._longest.get(run.cost_class, 0.0)
        self._longest[run.cost_class] = max(known, seconds)

    def describe_excess(self, run: RunSpec, *, taken: float, silent: float) -> str | None:
        """Return in words that a run takes too long; None if it does not.

        Arguments:
            run: The run.
            taken: Seconds since it began.
            silent: Seconds since its last step, or since it began.

        Example:
            >>> from lrtransfer.runs.run import ProgramSettings
            >>> from lrtransfer.study.program import Program
            >>> program = Program(command="train {lr}", loss_from="stdout:(.*)")
            >>> run = RunSpec(ProgramSettings(program=program, values={}), "mup", 64, 0.1, 0)
            >>> Pace(timeout=5.0).describe_excess(run, taken=6.0, silent=0.1)
            'took longer than 5 s'
            >>> pace = Pace()
            >>> pace.note(run, 8.0)
            >>> pace.describe_excess(run, taken=79.0, silent=79.0)
            >>> pace.describe_excess(run, taken=81.0, silent=0.1)
            'took longer than 80 s, while others of its kind took at most 8 s'
        """
        if self._timeout is not None:
            return f"took longer than {self._timeout:g} s" if taken > self._timeout else None
        longest = self._longest.get(run.cost_class)
        if longest is None:
            return f"made no step for {SILENCE:g} s" if silent > SILENCE else None
        limit = max(FLOOR, FACTOR * longest)
        if taken <= limit:
            return None
        return (
            f"took longer than {limit:.3g} s, while others of its kind took at most {longest:.3g} s"
        )
