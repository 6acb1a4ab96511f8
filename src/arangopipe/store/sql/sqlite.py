"""SQLite: the file, its connections and its locks.

Writers queue at an advisory lock on ``<file>-lock`` before they ask SQLite: its own retry is unfair and
lets a writer among eight wait for seconds; the queue brings that below a tenth of a second.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import stat
import time
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, quote, unquote

from arangopipe.errors import ArangopipeError, InvalidInput, StoreError, StoreUnavailable
from arangopipe.model.expressions import Like, Path, Read, predicate
from arangopipe.model.vocabulary import near
from arangopipe.store.abilities import Rows
from arangopipe.store.sql import meanings, native
from arangopipe.store.sql.connections import Connection, Connections, Loan
from arangopipe.store.sql.database import BUSY_SECONDS, Clash, Database
from arangopipe.store.sql.dialect import SQLITE, Cursor
from arangopipe.store.sql.locks import FileLock

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

HEADER = b"SQLite format 3\0"
CACHE_KIB = 64 * 1024
LOG_PAGES = 4_000
"""So many pages of the log (16 MB) are moved into the file at once, not SQLite's 1,000: a run writes
some forty, and much the same ones as the next."""
LONG_LOG = 128 * 1024 * 1024
"""A log of so many bytes is emptied before more is written, unless readers keep it for longer than that."""
EMPTY_SECONDS = 0.5
READ_SECONDS = 10.0
"""Readers of a log do not wait for writers, only while it is begun or put in order."""
ALL_CACHES_KIB = 512 * 1024
"""What the caches of all connections of a process take together: a server may have hundreds."""
T = TypeVar("T")

OPTIONS = {"durability": ("full", "relaxed"), "journal": ("wal", "delete")}
MOUNTS = FilePath("/proc/mounts")
# What occurs in the type of a file system that several machines share, or that cannot share memory.
NETWORK_FILE_SYSTEMS = (
    *("nfs", "cifs", "smb", "sshfs", "lustre", "gpfs", "beegfs", "afs", "9p", "glusterfs", "ceph", "davfs"),
    *("juicefs", "orangefs", "pvfs", "ocfs2", "gfs2", "weka", "panfs", "quobyte", "moosefs", "dbfs"),
    *("s3", "gcsfuse", "blobfuse", "goofys", "rclone", "vboxsf", "vmhgfs", "prl_fs", "virtiofs"),
)


class SQLite(Database):
    """One database file: its connections, read and write transactions, errors in words."""

    dialect = SQLITE

    def __init__(self, url: str) -> None:
        self.path, options = _parse(url)
        self.url = f"sqlite:///{quote(self.path)}"
        if options:
            self.url += "?" + "&".join(f"{name}={value}" for name, value in sorted(options.items()))
        self._journal = options.get("journal") or self._usual_journal()
        self._synchronous = "NORMAL"
        if options.get("durability", "full") == "full":
            # Without a log, only EXTRA also makes the removal of the journal last.
            self._synchronous = "FULL" if self._journal == "wal" else "EXTRA"
        self._reads_wait = READ_SECONDS if self._journal == "wal" else BUSY_SECONDS
        self._log, self._long_log = FilePath(f"{self.path}-wal"), LONG_LOG
        self._queue = FileLock(self.path)
        self._connections = Connections(self.path, self._connect)
        self._errors = _Errors(self.path)
        _open_files.add(self)

    def _connect(self) -> Connection:
        connection = sqlite3.connect(
            self.path,
            timeout=0.0,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
            factory=Connection,
        )
        try:
            connection.wait_up_to(BUSY_SECONDS)
            connection.execute(f"PRAGMA synchronous={self._synchronous}")
            connection.execute(f"PRAGMA cache_size={-CACHE_KIB}")
            connection.execute(f"PRAGMA wal_autocheckpoint={LOG_PAGES}")
            connection.execute(f"PRAGMA soft_heap_limit={ALL_CACHES_KIB * 1_024}")
            connection.create_function("arangopipe_like", 3, _like, deterministic=True)
        except BaseException:
            connection.close()
            raise
        return connection

    def _usual_journal(self) -> str:
        system = file_system(FilePath(self.path))
        if not is_shared(system):
            return "wal"
        warnings.warn(
            f"{self.path} is on a network file system ({system}): journal mode DELETE is used, "
            "which is slower. Say ?journal=delete to confirm, or use a server for a team.",
            UserWarning,
            stacklevel=2,
        )
        return "delete"

    def check_format(self) -> None:
        """Raise `StoreError` for a file of another format; SQLite takes a few bytes for an empty database."""
        with self._errors:
            path = FilePath(self.path)
            try:
                mode = path.stat().st_mode  # once: others may make the file meanwhile
            except (FileNotFoundError, NotADirectoryError):
                return
            if stat.S_ISREG(mode):
                with path.open("rb") as file:
                    if file.read(len(HEADER)) not in (b"", HEADER):
                        raise StoreError(f"{path} is not a database; nothing was changed")
            else:
                what = "a folder" if stat.S_ISDIR(mode) else "a device or a pipe"
                raise StoreUnavailable(f"{path} is {what}, not a file; name a file, such as {path}/runs.db")

    def use_journal(self) -> None:
        """Switch the file to the journal that was asked for; SQLite itself does not wait for its turn."""
        with self._errors, self._borrowed() as connection, self._queue.within(BUSY_SECONDS):
            deadline = time.monotonic() + BUSY_SECONDS
            while connection.execute("PRAGMA journal_mode").fetchone()[0] != self._journal:
                try:
                    connection.execute(f"PRAGMA journal_mode={self._journal}").fetchone()
                except sqlite3.OperationalError as error:
                    if "locked" not in str(error) or time.monotonic() > deadline:
                        raise
                    time.sleep(0.02)

    def engine(self) -> Engine:
        """Return a SQLAlchemy engine with connections of its own, for migrations."""
        from sqlalchemy import create_engine
        from sqlalchemy.pool import NullPool

        return create_engine("sqlite://", creator=self._connect, poolclass=NullPool)

    @contextmanager
    def read(self, one: bool = False) -> Iterator[Cursor]:
        with self.reading(), self._borrowed() as connection:
            connection.wait_at_least(self._reads_wait)
            # A statement that is read to its end is a transaction of its own.
            cursor = connection.cursor() if one else connection.execute("BEGIN")
            try:
                yield cursor
            finally:
                cursor.close()
                connection.rollback()

    @contextmanager
    def reading(self) -> Iterator[None]:
        with self._errors:
            try:
                yield
            except ArangopipeError:
                raise
            except _DAMAGE as error:
                raise StoreError(
                    f"{self.path}: a row cannot be read ({type(error).__name__}: {error}), so the file "
                    "may be damaged; run 'arangopipe audit verify'"
                ) from error

    def write(self, work: Callable[[Cursor], T], patience: float | None = None, again: bool = True) -> T:
        patience = BUSY_SECONDS if patience is None else patience
        with self._errors, self._borrowed() as connection, self._queue.within(patience):
            self._empty_log(connection, min(patience, EMPTY_SECONDS))
            connection.wait_up_to(patience)
            cursor = connection.execute("BEGIN IMMEDIATE")
            try:
                result = work(cursor)
                cursor.execute("COMMIT")
                return result
            except BaseException:
                if connection.in_transaction:
                    connection.rollback()
                raise
            finally:
                cursor.close()

    def _empty_log(self, connection: Connection, patience: float) -> None:
        """Empty the log where it has grown long: SQLite begins it anew only while nobody reads."""
        try:
            size = self._log.stat().st_size
        except FileNotFoundError:
            return
        if size >= self._long_log:
            connection.wait_up_to(patience)
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            self._long_log = size + LONG_LOG if busy else LONG_LOG

    def rewrite(self) -> None:
        """Write the whole file anew and empty its log."""
        with self._errors, self._borrowed() as connection, self._queue.within(BUSY_SECONDS):
            connection.execute("VACUUM")
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if busy:
                raise StoreUnavailable(
                    f"{self.path}: what was erased is gone from the store, but others are reading and keep "
                    "SQLite from emptying its log; erase again when they have finished"
                )

    def query(self, sql: str, parameters: Sequence[Any], limit: int, seconds: float) -> Rows:
        # What is borrowed makes a fork wait, and keeps the log in being that a reader alone could not make.
        with self._errors, self._borrowed():
            return native.ask(self.path, sql, parameters, limit, seconds)

    def explain(self, sql: str, parameters: Sequence[Any], seconds: float) -> tuple[str, ...]:
        with self._errors, self._borrowed():
            return native.explain(self.path, sql, parameters, seconds)

    def _borrowed(self) -> Loan:
        return Loan(self._connections)

    def close(self) -> None:
        self._connections.close()
        self._queue.close()

    def before_fork(self) -> None:
        """Leave nothing open that a child would share."""
        self._connections.before_fork()
        self._queue.close()

    def after_fork(self, child: bool) -> None:
        """Go on, as the parent or as its child."""
        if child:
            self._queue = FileLock(self.path)
        self._connections.after_fork(child)


class _Errors:
    """A context in which errors of the driver and the system become Arangopipe's."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None and (meant := self._meant(error)) is not None:
            raise meant from error

    def _meant(self, error: BaseException) -> ArangopipeError | None:
        path = self._path
        if isinstance(error, sqlite3.IntegrityError):
            return Clash(f"{path}: {error}")
        if isinstance(error, (sqlite3.Error, sqlite3.Warning)):
            return meanings.of_sqlite(path, error)
        if isinstance(error, UnicodeEncodeError):
            return InvalidInput(f"{error.object!r:.80} contains half of a surrogate pair")
        if isinstance(error, UnicodeDecodeError):
            return StoreError(
                f"{path} is damaged: {error}; keep a copy, and restore a backup, or "
                "save what can be read with 'arangopipe export --salvage'"
            )
        if isinstance(error, OverflowError):
            return InvalidInput(f"a number is too large for {path}: {error}")
        if isinstance(error, OSError):
            return meanings.of_system(path, error)
        return None


def _like(value: object, pattern: str, fold: int) -> bool:
    return _like_test(pattern, fold)(lambda _: (value,))


@lru_cache(maxsize=64)
def _like_test(pattern: str, fold: int) -> Callable[[Read], bool]:
    return predicate(Like(Path(("value",)), pattern, bool(fold)))


# What comes of rows that no store wrote; texts and numbers that cannot be asked for are told apart.
_DAMAGE = (LookupError, TypeError, AttributeError, json.JSONDecodeError)

_open_files: weakref.WeakSet[SQLite] = weakref.WeakSet()


def _before_fork() -> None:
    for file in list(_open_files):
        file.before_fork()


def _after_fork(child: bool) -> None:
    for file in list(_open_files):
        file.after_fork(child)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=lambda: _after_fork(child=False),
        after_in_child=lambda: _after_fork(child=True),
    )


def _parse(url: str) -> tuple[str, dict[str, str]]:
    address, _, query = url.partition("?")
    prefix, _, name = address.partition(":///")
    if prefix != "sqlite" or not name or name == ":memory:":
        raise InvalidInput(
            f"{url!r} names no file: write sqlite:///runs.db, sqlite:////absolute/runs.db, "
            "or memory:// for a store that forgets"
        )
    if "%00" in name or "\0" in name:
        raise InvalidInput(f"{url!r} names no file: a NUL character cannot be part of a name")
    options = dict(parse_qsl(query, keep_blank_values=True))
    for option, value in options.items():
        if option not in OPTIONS:
            raise InvalidInput(
                f"{url!r}: unknown option {option!r}{near(option, OPTIONS)}; known: {', '.join(OPTIONS)}"
            )
        if value not in OPTIONS[option]:
            raise InvalidInput(f"{url!r}: {option} is {' or '.join(OPTIONS[option])}, not {value!r}")
    try:
        path = FilePath(unquote(name)).expanduser().absolute()
    except RuntimeError as error:
        raise InvalidInput(f"{url!r} names no file: {error}") from error
    return str(path), options


def file_of(url: str) -> str:
    """Return the path of the file that an address names, or raise `InvalidInput`."""
    return _parse(url)[0]


def is_shared(system: str) -> bool:
    """Whether a type of file system is one that a log in shared memory cannot be trusted on."""
    return any(name in system for name in NETWORK_FILE_SYSTEMS)


def file_system(path: FilePath) -> str:
    """Return the type of the file system that holds a file, as the kernel names it ("" where unknown)."""
    try:
        mounts = MOUNTS.read_text(errors="replace")
    except OSError:
        return ""
    folder = str(FilePath(os.path.realpath(path)).parent)
    best, found = "", ""
    for line in mounts.splitlines():
        _, mount, kind, *_ = [*line.split(" "), "", "", ""]
        mount = _ESCAPE.sub(lambda code: chr(int(code[1], 8)), mount)
        inside = folder == mount or folder.startswith(mount.rstrip("/") + "/")
        if mount and inside and len(mount) >= len(best):
            best, found = mount, kind
    return found


_ESCAPE = re.compile(r"\\([0-7]{3})")
