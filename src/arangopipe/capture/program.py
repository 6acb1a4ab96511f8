"""The program that is running: its script and arguments, and the repository that it is from."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from functools import lru_cache
from pathlib import Path

from arangopipe.capture.repository import CREDENTIALS, repository
from arangopipe.capture.values import JSON, utf8

_SECRET_NAME = "(?:(?:passw(?:or)?d|passphrase|pwd|secret|credential)[^=]*|token|key|auth|authorization|pass)"
_SECRET_OPTION = re.compile(f"-[^=]*?{_SECRET_NAME}", re.IGNORECASE)
_SECRET_VALUE = re.compile(f"({_SECRET_NAME}=).*", re.IGNORECASE | re.DOTALL)


def code(start: str | os.PathLike[str] | None = None) -> dict[str, JSON]:
    """Return what is running: script, arguments, and the state of its git repository.

    The repository is the one around `start`, by default around the script; in a notebook, a shell
    or a program that came with a package, around the working directory. Git is asked once per
    folder and 5 s (or 20 times what asking took, so a slow repository costs at most 5 %).

    Always: `script`, `argv` (values of options named like secrets masked), `notebook`. In a
    repository: `commit`, `branch`, `remote` (without credentials), `path` of the script from the
    root, `dirty`, and `diff`: a digest of all that the commit does not hold, None if clean. It
    covers `git diff HEAD` and the untracked files that are not ignored: by content, by size above
    1 MB, and not at all if they are SQLite files, since the store itself changes with each run.
    `capture_error` says why some of it is missing.
    """
    script = _script()
    state = repository(_folder(script) if start is None else Path(start).absolute())
    found: dict[str, JSON] = {
        "script": script,
        "argv": [*_masked(tuple(getattr(sys, "argv", ())))],
        "notebook": script is None and "ipykernel" in sys.modules,
        **state.facts,
    }
    if state.root is not None:
        found["path"] = _path_in(state.root, script)
    if state.error:
        found["capture_error"] = state.error
    return found


def _script() -> str | None:
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    return None if file is None or file == "<stdin>" else utf8(file)


def _folder(script: str | None) -> Path:
    # pyenv and Homebrew are repositories themselves, and their state says nothing about the run.
    if script is None or _came_with_a_package(script):
        return Path.cwd()
    return Path(script).absolute().parent


@lru_cache(maxsize=8)
def _came_with_a_package(script: str) -> bool:
    user = sysconfig.get_preferred_scheme("user")
    programs = sysconfig.get_path("scripts"), sysconfig.get_path("scripts", user)
    folder = Path(script).parent
    if folder in {Path(sys.executable).parent, *map(Path, programs)}:
        return True
    return "site-packages" in folder.parts or "dist-packages" in folder.parts


@lru_cache(maxsize=8)
def _path_in(root: Path, script: str | None) -> str | None:
    path = None if script is None else Path(script).resolve()
    return path.relative_to(root).as_posix() if path and path.is_relative_to(root) else None


@lru_cache(maxsize=8)
def _masked(arguments: tuple[str, ...]) -> tuple[str, ...]:
    masked = []
    after_option = False
    for argument in map(utf8, arguments):
        if after_option and not argument.startswith("--"):
            masked.append("***")
            after_option = False
        else:
            masked.append(CREDENTIALS.sub("***@", _SECRET_VALUE.sub(r"\1***", argument)))
            after_option = _SECRET_OPTION.fullmatch(argument) is not None
    return tuple(masked)
