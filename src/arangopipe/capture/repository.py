"""The git repository around a folder: its commit, and a digest of all that the commit does not hold."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import subprocess
import tempfile
from pathlib import Path
from time import monotonic
from typing import IO, NamedTuple

from arangopipe.capture import tools
from arangopipe.capture.files import feed
from arangopipe.capture.values import JSON

CREDENTIALS = re.compile(r"(?<=://)[^/\s]*@")

_FRESH_SECONDS = 5.0
_MAX_FOLDERS = 64
_MAX_READ_BYTES = 1 << 20
_STABLE_DIFF = (
    *("diff", "HEAD", "--full-index", "--diff-algorithm=myers", "--submodule=short"),
    *("--unified=3", "--inter-hunk-context=0", "--src-prefix=a/", "--dst-prefix=b/"),
    *("--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "--no-indent-heuristic"),
)
_STORE_FILE = re.compile(rb"\.(db|sqlite3?)([-.]\w+)?$")


class Repository(NamedTuple):
    """What git told of a folder; `root` is None outside of a work tree."""

    root: Path | None
    facts: dict[str, JSON]
    error: str | None


_repositories: dict[Path, tuple[float, Repository]] = {}


def repository(folder: Path) -> Repository:
    """Return the repository around a folder, as git told it not long ago."""
    now = monotonic()
    fresh_until, state = _repositories.get(folder, (now, None))
    if state is None or fresh_until < now:
        state = _look_at(folder)
        took = monotonic() - now
        if len(_repositories) >= _MAX_FOLDERS:
            _repositories.clear()
        _repositories[folder] = now + took + max(_FRESH_SECONDS, 20 * took), state
    return state


def _look_at(folder: Path) -> Repository:
    git = _Git(folder.parent if folder.is_file() else folder, monotonic() + tools.TIMEOUT)
    root, error = None, None
    facts: dict[str, JSON] = {}
    try:
        inside, *to_root = git.lines("rev-parse", "--is-inside-work-tree", "--show-cdup")
        commit = git.line("rev-parse", "--quiet", "--verify", "HEAD")
        branch = git.line("symbolic-ref", "--quiet", "--short", "HEAD")
        facts |= {"commit": commit, "branch": branch, "remote": _remote(git)}
        if inside == "true":
            root = git.folder.joinpath(*to_root).resolve()
            diff = _diff_digest(git._replace(folder=root), commit)
            facts |= {"dirty": diff is not None, "diff": diff}
    except subprocess.CalledProcessError as failure:
        if b"not a git repository" not in failure.stderr:
            error = f"git: {tools.why(failure)}"
    except (OSError, subprocess.SubprocessError) as failure:
        error = f"git: {tools.why(failure)}"
    return Repository(root, facts, error)


class _Git(NamedTuple):
    """The git command in a folder, until a deadline in monotonic seconds."""

    folder: Path
    deadline: float

    def run(self, *arguments: str, out: int | IO[bytes] = subprocess.PIPE) -> bytes:
        """Return the output, empty if git says that there is no such thing (exit status 1)."""
        # Set by git for its hooks, these would name another repository than the folder's.
        elsewhere = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"}
        calm = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
        done = subprocess.run(
            ["git", "-C", self.folder, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
            env={k: v for k, v in os.environ.items() if k not in elsewhere} | calm,
            timeout=max(self.deadline - monotonic(), 0),
        )
        if done.returncode not in (0, 1):
            done.check_returncode()
        return done.stdout or b""

    def lines(self, *arguments: str) -> list[str]:
        return self.run(*arguments).decode("utf-8", "backslashreplace").split("\n")[:-1]

    def line(self, *arguments: str) -> str | None:
        return next(iter(self.lines(*arguments)), None)


def _remote(git: _Git) -> str | None:
    lines = git.lines("config", "--get-regexp", r"^remote\..*\.url$")
    remotes = {name: url for name, _, url in (line.partition(" ") for line in lines)}
    url = remotes.get("remote.origin.url") or next(iter(remotes.values()), None)
    return url and CREDENTIALS.sub("", url)


def _diff_digest(git: _Git, commit: str | None) -> str | None:
    digest = hashlib.sha256()
    changed = False
    listing = ["ls-files", "-z", "--others", "--exclude-standard"]
    if commit is None:
        listing.append("--cached")
    else:
        with tempfile.TemporaryFile() as diff:  # it may not fit in memory
            git.run(*_STABLE_DIFF, out=diff)
            diff.seek(0)
            changed = feed(digest, diff) > 0
    for name in git.run(*listing).split(b"\0")[:-1]:
        if not _STORE_FILE.search(name):
            changed = True
            digest.update(b"\0%b\0%b" % (name, _file_mark(git.folder / os.fsdecode(name))))
        if monotonic() > git.deadline:
            raise subprocess.TimeoutExpired("git", tools.TIMEOUT)
    return digest.hexdigest() if changed else None


def _file_mark(path: Path) -> bytes:
    try:
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            return b"link " + os.fsencode(path.readlink())
        if not stat.S_ISREG(status.st_mode):
            return b"special"
        if status.st_size > _MAX_READ_BYTES:
            return b"size %d" % status.st_size
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        return b"unreadable"
