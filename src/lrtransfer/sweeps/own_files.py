"""A study writes into files of its own alone.

A folder may come from somebody else. A link in it, where a study writes, would lead the writing to
any file of the user's.
"""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import StoreError

RUNS_NAME = "runs"  # folders and outputs of programs


def require_own_files(directory: Path, *names: str) -> None:
    """Refuse a folder in which a study would write through a link, or into what is no file.

    Arguments:
        directory: The folder of a study.
        *names: Files in it that a study writes to, if they exist.

    Raises:
        StoreError: If one is a symbolic link, or neither a file nor a folder as it must be.
        OSError: If the folder cannot be looked at.
    """
    for name in names:
        _require_own(directory / name, is_kind=stat.S_ISREG, kind="a plain file")
    runs = directory / RUNS_NAME
    if _require_own(runs, is_kind=stat.S_ISDIR, kind="a folder"):
        for entry in _list_links(runs):
            raise StoreError(_describe_link(entry))


def open_own(path: Path) -> int:
    """Open a file to read and write, and make it if need be, but follow no link.

    Returns:
        A descriptor of the file.

    Raises:
        OSError: If it cannot be opened, or is no plain file.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, "not a plain file", str(path))
    return descriptor


def _require_own(path: Path, *, is_kind: Callable[[int], bool], kind: str) -> bool:
    """Return whether something is there; refuse it if it is a link, or of another kind."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISLNK(mode):
        raise StoreError(_describe_link(path))
    if not is_kind(mode):
        raise StoreError(
            f"{path}: got something that is not {kind}, wanted {kind} of the study's own. Move it "
            "away, or choose another --out."
        )
    return True


def _list_links(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink():
                yield folder / entry.name


def _describe_link(path: Path) -> str:
    return (
        f"{path}: got a link to {path.readlink()}, wanted what is the study's own: it would be "
        "written to. Remove the link, or choose another --out."
    )
