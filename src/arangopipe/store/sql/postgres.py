"""PostgreSQL: connections, transactions and retries, by psycopg.

Writers queue at a lock on the table ``head`` before they look at anything, so changes are numbered in the
order in which they are committed, at any isolation level.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from arangopipe.errors import ArangopipeError, InvalidInput, MissingExtra
from arangopipe.store.abilities import Rows as Found
from arangopipe.store.sql.address import OWN_OPTIONS, parse
from arangopipe.store.sql.database import BUSY_SECONDS, Database
from arangopipe.store.sql.dialect import Cursor
from arangopipe.store.sql.dialect_postgres import POSTGRES
from arangopipe.store.sql.pool import Pool

try:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict
except ImportError as error:
    raise MissingExtra("psycopg", "postgres") from error

from arangopipe.store.sql import refusals
from arangopipe.store.sql.line import Line
from arangopipe.store.sql.refusals import Again, Lost
from arangopipe.store.sql.session import ANSWER_SECONDS, Session, adapters

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

CONNECT_SECONDS = 10
POOL_SECONDS = 30.0
RECOVERY_SECONDS = 10.0
"""How long a write whose connection was lost tries to find the server again where nobody says."""
IDLE_SECONDS = 3_600
"""How long a reader may keep the server from cleaning up while it asks for nothing."""
FIRST_PAUSE, LONGEST_PAUSE = 0.005, 0.5
DEFAULTS = {
    "application_name": "arangopipe",
    "connect_timeout": str(CONNECT_SECONDS),
    "tcp_user_timeout": "60000",
    "keepalives_idle": "60",
    "keepalives_interval": "10",
    "keepalives_count": "6",
}

T = TypeVar("T")


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
            # Nobody knows what an option is that nobody knows: its value may be a password.
            known = f"libpq's parameters, and {', '.join(OWN_OPTIONS)}"
            said = str(error).strip()
            raise InvalidInput(f"{self.url.partition('?')[0]}: {said}; options are {known}") from error
        for name, default in DEFAULTS.items():
            self._settings.setdefault(name, default)
        if not str(self._settings["connect_timeout"]).isdecimal():
            raise InvalidInput(f"{self.url}: connect_timeout must be a whole number of seconds")
        self.quoted = '"' + self.schema.replace('"', '""') + '"'
        # A cursor is read to the end, and numbers come whole whatever the database is set to. What is guessed
        # to be much is compiled each time it is asked, which takes longer than to answer.
        fixed = {"cursor_tuple_fraction": "1.0", "extra_float_digits": "1", "jit": "off"}
        self._of_sessions = {"search_path": self.quoted, **fixed, **self._bounds()}
        level = self.address.isolation
        self._begin = "BEGIN" if level is None else f"BEGIN ISOLATION LEVEL {level.upper()}"
        self._adapters = adapters()
        self._pool = Pool(self.url, self._session, self.address.connections)

    def _bounds(self) -> dict[str, str]:
        """Return how long the server does something, but for what the address sets by itself."""
        timeout = self.address.timeout
        bounds = {
            "statement_timeout": 0 if math.isinf(timeout) else timeout,
            "lock_timeout": BUSY_SECONDS,
            "idle_in_transaction_session_timeout": IDLE_SECONDS,
        }
        given = str(self._settings.get("options") or "")
        return {name: f"{round(s * 1_000)}" for name, s in bounds.items() if name not in given}

    def connect(self, patience: float = CONNECT_SECONDS) -> Line:
        """Open a connection, for whatever it is to do and as long as that takes."""
        settings = dict(self._settings)
        settings["connect_timeout"] = max(2, min(int(str(settings["connect_timeout"])), round(patience)))
        connection = Line.connect(
            **settings,  # type: ignore[arg-type]
            autocommit=True,
            context=self._adapters,
            client_encoding="UTF8",
        )
        connection.prepared_max = 256
        return connection

    def _session(self, patience: float) -> Session:
        with self.reading():
            connection = self.connect(patience)
            connection.patience = self.address.timeout + ANSWER_SECONDS
            return Session(connection, self._of_sessions)

    def engine(self) -> Engine:
        """Return a SQLAlchemy engine with connections of its own, for creating and migrating."""
        from sqlalchemy import create_engine
        from sqlalchemy.pool import NullPool

        return create_engine("postgresql+psycopg://", creator=self.connect, poolclass=NullPool)

    @contextmanager
    def reading(self) -> Iterator[None]:
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
        with self.reading(), self._pool.lent(POOL_SECONDS) as session:
            session.settle()
            if not one or session.is_pooled:
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
        with self.reading(), self._pool.lent(min(patience, POOL_SECONDS)) as session:
            try:
                session.settle()
                session.begin(self._begin, patience)
                result = work(session)
                state["committing"] = True
                session.commit()
                return result
            except psycopg.errors.ReadOnlySqlTransaction:
                session.discard()  # another of the hosts in the address may take writes by now
                raise
            finally:
                session.end()

    @contextmanager
    def lent(self) -> Iterator[psycopg.Connection[Any]]:
        """Give a connection of the pool in autocommit mode, to look at something."""
        with self.reading(), self._pool.lent(POOL_SECONDS) as session:
            session.settle()
            yield session.driver

    @contextmanager
    def work(self) -> Iterator[Line]:
        """Give a connection of its own in autocommit mode, for what is not reading or writing."""
        with self.reading():
            connection = self.connect()
            try:
                yield connection
            finally:
                connection.close()

    def rewrite(self) -> None:
        # What is known of columns holds some of their values.
        self._maintain("VACUUM ANALYZE")

    def analyze(self) -> None:
        """Have the server learn what the tables hold, as it does by itself some minutes later."""
        self._maintain("ANALYZE")

    def _maintain(self, command: str) -> None:
        # Without the right to do so the server says so in a notice, and does it by itself some time later.
        with self.work() as connection:
            for table in ("node", "node_past", "edge", "value", "point", "series", "term"):
                connection.execute(f"{command} {self.quoted}.{table}")

    def query(self, sql: str, parameters: Sequence[Any], limit: int, seconds: float) -> Found:
        from arangopipe.store.sql import native_postgres

        return native_postgres.ask(self.work, self.quoted, sql, parameters, limit, seconds)

    def explain(self, sql: str, parameters: Sequence[Any], seconds: float) -> tuple[str, ...]:
        from arangopipe.store.sql import native_postgres

        return native_postgres.explain(self.work, self.quoted, sql, parameters, seconds)

    def close(self) -> None:
        self._pool.close()
