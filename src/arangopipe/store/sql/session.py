"""One connection to PostgreSQL, as the store asks of it.

Statements without a result wait until one with a result, or the commit, sends them along: a batch takes four
round trips, however large.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import count
from typing import Any

import psycopg
from psycopg import generators, pq
from psycopg.adapt import AdaptersMap, Loader, PyFormat, Transformer
from psycopg.sql import SQL
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import StrDumperUnknown

from arangopipe.store.sql.arrays import array
from arangopipe.store.sql.dialect import Rows
from arangopipe.store.sql.line import Line

FIRST_ROWS, MOST_ROWS = 104, 8_192
"""Rows that a cursor fetches at once: of the first page, and later."""
QUEUED = 100
ANSWER_SECONDS, READ_SECONDS = 2.0, 30.0
"""Seconds beyond its patience in which a write must be answered that it may begin; the same of a read."""
LONGEST_WAIT = 1_000_000.0
PREPARED = 256
GOOD = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK, pq.ExecStatus.EMPTY_QUERY)
READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
IDLE_SECONDS = 60
"""How long a writer may be silent while others wait for it: its process may have been stopped."""
LOCK = f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'; LOCK TABLE head IN EXCLUSIVE MODE"

INTRODUCE = """
SELECT set_config(name, value, false) FROM unnest($2::text[], $3::text[]) AS setting(name, value)
WHERE pg_backend_pid() = $1
"""

Statement = tuple[str, tuple[int, ...]]
"""SQL and the types of its parameters."""


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


def adapters() -> AdaptersMap:
    """Return how values of Python are values of the server, and back."""
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


class Found:
    """The rows of a statement, all of them here."""

    def __init__(self, rows: Iterable[Any] = ()) -> None:
        self._rows = iter(rows)

    def fetchone(self) -> Any:
        """Return the next row, None where there is none."""
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""
        return list(self._rows)

    def __iter__(self) -> Iterator[Any]:
        return self._rows


class Session:
    """One connection, as `dialect.Cursor` wants it, in or out of a transaction; `driver` is psycopg's.

    Behind a pooler each transaction may have another process of the server. So nothing is prepared there,
    and `settings` hold for one transaction; else they hold for the session.
    """

    def __init__(self, connection: Line, settings: Mapping[str, str]) -> None:
        self.driver = connection
        connection.cursor_factory = psycopg.RawCursor
        self._process = os.getpid()
        self._patience = -1.0
        self._local = ""
        self._queue: list[tuple[str, Sequence[Any]]] = []
        self._names = count(1)
        self._transformer = Transformer(connection)
        self._prepared: dict[Statement, bytes | None] = {}
        self._begins = False
        self._ends = False
        self._is_sound = True
        self.is_pooled = False
        self._introduce(settings)

    def _introduce(self, settings: Mapping[str, str]) -> None:
        """Have settings hold for the session, where it has a process of the server of its own."""
        pgconn = self.driver.pgconn
        if self._asked(INTRODUCE, (pgconn.backend_pid, array(settings), array(settings.values()))):
            return
        self.is_pooled = True
        self.driver.prepare_threshold = None
        each = SQL(", ").join(map(SQL("set_config({}, {}, true)").format, settings, settings.values()))
        self._local = f"SELECT {each.as_string()}; "

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
            return Found()
        if self._queue:
            self._flush()
        return Found(self._asked(text, parameters))

    def _asked(self, text: str, parameters: Sequence[Any]) -> list[Any]:
        """Return the rows of a statement.

        It goes past psycopg's own cursor, which takes three times as long as this and the server do.
        """
        transformer = self._transformer
        values = transformer.dump_sequence(parameters, [PyFormat.AUTO] * len(parameters))
        statement = (text, tuple(transformer.types or ()))
        pgconn, name = self.driver.pgconn, self._named(statement)
        begins, self._begins = self._begins, False
        if begins:
            pgconn.enter_pipeline_mode()
            pgconn.send_query_params(READ.encode(), None)
            pgconn.send_flush_request()
        if name is None:
            pgconn.send_query_params(text.encode(), values, transformer.types, transformer.formats)
        else:
            pgconn.send_query_prepared(name, values, transformer.formats)
        result = self._second_result() if begins else self._result()
        transformer.set_pgresult(result)
        return transformer.load_rows(0, result.ntuples, tuple)

    def _named(self, statement: Statement) -> bytes | None:
        """Return the name of a statement that was prepared, which it is when it comes again."""
        if self.is_pooled:
            return None
        if statement not in self._prepared:
            if len(self._prepared) >= PREPARED:
                self._forget(self._prepared.pop(next(iter(self._prepared))))
            self._prepared[statement] = None
            return None
        name = self._prepared.pop(statement)
        if name is None:
            name = b"a%d" % next(self._names)
            self.driver.pgconn.send_prepare(name, statement[0].encode(), statement[1])
            self._result()
        self._prepared[statement] = name  # the last to be forgotten
        return name

    def _forget(self, name: bytes | None) -> None:
        if name is not None:
            self.driver.pgconn.send_query(b"DEALLOCATE " + name)
            self._result()

    def _result(self) -> pq.abc.PGresult:
        """Return the result of what was sent, once it is there; raises what the server has against it."""
        pgconn = self.driver.pgconn
        if pgconn.flush():  # what was sent does not fit into the buffers of the system
            *_, result = self.driver.wait(generators.execute(pgconn))
        else:
            result = self._last_result(pgconn)
        return _good(result)

    def _second_result(self) -> pq.abc.PGresult:
        """Return the result of a statement that was sent along with BEGIN."""
        pgconn = self.driver.pgconn
        pgconn.pipeline_sync()
        with self._within(READ_SECONDS):
            pgconn.flush()
            begun = self._last_result(pgconn)
        if pgconn.flush():
            self.driver.wait(generators.send(pgconn))
        found = self._last_result(pgconn)
        self._last_result(pgconn)  # of the pipeline's end
        pgconn.exit_pipeline_mode()
        _good(begun)
        return _good(found)

    def _last_result(self, pgconn: pq.abc.PGconn) -> Any:
        """Return the last result of what was sent; psycopg's own way takes a third longer for a small one."""
        result, end = None, time.monotonic() + self.driver.patience
        try:
            while True:
                while pgconn.is_busy():
                    if not _is_readable(pgconn.socket, end - time.monotonic()):
                        raise self.driver.given_up()
                    pgconn.consume_input()
                following = pgconn.get_result()
                if following is None:
                    return result
                result = following
        except KeyboardInterrupt:
            self.driver.cancel_safe(timeout=ANSWER_SECONDS)
            raise

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> None:
        """Run a statement for each of many rows of parameters."""
        for each in parameters:
            self.execute(sql, each)

    def stream(self, sql: str, parameters: Sequence[Any], few: int) -> Iterator[Any]:
        """Yield rows as they are asked for; the first `few` at once, which needs an order without ties."""
        seen = 0
        if few:
            rows = self.execute(f"{sql} LIMIT {few}", parameters).fetchall()
            yield from rows
            seen = len(rows)
            if seen < few:
                return
        if self._begins:
            self._begins = False
            self._answered(READ, READ_SECONDS)
        name = f"c{next(self._names)}"
        self.driver.execute(f"DECLARE {name} NO SCROLL CURSOR FOR {numbered(sql)[0]}", parameters)
        if seen:
            self.driver.execute(f"MOVE {seen} FROM {name}")
        size = FIRST_ROWS
        while True:
            rows = self.driver.execute(f"FETCH {size} FROM {name}").fetchall()
            yield from rows
            if len(rows) < size:
                return
            size = min(4 * size, MOST_ROWS)

    def _flush(self, last: str | None = None) -> None:
        """Send what waits, and one more statement, in one round trip."""
        queue, self._queue = self._queue, []
        if len(queue) + (last is not None) == 1:
            self.driver.execute(*(queue[0] if queue else (last, None)))
            return
        first: psycopg.Error | None = None
        try:
            with self.driver.pipeline():
                try:
                    for text, parameters in queue:
                        self.driver.execute(text, parameters, prepare=not self.is_pooled)
                    if last is not None:
                        self.driver.execute(last)
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
        waits = f"lock_timeout = {max(round(patience * 1_000), 1)}"
        if self.is_pooled:
            words = f"{words}; {self._local}SET LOCAL {waits}"
        elif patience != self._patience:
            self._answered(f"SET {waits}", ANSWER_SECONDS)
            self._patience = patience
        # Whoever holds the lock is reported by the server once patience ends: its silence is no lock.
        self._answered(f"{words}; {LOCK}", patience + ANSWER_SECONDS)

    def _answered(self, sql: str, seconds: float) -> None:
        """Run statements that a server which lives answers within some seconds."""
        with self._within(seconds):
            self.driver.pgconn.send_query(sql.encode())
            self._result()

    @contextmanager
    def _within(self, seconds: float) -> Iterator[None]:
        """Wait no longer than that for the server."""
        patience, self.driver.patience = self.driver.patience, min(seconds, self.driver.patience)
        try:
            yield
        finally:
            self.driver.patience = patience

    def commit(self) -> None:
        """Commit what was written."""
        self._flush("COMMIT")

    def begin_read(self) -> None:
        """Begin to read one moment: where that can be, along with the first statement."""
        if self._local:
            self._answered(f"{READ}; {self._local}", READ_SECONDS)
        else:
            self._begins = True

    def end(self) -> None:
        """End a transaction without effect, unless it has been committed."""
        self._queue.clear()
        self._begins = False
        if self._process != os.getpid():
            return
        pgconn = self.driver.pgconn
        if pgconn.transaction_status == pq.TransactionStatus.INTRANS:
            # Whoever is next waits for the answer (see `settle`).
            pgconn.send_query(b"ROLLBACK")
            self._ends = True
        elif pgconn.transaction_status == pq.TransactionStatus.INERROR:
            try:
                self._answered("ROLLBACK", ANSWER_SECONDS)
            except psycopg.Error:
                self._is_sound = False  # so it is closed when it is given back

    def discard(self) -> None:
        """Have the connection closed when it is given back."""
        self._is_sound = False

    def settle(self) -> None:
        """Read the answer to the end of the last transaction, before anything else is asked."""
        if self._ends:
            self._ends = False
            with self._within(ANSWER_SECONDS):
                self._result()

    def is_usable(self) -> bool:
        """Whether the connection may be kept for whoever is next."""
        idle = pq.TransactionStatus.ACTIVE if self._ends else pq.TransactionStatus.IDLE
        return not self.driver.closed and self._is_sound and self.driver.pgconn.transaction_status == idle

    def is_ready(self) -> bool:
        """Whether the connection is open and idle; one that can be read has been closed by the server."""
        pgconn = self.driver.pgconn
        if self._ends and self.is_usable():
            if not _is_readable(pgconn.socket):
                return True
            try:
                self.settle()
            except psycopg.Error:
                return False
        # A server that has something to say to an idle connection nearly always says that it ends it.
        return self.is_usable() and pgconn.status == pq.ConnStatus.OK and not _is_readable(pgconn.socket)

    def close(self) -> None:
        """Close the connection."""
        self.driver.close()


def _good(result: pq.abc.PGresult) -> pq.abc.PGresult:
    """Return a result, or raise what the server has against what was asked."""
    if result.status not in GOOD:
        raise psycopg.errors.error_from_result(result)
    return result


def _is_readable(socket: int, seconds: float = 0.0) -> bool:
    seconds = min(max(seconds, 0.0), LONGEST_WAIT)
    if not hasattr(select, "poll"):
        return bool(select.select([socket], [], [], seconds)[0])
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(seconds * 1_000))
