"""A command whose processes end with this one, however this one ends. Loads no torch.

Between us and the command stands a supervisor (`supervisor`), which is told to end the command by
the end of a socket that only we hold: also after a `kill -9`, it does not outlive us.
"""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from .leftovers import MARK, end_marked

SUPERVISOR = Path(__file__).with_name("supervisor.py")
NOT_STARTED = 127  # exit code of a command that could not be started, as a shell's
FORCE_SECONDS = 5.0  # for a supervisor to end all that its command started


class SupervisedProcess:
    """A command in a session of its own, with all that it starts.

    What it starts ends with it, and both end with this process. On Linux that holds for what leaves
    the session, too.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        grace: float = 0.0,
        study: str = "",
        environment: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
        **streams: Any,
    ) -> None:
        """Start the command.

        Arguments:
            command: Program and arguments.
            grace: Seconds that the command has to end by itself when this process is gone.
            study: Mark of the study that it works for (`leftovers.mark_study`).
            environment: Variables beside those of this process.
            pass_fds: Further files that it inherits.
            **streams: Its `stdin`, `stdout` and `stderr`, as of `subprocess.Popen`.
        """
        self._mark = f"{study}/{secrets.token_hex(8)}"
        self._lifeline, theirs = socket.socketpair()
        try:
            self.supervisor = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", str(SUPERVISOR)),
                    *(str(theirs.fileno()), str(grace), *command),
                ],
                pass_fds=(theirs.fileno(), *pass_fds),
                start_new_session=True,
                env={**os.environ, **(environment or {}), MARK: self._mark},
                **streams,
            )
        except BaseException:
            self._lifeline.close()
            raise
        finally:
            theirs.close()
        self._said: str | None = None

    @property
    def returncode(self) -> int | None:
        """How the command ended, negative for a signal; None while it has not been seen to end."""
        if self.supervisor.returncode is None:
            return None
        said = self._listen()
        if said.startswith("E"):
            return NOT_STARTED
        return int(said) if said else self.supervisor.returncode

    @property
    def start_error(self) -> OSError | None:
        """What kept the command from starting; None where it did start, or may."""
        said = "" if self.supervisor.returncode is None else self._listen()
        if not said.startswith("E"):
            return None
        return OSError(int(said[1:]), os.strerror(int(said[1:])))

    def poll(self) -> int | None:
        """Return how the command ended, None if it has not; what it left running is ended."""
        if self.supervisor.returncode is None and self.supervisor.poll() is not None:
            self._end_rest()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until the command has ended and return how.

        Raises:
            subprocess.TimeoutExpired: If it has not ended in time.
        """
        if self.supervisor.returncode is None:
            self.supervisor.wait(timeout)
            self._end_rest()
        assert self.returncode is not None
        return self.returncode

    def terminate(self) -> None:
        """Ask the command, and what it started, to end."""
        self._signal(signal.SIGTERM)

    def end(self, deadline: float) -> None:
        """Wait until the command has ended; end it by force once the deadline has passed.

        Arguments:
            deadline: A time of `time.monotonic`.
        """
        try:
            with suppress(subprocess.TimeoutExpired):
                self.wait(max(0.0, deadline - time.monotonic()))
        finally:  # even where a second interrupt ends the waiting
            self._kill()

    def _kill(self) -> None:
        """End the command and what it started."""
        try:
            if self.supervisor.returncode is None:
                with suppress(OSError):
                    self._lifeline.send(b"k")
                with suppress(subprocess.TimeoutExpired):
                    self.wait(FORCE_SECONDS)
        finally:
            if self.supervisor.returncode is None:
                self._signal(signal.SIGKILL)
                self.supervisor.wait()
                end_marked(self._mark)
            self._listen()

    def _end_rest(self) -> None:
        """End what a supervisor that was itself killed, or knows groups alone, left running."""
        self._signal(signal.SIGKILL)
        if not self._listen():
            end_marked(self._mark)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.supervisor.pid, number)

    def _listen(self) -> str:
        """Return the first line that an ended supervisor said; empty where it said nothing."""
        if self._said is None:
            self._said = ""
            with self._lifeline, suppress(OSError):
                self._lifeline.setblocking(False)
                self._said = self._lifeline.recv(64).decode().split("\n")[0]
        return self._said
