"""A supervisor: starts one command, and ends all that it started when its own starter is gone.

A script of the standard library alone, so that it starts in 20 ms:

    python -I -S supervisor.py FD GRACE COMMAND ARGUMENT…

FD is one end of a pair of sockets, the lifeline. What ends the command is

- an end of the lifeline, which comes with the starter's end however that ends: the command is asked
  to end, and ended after GRACE seconds;
- any byte on the lifeline: it is ended at once;
- its own end: then what it left running is ended.

On Linux the supervisor adopts the orphans below it, so that none escapes it by a session of its
own; elsewhere it ends its process group. How the command ended goes out on the lifeline: its exit
code, negative for a signal, or `E` and the number of the error that kept it from starting.
"""

import ctypes
import os
import select
import signal
import sys
import time

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # <linux/prctl.h>
_IS_LINUX = sys.platform == "linux"
_LOOK_SECONDS = 1.0  # between looks at who our parent is
# What ends a whole process group must not end the one that sees to its end.
_UNHEEDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
_FORCED = -int(signal.SIGKILL)


def supervise(lifeline: int, grace: float, command: list[str]) -> None:
    """Start a command, wait until it or the lifeline ends, and leave nothing of it running."""
    starter = os.getppid()
    os.set_inheritable(lifeline, False)
    for number in _UNHEEDED:
        signal.signal(number, signal.SIG_IGN)
    if _IS_LINUX:
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    woken = _wake_on_ended_children()
    child = _start(lifeline, command)
    code, poll = None, select.poll()
    for descriptor in (lifeline, woken):
        poll.register(descriptor, select.POLLIN)
    while (code := _reap(child)) is None and os.getppid() == starter:
        # A process forked from the starter may hold the lifeline: hence the look at the parent.
        ready = [descriptor for descriptor, _ in poll.poll(_LOOK_SECONDS * 1000)]
        if woken in ready:
            os.read(woken, 4096)
        if lifeline in ready:
            code = _reap(child)
            break
    if code is None and not _is_told_to_kill(lifeline):
        code = _ask_to_end(child, grace)
    _end_descendants()
    _tell(lifeline, str(_FORCED if code is None else code))
    if code is None or not _IS_LINUX:
        os.killpg(0, signal.SIGKILL)  # this process, too


def _wake_on_ended_children() -> int:
    """Return a pipe that becomes readable when a child has ended."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return reading


def _start(lifeline: int, command: list[str]) -> int:
    """Start the command in this process group and return its process."""
    supervisor = os.getpid()
    child = os.fork()
    if child:
        return child
    try:
        signal.set_wakeup_fd(-1)
        for number in (*_UNHEEDED, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        if _IS_LINUX:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != supervisor:
                os._exit(1)
        os.execvp(command[0], command)
    except OSError as error:
        _tell(lifeline, f"E{error.errno}")
    finally:
        os._exit(127)


def _reap(child: int) -> int | None:
    """Collect the children that have ended; return the exit code of this one, if it has."""
    code = None
    try:
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == child:
                code = os.waitstatus_to_exitcode(ended[1])
    except ChildProcessError:
        pass
    return code


def _is_told_to_kill(lifeline: int) -> bool:
    """Return whether a byte came; False where the lifeline has ended."""
    if not select.select([lifeline], [], [], 0)[0]:
        return False
    try:
        return os.read(lifeline, 1) != b""
    except OSError:
        return False


def _ask_to_end(child: int, grace: float) -> int | None:
    """Ask the process group to end and return the exit code, None if it has not ended in time."""
    os.killpg(0, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while (code := _reap(child)) is None and time.monotonic() < deadline:
        time.sleep(0.02)
    return code


def _end_descendants() -> None:
    """Kill the children until there is none: those of a killed one become ours."""
    while _IS_LINUX:
        for child in _list_children():
            try:
                os.kill(child, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _list_children() -> list[int]:
    """Return the children of this process."""
    children = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                parent = int(file.read().rpartition(b")")[2].split()[1])
        except OSError:  # it has ended meanwhile
            continue
        if parent == os.getpid():
            children.append(int(name))
    return children


def _tell(lifeline: int, text: str) -> None:
    """Say how the command ended, if anyone still listens."""
    try:
        os.write(lifeline, text.encode() + b"\n")
    except OSError:
        pass


if __name__ == "__main__":
    supervise(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])
