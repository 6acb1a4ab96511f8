"""The files of the spool: lines of JSON, each one batch with its checksum.

A process appends to a file of its own for each store, ``<process>-<number>-<store>.jsonl``, and holds a
lock on it while it lives; `process` is a UUIDv7, so that names sort by time. A last line that was cut off is
ignored: nobody was told that it is kept. What a store refused stands in files ``….refused``, which only
`arangopipe spool replay` tries again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

from arangopipe.errors import ArangopipeError
from arangopipe.model import times
from arangopipe.model.graph import Batch
from arangopipe.model.wire import batch_dict, batch_from
from arangopipe.store.settings import home, place, spool_limit

try:
    import fcntl
except ImportError:  # Windows keeps open files from being removed, and batches are recorded once anyway
    fcntl = None  # type: ignore[assignment]

_BINARY = getattr(os, "O_BINARY", 0)  # Windows would write other line ends
WAITING, REFUSED = ".jsonl", ".refused"

_LINE = re.compile(rb'\{"checksum":"([0-9a-f]{64})","entry":(\{.*\})\}\n', re.DOTALL)


@dataclass(frozen=True)
class Entry:
    """A batch that waits: for which store, since when, and why.

    A put that expects "any" holds only the attributes to set: they are laid over what is there
    (`replay.record`). `dropped` counts points that found no room. Without `batch` the line is damaged.
    """

    store: str
    time: datetime
    why: str
    batch: Batch | None
    dropped: int = 0

    def line(self) -> bytes:
        """Return it as a line of a file."""
        assert self.batch is not None
        value = {
            "store": self.store,
            "time": times.to_text(self.time),
            "why": self.why,
            "batch": batch_dict(self.batch),
            **({"dropped": self.dropped} if self.dropped else {}),
        }
        text = json.dumps(value, separators=(",", ":")).encode()
        return b'{"checksum":"%s","entry":%s}\n' % (hashlib.sha256(text).hexdigest().encode(), text)


class Line(NamedTuple):
    """A whole line of a file, and what it says."""

    raw: bytes
    entry: Entry


class File(NamedTuple):
    """One file of the spool."""

    path: Path

    @property
    def process(self) -> str:
        """What stands for the process that wrote it."""
        return self.path.name[:36]

    @property
    def name(self) -> str:
        """What a person calls it: the end of its process, and its number."""
        return f"{self.process[-8:]}-{self.path.name[37:].partition('-')[0].lstrip('0')}"

    @property
    def refused(self) -> bool:
        """Whether a store refused what it holds."""
        return self.path.suffix == REFUSED

    def lines(self) -> Iterator[Line]:
        """Yield its lines, without one that was cut off at the end."""
        with self.path.open("rb") as stream:
            for raw in stream:
                if raw.endswith(b"\n"):
                    yield Line(raw, parsed(raw))

    @contextmanager
    def locked(self) -> Iterator[BinaryIO | None]:
        """Open it as the only one who may change it; gives None where another process has that right."""
        try:
            stream = self.path.open("r+b")
        except (FileNotFoundError, PermissionError):  # it is recorded, or another user's
            yield None
            return
        with stream:
            # Who had it before may have removed or replaced it meanwhile.
            yield stream if _lock(stream.fileno()) and _is_still(self.path, stream) else None


class Writer:
    """A file of this process that is made when it is needed, and locked; `process` begins its name."""

    def __init__(self, store: str, process: str, suffix: str = WAITING) -> None:
        # What was refused at once is never taken for what was refused later, which keeps its number.
        self._name = f"{process}-{{:06}}{'r' if suffix == REFUSED else ''}-{mark(store)}{suffix}"
        self._number = 0
        self._size = 0
        self._close: weakref.finalize[..., Writer] | None = None
        self._descriptor = -1
        self.file: File | None = None

    def append(self, entry: Entry) -> Entry:
        """Keep a batch so that it survives loss of power; return what was kept.

        Where the spool is full, points are left out and counted. Raises `OSError` where it cannot be
        written; the file is then as it was.
        """
        if self.file is None:
            self._open()
        line = entry.line()
        if entry.batch is not None and entry.batch.points and _used() + len(line) > spool_limit():
            dropped = sum(len(points.points) for points in entry.batch.points)
            entry = replace(entry, batch=replace(entry.batch, points=()), dropped=dropped)
            line = entry.line()
        try:
            os.lseek(self._descriptor, self._size, os.SEEK_SET)
            rest = line
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            os.fsync(self._descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(line)
        return entry

    def _open(self) -> None:
        folder().mkdir(parents=True, exist_ok=True, mode=0o700)
        self._number += 1
        file = File(folder() / self._name.format(self._number))
        self._descriptor = os.open(file.path, os.O_CREAT | os.O_EXCL | os.O_RDWR | _BINARY, 0o600)
        # Not at exit: what runs log until the very end is still kept.
        self._close = weakref.finalize(self, os.close, self._descriptor)
        self._close.atexit = False
        _lock(self._descriptor)
        self.file, self._size = file, 0

    def close(self) -> None:
        """Leave the file to whoever replays it."""
        if self._close is not None:
            self._close()
        self._close = self.file = None


def folder() -> Path:
    """Return the folder of the spool; raises `OSError` for a user without a home."""
    try:
        return home() / "spool"
    except RuntimeError as error:
        raise FileNotFoundError(f"{error}: set ARANGOPIPE_HOME") from error


def address(url: str) -> str:
    """Return what tells a store from others: its URL without most options, user and password."""
    return place(url)


def mark(url: str) -> str:
    """Return the part of a file's name that stands for a store."""
    return hashlib.sha256(address(url).encode()).hexdigest()[:16]


def files(url: str | None = None, refused: bool = True) -> list[File]:
    """Return the files that wait, for one store or all, the oldest first; what was `refused` too."""
    ending = "" if url is None else f"-{mark(url)}"
    suffixes = (WAITING, REFUSED) if refused else (WAITING,)
    try:
        paths = sorted(folder().iterdir())
    except OSError:
        return []
    wanted = tuple(ending + suffix for suffix in suffixes)
    return [File(path) for path in paths if path.name.endswith(wanted)]


def parsed(raw: bytes) -> Entry:
    """Return what a line says; of a damaged one, that it is damaged."""
    match = _LINE.fullmatch(raw)
    if match and hashlib.sha256(match[2]).hexdigest().encode() == match[1]:
        with suppress(ArangopipeError, LookupError, TypeError, ValueError):
            value = json.loads(match[2])
            return Entry(
                value["store"],
                times.parse(value["time"]),
                value["why"],
                batch_from(value["batch"]),
                value.get("dropped", 0),
            )
    return Entry("", times.from_microseconds(0), f"the line is damaged: {raw[:80]!r}", None)


def _used() -> int:
    total = 0
    for file in files():
        with suppress(OSError):
            total += file.path.stat().st_size
    return total


def _lock(descriptor: int) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_still(path: Path, stream: BinaryIO) -> bool:
    try:
        return path.stat().st_ino == os.fstat(stream.fileno()).st_ino
    except FileNotFoundError:
        return False
