"""The file format of a bundle: gzipped lines of JSON, one line a change.

The first line is the header, then comes one line for each change in the order of their numbers, and the
last line is the footer, which counts them and holds the sha256 of all lines before it. So a file that was
cut short or altered is known for one before anything of it is used. A change has its entries as
the store keeps them, texts, salts and digests, so that what is read back is the same to the byte.
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import chain as chained
from pathlib import Path
from typing import IO, Any

from arangopipe.errors import InvalidInput, SchemaMismatch, StoreError, StoreUnavailable
from arangopipe.model.graph import Change
from arangopipe.model.wire import change_dict, change_from

FORMAT = "arangopipe bundle"
VERSION = 1
LEVEL = 6
LONGEST = 256_000_000
"""Bytes of a line that are read at most: a file that was packed to burst memory is refused."""

_PIECE = 65_536

Progress = Callable[[int, int | None], object]
"""Told how many changes are done, and of how many (None where that is not known)."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile, ValueError, LookupError, TypeError, AttributeError)


@dataclass(frozen=True)
class Header:
    """What a bundle holds: the store it came from, its changes `first` to `last`, and of them which.

    `store` is known by the first link of its chain. A `whole` bundle holds every change from the first,
    uncut; `project` is set where changes were cut to what belongs to one.
    """

    store: str
    first: int
    last: int
    whole: bool
    project: str | None = None
    created: str = ""
    arangopipe: str = ""


@dataclass(frozen=True)
class Footer:
    """How much a bundle holds, and the sha256 of the lines that hold it."""

    changes: int
    entries: int
    sha256: str


class Lines:
    """The lines of a bundle; after the last one, `footer` says how much they hold."""

    footer: Footer

    def __init__(self, header: Header, changes: Iterable[Change]) -> None:
        self._header = header
        self._changes = changes

    def __iter__(self) -> Iterator[bytes]:
        digest, count, entries = sha256(), 0, 0
        line = _encoded({"format": FORMAT, "version": VERSION, **asdict(self._header)})
        digest.update(line)
        yield line
        for change in self._changes:
            line = _encoded(change_dict(change))
            digest.update(line)
            yield line
            count, entries = count + 1, entries + len(change.entries)
        self.footer = Footer(count, entries, digest.hexdigest())
        yield _encoded({"footer": asdict(self.footer)})


def _encoded(line: dict[str, Any]) -> bytes:
    return (_encode(line) + "\n").encode()


def write(path: Path, header: Header, changes: Iterable[Change]) -> Footer:
    """Write a bundle beside its place and move it there when it is whole; nothing is left of a failure."""
    lines = Lines(header, changes)
    with replacing(path) as part, gzip.GzipFile("", "wb", LEVEL, part, mtime=0) as file:
        for line in lines:
            file.write(line)
    return lines.footer


def packed(header: Header, changes: Iterable[Change]) -> Iterator[bytes]:
    """Yield a bundle piece by piece; one that breaks off is known for one by its missing end."""
    packing = zlib.compressobj(LEVEL, wbits=31)
    pieces: list[bytes] = []
    size = 0
    for line in Lines(header, changes):
        pieces.append(packing.compress(line))
        size += len(pieces[-1])
        if size > _PIECE:
            yield b"".join(pieces)
            pieces, size = [], 0
    yield b"".join([*pieces, packing.flush()])


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write beside `path`, which takes its place when all went well."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


class Bundle:
    """A bundle that is to be read; raises `InvalidInput` for a file that is none or is damaged."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._lines() as lines:
            self.header = self._header(next(lines, b""))

    def _header(self, line: bytes) -> Header:
        try:
            found = json.loads(line)
            if found.pop("format") != FORMAT:
                raise LookupError("format")
            version = found.pop("version")
        except _DAMAGE as error:
            raise InvalidInput(f"{self.path} is no bundle that 'arangopipe export' has written") from error
        if version != VERSION:
            raise SchemaMismatch(
                f"{self.path} was written by a newer Arangopipe (bundle format {version}, this one knows "
                f"{VERSION}): pip install -U arangopipe"
            )
        with self._reading():
            return Header(**found)

    def check(self, progress: Progress | None = None) -> Footer:
        """Read the whole file and return its footer; raise `InvalidInput` where it was cut or altered."""
        digest, count = sha256(), 0
        last = b""
        with self._lines() as lines:
            for line in lines:
                digest.update(last)
                last, count = line, count + 1
                if progress is not None and count % 1_000 == 0:
                    progress(count, None)
        with self._reading():
            footer = Footer(**json.loads(last)["footer"])
        if (footer.sha256, footer.changes) != (digest.hexdigest(), count - 2):
            raise self._damaged("its lines are not those that its last line counts")
        return footer

    def changes(self) -> Iterator[Change]:
        """Yield the changes; `check` the file first."""
        with self._lines() as lines:
            next(lines, b"")
            for line, after in _pairs(lines):
                if after is None:
                    return
                with self._reading():
                    change = change_from(json.loads(line))
                yield change

    @contextmanager
    def _lines(self) -> Iterator[Iterator[bytes]]:
        with self._reading(), gzip.open(self.path, "rb") as file:
            yield self._bounded(file)

    def _bounded(self, file: gzip.GzipFile) -> Iterator[bytes]:
        while line := file.readline(LONGEST + 1):
            if len(line) > LONGEST:
                raise self._damaged(f"it has a line of more than {LONGEST:,} bytes")
            yield line

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise InvalidInput(f"there is no file {self.path}") from error
        except (EOFError, zlib.error) as error:
            raise self._damaged("it was cut short or altered") from error
        except gzip.BadGzipFile as error:
            raise InvalidInput(f"{self.path} is no bundle that 'arangopipe export' has written") from error
        except OSError as error:
            raise StoreUnavailable(f"{self.path} cannot be read: {error.strerror or error}") from error
        except SchemaMismatch:
            raise
        except StoreError as error:
            raise self._damaged(str(error)) from error
        except InvalidInput:
            raise
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise self._damaged(f"{type(error).__name__}: {error}") from error

    def _damaged(self, why: str) -> InvalidInput:
        return InvalidInput(f"{self.path} is damaged ({why}): nothing of it was used; export it anew")


def _pairs(lines: Iterator[bytes]) -> Iterator[tuple[bytes, bytes | None]]:
    """Yield each line with the one after it, None after the last."""
    before = next(lines, None)
    for line in chained(lines, [None]):
        if before is not None:
            yield before, line
        before = line
