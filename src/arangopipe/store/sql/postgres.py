"""PostgreSQL: connections, transactions and retries, by psycopg.

Writers queue at a lock on the table ``head`` before they look at anything, so changes are numbered in the
order in which they are committed, at any isolation level. Statements without a result wait until one with a
result, or the commit, sends them along: a batch takes four round trips, however large.
"""

from __future__ import annotations

import os
import random
import select
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from arangopipe.errors import ArangopipeError, InvalidInput, MissingExtra
from arangopipe.store.base import Rows as Found
from arangopipe.store.sql.address import parse
from arangopipe.store.sql.database import BUSY_SECONDS, Database
from arangopipe.store.sql.dialect import POSTGRES, Cursor, Rows
from arangopipe.store.sql.pool import Pool

try:
    import psycopg
    from psycopg import pq
    from psycopg.adapt import AdaptersMap, Loader
    from psycopg.conninfo import conninfo_to_dict
    from psycopg.types.numeric import Int8Dumper
    from psycopg.types.string import StrDumperUnknown
except ImportError as error:
    raise MissingExtra("psycopg", "postgres") from error

from arangopipe.store.sql import refusals
from arangopipe.store.sql.refusals import Again, Lost

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

CONNECT_SECONDS = 10
POOL_SECONDS = 30.0
RECOVERY_SECONDS = 10.0
"""How long a write whose connection was lost tries to find the server again where nobody says."""
FIRST_PAUSE, LONGEST_PAUSE = 0.005, 0.5
FIRST_ROWS, MOST_ROWS = 104, 8_192
"""Rows that a cursor fetches at once: of the first page, and later."""
QUEUED = 100
DEFAULTS = {
    "application_name": "arangopipe",
    "connect_timeout": str(CONNECT_SECONDS),
    "tcp_user_timeout": "60000",
    "keepalives_idle": "60",
}
READ = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
LOCK = "LOCK TABLE head IN EXCLUSIVE MODE"

T = TypeVar("T")


class TextDumper(StrDumperUnknown):
    """Texts as the server gets them: it takes no NUL, so that and the next character are two each."""

    def dump(self, obj: str) -> Any:
        """Return the bytes of a text; the order of texts stays as it is."""
        if "\x00" in obj or "\x01" in obj:
            obj = obj.replace("\x01", "\x01\x02").replace("\x00", "\x01\x01")
        return obj.encode()


class TextLoader(Loader):
    """Texts as they were before `TextDumper`."""

    def load(self, data: Any) -> str:
        """Return the text of some bytes."""
        text = str(data, "utf-8")
        if "\x01" in text:
            text = text.replace("\x01\x01", "\x00").replace("\x01\x02", "\x01")
        return text


def _adapters() -> AdaptersMap:
    found = AdaptersMap(psycopg.adapters)
    found.register_dumper(str, TextDumper)
    found.register_dumper(int, Int8Dumper)
    for name in ("text", "varchar", "bpchar", "name"):
        found.register_loader(name, TextLoader)
    return found


@lru_cache(maxsize=1_024)
def numbered(sql: str) -> tuple[str, bool]:
    """Return a statement with ``$1``, ``$2``, … for its ``?``, and whether it gives no rows."""
    first, *rest = sql.split("?")
    text = first + "".join(f"${place}{part}" for place, part in enumerate(rest, 1))
    words = text.split(None, 1)
    silent = bool(words) and words[0] in ("INSERT", "UPDATE", "DELETE") and "RETURNING" not in text
    return text, silent


class Session:
    """One connection, as `dialect.Cursor` wants it, in or out of a transaction."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        connection.cursor_factory = psycopg.RawCursor
        self._process = os.getpid()
        self._patience = -1.0
        self._queue: list[tuple[str, Sequence[Any]]] = []
        self._names = count(1)
        self._is_sound = True

    @property
    def connection(self) -> Session:
        """Return what runs statements of its own, which is the session itself."""
        return self

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Rows:
        """Run a statement; what gives no rows is sent along with the next that does."""
        text, silent = numbered(sql)
        if silent:
            self._queue.append((text, parameters))
            if len(self._queue) >= QUEUED:
                self._flush()
            return _NOTHING
        if self._queue:
            self._flush()
        return self._connection.execute(text, parameters)

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> None:
        """Run a statement for each of many rows of parameters."""
        for each in parameters:
            self.execute(sql, each)

    def stream(self, sql: str, parameters: Sequence[Any], few: bool) -> Iterator[Any]:
        """Yield rows as they are asked for; with `few` the first at once, in an order without ties."""
        seen = 0
        if few:
            rows = self.execute(f"{sql} LIMIT {FIRST_ROWS}", parameters).fetchall()
            yield from rows
            seen = len(rows)
            if seen < FIRST_ROWS:
                return
        name = f"c{next(self._names)}"
        self._connection.execute(f"DECLARE {name} NO SCROLL CURSOR FOR {numbered(sql)[0]}", parameters)
        if seen:
            self._connection.execute(f"MOVE {seen} FROM {name}")
        size = FIRST_ROWS
        while True:
            rows = self._connection.execute(f"FETCH {size} FROM {name}").fetchall()
            yield from rows
            if len(rows) < size:
                return
            size = min(4 * size, MOST_ROWS)

    def _flush(self, last: str | None = None) -> None:
        """Send what waits, and one more statement, in one round trip."""
        queue, self._queue = self._queue, []
        if len(queue) + (last is not None) == 1:
            self._connection.execute(*(queue[0] if queue else (last, None)))
            return
        first: psycopg.Error | None = None
        try:
            with self._connection.pipeline():
                try:
                    for text, parameters in queue:
                        self._connection.execute(text, parameters, prepare=True)
                    if last is not None:
                        self._connection.execute(last)
                except psycopg.Error as error:
                    first = error  # to leave the pipeline says only that it was aborted
        except psycopg.Error as error:
            first = first or error
        if first is not None:
            # What psycopg believes to be prepared by now may not be.
            self._is_sound = False
            raise first

    def begin(self, words: str, patience: float) -> None:
        """Begin to write, once others have finished."""
        if patience != self._patience:
            self._connection.execute(f"SET lock_timeout = {max(round(patience * 1_000), 1)}")
            self._patience = patience
        self._connection.execute(f"{words}; {LOCK}")

    def commit(self) -> None:
        """Commit what was written."""
        self._flush("COMMIT")

    def begin_read(self) -> None:
        """Begin to read one moment."""
        # Past psycopg's own machinery, which takes longer than the server does.
        result = self._connection.pgconn.exec_(READ)
        if result.status != pq.ExecStatus.COMMAND_OK:
            raise psycopg.OperationalError(result.error_message.decode(errors="replace"))

    def end(self) -> None:
        """End a transaction without effect, unless it has been committed."""
        self._queue.clear()
        open_ = (pq.TransactionStatus.INTRANS, pq.TransactionStatus.INERROR)
        if self._process == os.getpid() and self._connection.pgconn.transaction_status in open_:
            # What cannot be rolled back is closed when it is given back.
            self._connection.pgconn.exec_(b"ROLLBACK")

    def is_usable(self) -> bool:
        """Whether the connection is open and idle; one that can be read has been closed by the server."""
        pgconn = self._connection.pgconn
        if (
            self._connection.closed
            or not self._is_sound
            or pgconn.transaction_status != pq.TransactionStatus.IDLE
        ):
            return False
        # A server that has something to say to an idle connection nearly always says that it ends it.
        return bool(pgconn.status == pq.ConnStatus.OK) and not _is_readable(pgconn.socket)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _is_readable(socket: int) -> bool:
    if not hasattr(select, "poll"):
        return bool(select.select([socket], [], [], 0)[0])
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(0))


class _Nothing:
    """The result of a statement that gives no rows."""

    def fetchone(self) -> None:
        pass

    def fetchall(self) -> list[Any]:
        return []

    def __iter__(self) -> Iterator[Any]:
        return iter(())


_NOTHING: Rows = _Nothing()


class Postgres(Database):
    """One schema of a database on a server: its connections, read and write transactions, errors in words."""

    dialect = POSTGRES

    def __init__(self, url: str) -> None:
        self.address = parse(url)
        self.url = self.address.shown
        self.schema = self.address.schema
        try:
            self._settings = conninfo_to_dict(self.address.libpq)
        except psycopg.ProgrammingError as error:
            known = "libpq's parameters, and schema, isolation and connections"
            raise InvalidInput(f"{self.url}: {error}; options are {known}") from error
        for name, default in DEFAULTS.items():
            self._settings.setdefault(name, default)
        self.quoted = '"' + self.schema.replace('"', '""') + '"'
        path = self.quoted.replace("\\", "\\\\").replace(" ", "\\ ")
        # A cursor is read to the end.
        options = f"-csearch_path={path} -ccursor_tuple_fraction=1.0"
        self._settings["options"] = f"{self._settings.get('options') or ''} {options}"
        level = self.address.isolation
        self._begin = "BEGIN" if level is None else f"BEGIN ISOLATION LEVEL {level.upper()}"
        self._adapters = _adapters()
        self._pool = Pool(self.url, self._session, self.address.connections)

    def connect(self, patience: float = CONNECT_SECONDS) -> psycopg.Connection[Any]:
        """Open a connection."""
        settings = dict(self._settings)
        settings["connect_timeout"] = max(2, min(int(str(settings["connect_timeout"])), round(patience)))
        connection: psycopg.Connection[Any] = psycopg.connect(
            **settings,  # type: ignore[arg-type]
            autocommit=True,
            context=self._adapters,
            client_encoding="UTF8",
        )
        connection.prepared_max = 256
        return connection

    def _session(self, patience: float) -> Session:
        with self._errors():
            return Session(self.connect(patience))

    def engine(self) -> Engine:
        """Return a SQLAlchemy engine with connections of its own, for creating and migrating."""
        from sqlalchemy import create_engine
        from sqlalchemy.pool import NullPool

        return create_engine("postgresql+psycopg://", creator=self.connect, poolclass=NullPool)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except ArangopipeError:
            raise
        except BaseException as error:
            if (found := refusals.meant(self.url, error)) is not None:
                raise found from error
            raise

    @contextmanager
    def read(self, one: bool = False) -> Iterator[Cursor]:
        with self._errors(), self._pool.lent(POOL_SECONDS) as session:
            if not one:
                session.begin_read()
            try:
                yield session
            finally:
                session.end()

    def write(self, work: Callable[[Cursor], T], patience: float | None = None, again: bool = True) -> T:
        waits = BUSY_SECONDS if patience is None else patience
        recovery = min(waits, RECOVERY_SECONDS) if patience is None else patience
        start, pause = time.monotonic(), FIRST_PAUSE
        while True:
            state = {"committing": False}
            try:
                return self._write(work, waits, state)
            except (Again, Lost) as error:
                spent = time.monotonic() - start
                lost = isinstance(error, Lost)
                if spent + pause > (recovery if lost else waits) or (
                    lost and state["committing"] and not again
                ):
                    raise
            time.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(2 * pause, LONGEST_PAUSE)

    def _write(self, work: Callable[[Cursor], T], patience: float, state: dict[str, bool]) -> T:
        with self._errors(), self._pool.lent(min(patience, POOL_SECONDS)) as session:
            try:
                session.begin(self._begin, patience)
                result = work(session)
                state["committing"] = True
                session.commit()
                return result
            finally:
                session.end()

    @contextmanager
    def work(self) -> Iterator[psycopg.Connection[Any]]:
        """Give a connection of its own in autocommit mode, for what is not reading or writing."""
        with self._errors():
            connection = self.connect()
            try:
                yield connection
            finally:
                connection.close()

    def rewrite(self) -> None:
        # Without the right to do so the server says so in a notice, and does it by itself some time later.
        with self.work() as connection:
            for table in ("node", "node_past", "edge", "value", "point", "series"):
                connection.execute(f"VACUUM {self.quoted}.{table}")

    def query(self, sql: str, parameters: Sequence[Any], limit: int, seconds: float) -> Found:
        from arangopipe.store.sql import native_postgres

        return native_postgres.ask(self.work, sql, parameters, limit, seconds)

    def explain(self, sql: str, parameters: Sequence[Any], seconds: float) -> tuple[str, ...]:
        from arangopipe.store.sql import native_postgres

        return native_postgres.explain(self.work, sql, parameters, seconds)

    def close(self) -> None:
        self._pool.close()
