"""SQLite: the file, its connections and its locks; what differs between dialects stands here.

Writers queue at an advisory lock on ``<file>-lock`` before they ask SQLite: its own retry is unfair and
lets a writer among eight wait for seconds; the queue brings that below a tenth of a second.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path as FilePath
from urllib.parse import parse_qsl, quote, unquote

from sqlalchemy import create_engine
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from arangopipe.errors import InvalidInput, StoreError, StoreUnavailable
from arangopipe.model.expressions import Like, Path, Read, predicate
from arangopipe.model.vocabulary import near

try:
    import fcntl
except ImportError:  # Windows: SQLite's own locks still keep writers apart
    fcntl = None  # type: ignore[assignment]

BUSY_SECONDS = 60.0
CACHE_KIB = 64 * 1024
OPTIONS = {"durability": ("full", "relaxed"), "journal": ("wal", "delete")}
NETWORK_FILE_SYSTEMS = (
    "nfs",
    "cifs",
    "smb",
    "sshfs",
    "lustre",
    "gpfs",
    "beegfs",
    "afs",
    "9p",
    "glusterfs",
    "ceph",
)


class SQLite:
    """One database file: connections from a pool, read and write transactions, errors in words."""

    def __init__(self, url: str) -> None:
        self.path, options = _parse(url)
        self.url = f"sqlite:///{quote(self.path)}"
        if options:
            self.url += "?" + "&".join(f"{name}={value}" for name, value in sorted(options.items()))
        self._full = options.get("durability", "full") == "full"
        self._journal = options.get("journal") or self._usual_journal()
        self._lock = _FileLock(f"{self.path}-lock")
        self._engine: Engine | None = self._new_engine()
        _open_files.add(self)

    def _new_engine(self) -> Engine:
        return create_engine(
            "sqlite://",
            creator=self._connect,
            poolclass=QueuePool,
            pool_size=5,
            max_overflow=-1,
            pool_reset_on_return=None,
        )

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        for name, value in (
            ("journal_mode", self._journal),
            ("synchronous", "FULL" if self._full else "NORMAL"),
            ("cache_size", -CACHE_KIB),
        ):
            connection.execute(f"PRAGMA {name}={value}")
        connection.create_function("arangopipe_like", 3, _like, deterministic=True)
        return connection

    def _usual_journal(self) -> str:
        system = file_system(FilePath(self.path))
        if not system.startswith(NETWORK_FILE_SYSTEMS) and not any(n in system for n in ("sshfs", "gluster")):
            return "wal"
        warnings.warn(
            f"{self.path} is on a network file system ({system}): journal mode DELETE is used, "
            "which is slower. Say ?journal=delete to confirm, or use a server for a team.",
            UserWarning,
            stacklevel=2,
        )
        return "delete"

    @property
    def engine(self) -> Engine:
        """The SQLAlchemy engine, for DDL and migrations."""
        if self._engine is None:
            raise StoreUnavailable(f"the store {self.url} is closed: connect again")
        return self._engine

    @contextmanager
    def read(self) -> Iterator[sqlite3.Cursor]:
        """Give a cursor inside one read transaction, so that all it reads is of one moment."""
        with self._errors(), self._borrowed() as connection:
            cursor = connection.cursor()
            cursor.execute("BEGIN")
            try:
                yield cursor
            finally:
                cursor.close()
                connection.rollback()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Cursor]:
        """Give a cursor inside the one write transaction; commits, or rolls back on any error."""
        with self._errors(), self._borrowed() as connection, self._lock:
            cursor = connection.cursor()
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.rollback()
                raise
            finally:
                cursor.close()

    @contextmanager
    def _borrowed(self) -> Iterator[sqlite3.Connection]:
        fairy = self.engine.raw_connection()
        try:
            yield fairy.driver_connection  # type: ignore[misc]
        finally:
            fairy.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            raise self.explain(error) from error
        except PoolTimeout as error:
            raise StoreUnavailable(f"{self.path}: no connection became free ({error})") from error
        except SQLAlchemyError as error:
            cause = error.__cause__
            raise (
                self.explain(cause) if isinstance(cause, sqlite3.Error) else StoreError(str(error))
            ) from error
        except OSError as error:
            raise StoreUnavailable(f"{self.path}: {error.strerror or error}") from error

    def explain(self, error: sqlite3.Error) -> StoreError:
        """Return what a driver's error means, and what to do."""
        said = str(error)
        for words, kind, advice in _MEANINGS:
            if words in said:
                return kind(f"{self.path}: {advice.format(path=self.path)} ({said})")
        return StoreError(f"{self.path}: SQLite says: {said}")

    def close(self) -> None:
        """Close every connection."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
            self._lock.close()

    def forget(self) -> None:
        """Drop, after a fork, the parent's connections without touching them."""
        if self._engine is not None:
            # Closing them here could end the parent's transactions; SQLite asks to leave them be.
            _left_to_parent.append(self._engine.pool)
            self._engine.dispose(close=False)
            self._lock.forget()
            self._engine = self._new_engine()


def _like(value: object, pattern: str, fold: int) -> bool:
    return _like_test(pattern, fold)(lambda _: (value,))


@lru_cache(maxsize=64)
def _like_test(pattern: str, fold: int) -> Callable[[Read], bool]:
    return predicate(Like(Path(("value",)), pattern, bool(fold)))


_MEANINGS = (
    ("database is locked", StoreUnavailable, "another program has held the file locked for over a minute; "
     "close it, or look for one that hangs"),
    ("readonly database", StoreUnavailable, "it or its folder cannot be written; check the permissions"),
    ("unable to open", StoreUnavailable, "it cannot be opened; check that its folder exists and is yours"),
    ("not a database", StoreError, "this is not an Arangopipe store, or it is damaged; nothing was changed"),
    ("malformed", StoreError, "the file is damaged; keep a copy of it, and restore a backup"),
    ("disk is full", StoreUnavailable, "the disk is full; nothing was written; make room and try again"),
    ("disk I/O error", StoreUnavailable, "the disk could not be read or written; nothing was written"),
    ("no such table", StoreError, "this SQLite file is not an Arangopipe store; nothing was changed"),
)  # fmt: skip

_open_files: weakref.WeakSet[SQLite] = weakref.WeakSet()
_left_to_parent: list[object] = []


def _after_fork() -> None:
    for file in list(_open_files):
        file.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class _FileLock:
    """An advisory lock among processes and threads; taken in turn."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._threads = threading.Lock()
        self._descriptor: int | None = None

    def __enter__(self) -> None:
        self._threads.acquire()
        try:
            if fcntl is not None:
                if self._descriptor is None:
                    self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
                fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        except BaseException:
            self._threads.release()
            raise

    def __exit__(self, *_: object) -> None:
        if fcntl is not None and self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self._threads.release()

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def forget(self) -> None:
        # The parent's descriptor shares its lock: unlocking it here would unlock it there.
        self._threads = threading.Lock()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _parse(url: str) -> tuple[str, dict[str, str]]:
    address, _, query = url.partition("?")
    prefix, _, name = address.partition(":///")
    if prefix != "sqlite" or not name or name == ":memory:":
        raise InvalidInput(
            f"{url!r} names no file: write sqlite:///runs.db, sqlite:////absolute/runs.db, "
            "or memory:// for a store that forgets"
        )
    options = dict(parse_qsl(query, keep_blank_values=True))
    for option, value in options.items():
        if option not in OPTIONS:
            raise InvalidInput(
                f"{url!r}: unknown option {option!r}{near(option, OPTIONS)}; known: {', '.join(OPTIONS)}"
            )
        if value not in OPTIONS[option]:
            raise InvalidInput(f"{url!r}: {option} is {' or '.join(OPTIONS[option])}, not {value!r}")
    path = str(FilePath(unquote(name)).expanduser().absolute())
    return path, options


def file_system(path: FilePath) -> str:
    """Return the type of the file system that holds a path, as the kernel names it ("" where unknown)."""
    best, found = "", ""
    try:
        mounts = FilePath("/proc/mounts").read_text(errors="replace")
        folder = str(path.parent.resolve())
    except OSError:
        return ""
    for line in mounts.splitlines():
        _, mount, kind, *_ = line.split(" ")
        mount = mount.replace("\\040", " ")
        inside = folder == mount or folder.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, found = mount, kind
    return found
