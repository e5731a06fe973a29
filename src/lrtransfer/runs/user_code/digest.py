"""The hash of the user's own code, read without running it.

What counts is the file of the named object and every file of the same folder, or package if it is
an installed one, that it imports, directly or through others: all that `import` statements say, not
what is imported by other means.
"""

import ast
import hashlib
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ...errors import ConfigError

_INSTALLED = set(sysconfig.get_paths().values())


def digest_code(named: Mapping[str, str]) -> str:
    """Return the hash of the source files that named objects need; none of no objects.

    Arguments:
        named: `pkg.module:name` by the key that names it.

    Raises:
        ConfigError: If there is no such module.
    """
    digest = hashlib.sha256()
    for key, text in sorted(named.items()):
        digest.update(text.encode() + b"\0")
        for path in _list_sources(key, text):
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest() if named else ""


def _list_sources(key: str, text: str) -> list[Path]:
    """Return the file of a named object and those that it imports, in a fixed order."""
    module = text.partition(":")[0]
    root = next((root for root in _list_roots() if _find_file(root, module)), None)
    if root is None:
        raise ConfigError(
            f"{key}: got {text!r}, but there is no file of a module {module!r} in {Path.cwd()} nor "
            "among the installed packages. Run the command in the folder of the package."
        )
    top = module.partition(".")[0]
    is_installed = str(root) in _INSTALLED
    found, waiting = dict[Path, None](), [module]
    while waiting:
        wanted = waiting.pop(0)
        if is_installed and wanted.partition(".")[0] != top:
            continue
        for name in _list_with_parents(wanted):
            path = _find_file(root, name)
            if path is not None and path not in found:
                found[path] = None
                waiting += sorted(_list_imports(path, name))
    return list(found)


def _list_roots() -> Iterator[Path]:
    """Yield where modules are looked for, as `import` does."""
    yield Path.cwd()
    yield from (Path(entry) for entry in sys.path if entry)


def _list_with_parents(module: str) -> Iterable[str]:
    """Return a module and the packages that hold it, which are run first.

    Example:
        >>> list(_list_with_parents("a.b.c"))
        ['a', 'a.b', 'a.b.c']
    """
    parts = module.split(".")
    return [".".join(parts[: i + 1]) for i in range(len(parts))]


def _find_file(root: Path, module: str) -> Path | None:
    """Return the source file of a module below a folder."""
    place = root.joinpath(*module.split("."))
    for path in (place / "__init__.py", place.with_suffix(".py")):
        if path.is_file():
            return path
    return None


def _list_imports(path: Path, module: str) -> set[str]:
    """Return the names that may be modules, of all import statements of a file."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # told when it is imported
        return set()
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    names = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            origin = [*above, *(node.module.split(".") if node.module else [])]
            names |= {".".join([*origin, alias.name]) for alias in node.names}
            names.add(".".join(origin))
    return names - {""}
