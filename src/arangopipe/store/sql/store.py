"""The store on SQL: the contract of `store.base`, transaction by transaction."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from arangopipe.errors import ArangopipeError, InvalidInput, StoreError
from arangopipe.model.filters import Expression, OrderKey, parse_path
from arangopipe.model.graph import (
    Batch,
    Change,
    Edge,
    EdgeRef,
    EdgeRevision,
    Graph,
    Node,
    Page,
    Point,
    Revision,
)
from arangopipe.model.vocabulary import Direction, Vocabulary
from arangopipe.store import base
from arangopipe.store.abilities import (
    QUERY_SECONDS,
    Adoption,
    Announcing,
    Backup,
    Inspection,
    Maintenance,
    NativeQuery,
    Replica,
    Rows,
    Scoped,
    check_query,
)
from arangopipe.store.base import AsOf, Store, check_bound, check_page, check_whole
from arangopipe.store.checks import check_batch, erasing
from arangopipe.store.replica import as_batch
from arangopipe.store.scope import Scope
from arangopipe.store.sql import backups, maintenance, migrate, questions, reading, replica
from arangopipe.store.sql.database import BUSY_SECONDS, Database
from arangopipe.store.sql.dialect import Cursor
from arangopipe.store.sql.prepare import prepare
from arangopipe.store.sql.reading import NODE, Reader
from arangopipe.store.sql.search import Search
from arangopipe.store.sql.selection import Selection
from arangopipe.store.sql.sqlite import SQLite
from arangopipe.store.sql.standing import Outdated, State
from arangopipe.store.sql.terms import Names, NewTerms, Terms
from arangopipe.store.sql.together import Together
from arangopipe.store.sql.touched import touched
from arangopipe.store.sql.walking import Walk
from arangopipe.store.sql.writing import read_change
from arangopipe.store.sql.written import last_written

WINDOWS = 16

T = TypeVar("T")

MANY_CHANGES = 1_000
"""So many taken over make the statistics of a server's planner old."""

CHANGES = 1_000
"""Changes read at a time: who reads slowly holds up neither writers' logs nor forks."""


class _Now(threading.local):
    """What this thread reads with, where it reads more than once of one moment."""

    reader: Reader | None = None


class SQLStore(Store, Maintenance, Replica, NativeQuery, Announcing, Scoped):
    """A store in an SQL database that is open and has its tables."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.url = self._database.url
        self._terms = Terms(database.dialect)
        self._together = Together(BUSY_SECONDS)
        self._own_kinds_mark: tuple[int, int] = (0, 0)
        self._known: tuple[Vocabulary, int | None, State, Names] | None = None
        self._now = _Now()
        self._scope: Scope | None = None

    def within(self, scope: Scope) -> Store:
        part = copy(self)
        part._scope, part.restricted = scope, True
        return part

    def touched(self, scope: Scope, numbers: Sequence[int]) -> set[int]:
        with self._read(None) as reader:
            return touched(reader.cursor, self._terms, scope, numbers)

    def write(self, batch: Batch, patience: float | None = None) -> Change:
        check_whole(self, "write")
        try:
            read = self._check(batch)
        except InvalidInput:
            if (seen := self._seen(batch)) is not None:
                return seen
            raise
        try:
            change = self._together.write(self._write, prepare(batch, read), patience)
        finally:
            self.announce(batch)  # also where it is not known whether it was written
        if any(put.node.kind == "kinds" for put in batch.puts) or any(
            "kinds/" in closed for closed in batch.closes
        ):
            self._vocabulary = None
        change = change or self.head()
        if change is None:
            raise InvalidInput("the batch is empty: there is nothing to record")
        return change

    def _check(self, batch: Batch) -> list[dict[str, Any]]:
        try:
            return check_batch(batch, self.vocabulary())
        except InvalidInput:
            # Another process may have registered a kind meanwhile.
            return check_batch(batch, self.vocabulary(reload=True))

    def _seen(self, batch: Batch) -> Change | None:
        with self._read(None) as reader:
            row = reader.cursor.execute("SELECT number FROM change WHERE batch = ?", (batch.id,)).fetchone()
            return None if row is None else read_change(reader.cursor, row[0])

    def _write(
        self, work: Callable[[Cursor, NewTerms], T], patience: float | None = None, again: bool = True
    ) -> T:
        """Do work in one transaction; `again`: it may be done once more where it is not known to be done."""

        def unit(cursor: Cursor) -> tuple[T, NewTerms]:
            terms = NewTerms(self._terms, cursor)
            return work(cursor, terms), terms

        result, terms = self._database.write(unit, patience, again)
        terms.keep()
        return result

    def vocabulary(self, reload: bool = False) -> Vocabulary:
        if reload or self._vocabulary is None:
            with self._read(None) as reader:
                return self._vocabulary_in(reader)
        return self._vocabulary

    def _vocabulary_in(self, reader: Reader) -> Vocabulary:
        """Return the vocabulary as it stands, read again only where own kinds have changed."""
        with suppress(Outdated):
            reader.settle()
        mark = reader.state()[1:]
        if self._vocabulary is None or mark != self._own_kinds_mark:
            sql = f"SELECT {NODE} FROM node WHERE kind = ?"
            own = reader.nodes(reader.cursor.execute(sql, (reader.term("kinds"),)).fetchall())
            self._vocabulary = Vocabulary.of_store((node.name, node.document) for node in own)
            self._own_kinds_mark = mark
        self._known = self._vocabulary, *reader.known()
        return self._vocabulary

    @contextmanager
    def _read(self, as_of: AsOf, one: bool = False) -> Iterator[Reader]:
        now = self._now.reader
        if now is not None:
            with self._database.reading():
                at = reading.resolve(now.cursor, as_of)
                same = at is None and self._scope is None and now.shown is None
                yield now if same else Reader(now.cursor, self._terms, at, self._scope)
            return
        with self._database.read(one and as_of is None) as cursor:
            yield Reader(cursor, self._terms, reading.resolve(cursor, as_of), self._scope)

    @contextmanager
    def one_moment(self) -> Iterator[None]:
        if self._now.reader is not None:
            yield
            return
        failed = None
        with self._read(None) as self._now.reader:
            self._now.reader.brought = {}
            try:
                yield
            except ArangopipeError:
                raise
            except Exception as error:
                # Told as it is: what does not come from a read says nothing about the database.
                failed = error
            finally:
                self._now.reader = None
        if failed is not None:
            raise failed

    def head(self, as_of: AsOf = None) -> Change | None:
        with self._read(as_of) as reader:
            return reading.head(reader.cursor, reader.at)

    def get(self, ids: Sequence[str], as_of: AsOf = None) -> tuple[Node | None, ...]:
        with self._read(as_of, one=len(ids) == 1) as reader:
            rows = reader.get_many(ids)
            nodes = iter(reader.nodes([row for row in rows if row is not None]))
            return tuple([None if row is None else next(nodes) for row in rows])

    def owned(self, runs: Sequence[str], as_of: AsOf = None) -> dict[str, tuple[str, str]]:
        if as_of is not None:
            return super().owned(runs, as_of)
        with self._read(None, one=True) as reader:
            return reader.owned(runs)

    def last_written(self, runs: Sequence[str], as_of: AsOf = None) -> dict[str, datetime]:
        with self._read(as_of) as reader:
            return last_written(reader, runs)

    def find(self, kind: str, name: str, project: str | None = None, as_of: AsOf = None) -> tuple[Node, ...]:
        with self._read(as_of, one=True) as reader:
            return tuple(reader.nodes(reader.find(kind, name, project)))

    def called(self, kind: str, text: str, as_of: AsOf = None) -> tuple[Node, ...]:
        with self._read(as_of, one=True) as reader:
            return tuple(reader.nodes(reader.called(kind, text)))

    def search(
        self,
        kind: str,
        where: Expression | None = None,
        order: Sequence[OrderKey] = (),
        limit: int = 100,
        cursor: str | None = None,
        as_of: AsOf = None,
    ) -> Page:
        check_page(limit)
        with self._read(as_of) as reader:
            if (known := self._assumed(reader)) is not None and kind in known.nodes:
                with suppress(Outdated):
                    page = Search(reader, known, kind, where, order).page(limit, cursor)
                    self._known = known, *reader.known()
                    return page
            return Search(reader, *self._kind_in(reader, kind), where, order).page(limit, cursor)

    def _assumed(self, reader: Reader) -> Vocabulary | None:
        """Return the vocabulary that a reader takes for granted, None where it has to be read."""
        if self._known is None or reader.at is not None or not reader.dialect.batched:
            return None
        vocabulary, last_term, state, names = self._known
        return vocabulary if reader.assume(last_term, state, names) else None

    def _kind_in(self, reader: Reader, kind: str) -> tuple[Vocabulary, str]:
        vocabulary = self._vocabulary_in(reader)
        return vocabulary, vocabulary.node_kind(kind).name

    def columns(
        self,
        kind: str,
        paths: Sequence[str],
        where: Expression | None = None,
        as_of: AsOf = None,
        links: Sequence[str] = (),
        documents: bool = False,
    ) -> Iterator[dict[str, list[Any]]]:
        wanted = {path: parse_path(path) for path in paths}
        with self._read(as_of) as reader:
            yield from questions.columns(
                Selection(reader, *self._kind_in(reader, kind), where), wanted, links, documents
            )

    def count(
        self, kind: str, where: Expression | None = None, by: str | None = None, as_of: AsOf = None
    ) -> dict[Any, int]:
        path = None if by is None else parse_path(by)
        with self._read(as_of) as reader:
            return questions.count(Selection(reader, *self._kind_in(reader, kind), where), path)

    def edges(
        self,
        ids: Sequence[str],
        kinds: Sequence[str] = (),
        limit: int = base.MAX_PAGE,
        as_of: AsOf = None,
    ) -> tuple[Edge, ...]:
        check_bound("limit", limit, 1)
        with self._read(as_of) as reader:
            return reader.touching(ids, kinds, limit)

    def degree(
        self, node: str, kind: str, outward: bool, most: int = base.MAX_PAGE, as_of: AsOf = None
    ) -> int:
        check_bound("most", most, 1)
        with self._read(as_of) as reader:
            row, edge = reader.get(node), self._vocabulary_in(reader).edges.get(kind)
            return 0 if row is None or edge is None else reader.degree(row[0], edge, outward, most)

    def traverse(
        self,
        start: Sequence[str],
        direction: Direction,
        depth: int | None = None,
        limit: int = base.MAX_NODES,
        as_of: AsOf = None,
    ) -> Graph:
        check_bound("limit", limit, 1)
        check_bound("depth", 0 if depth is None else depth, 0)
        if as_of is None and self._known is not None and self._database.dialect.walk is not None:
            with suppress(Outdated), self._read(None, one=True) as reader:
                if (known := self._assumed(reader)) is not None:
                    graph = Walk(reader, known, direction).at_once(start, depth, limit)
                    if graph is not None:
                        return graph
        with self._read(as_of) as reader:
            return Walk(reader, self._vocabulary_in(reader), direction).run(start, depth, limit)

    def points(self, run: str, name: str | None = None, as_of: AsOf = None) -> dict[str, list[Point]]:
        with self._read(as_of) as reader:
            row = reader.get(run)
            return {} if row is None else reader.points(row[0], name)

    def revisions(self, node: str) -> tuple[Revision, ...]:
        with self._read(None) as reader:
            return reading.revisions(reader, node)

    def changes(self, after: int = 0, limit: int | None = None, entries: bool = False) -> Iterator[Change]:
        check_bound("after", after, 0)
        if entries:
            yield from self._changes_with_entries(after, limit)
            return
        left = limit
        while left is None or left > 0:
            with self._read(None) as reader:
                page = reading.changes(reader.cursor, after, CHANGES if left is None else min(left, CHANGES))
            yield from page
            if len(page) < CHANGES:
                return
            after, left = page[-1].number, None if left is None else left - len(page)

    def _changes_with_entries(self, after: int, limit: int | None) -> Iterator[Change]:
        """Yield changes by the window, each read in one transaction; what is recorded does not change.

        A window takes one pass over the tables, so a large store is read in `WINDOWS` of them.
        """
        head = self.head()
        last = 0 if head is None else head.number
        last = last if limit is None else min(last, after + limit)
        window = max(CHANGES, -((after - last) // WINDOWS))
        for start in range(after, last, window):
            with self._read(None) as reader:
                yield from reading.changes_with_entries(reader.cursor, start, min(window, last - start))

    def close(self) -> None:
        self._database.close()

    def check(self) -> Iterator[str]:
        try:
            with self._read(None) as reader:
                yield from maintenance.check(reader)
        except StoreError as error:
            yield str(error)

    def erase(
        self, ids: Sequence[str], actor: str, reason: str, unchanged: Sequence[str] = (), since: int = 0
    ) -> Change:
        batch = erasing(actor, reason, unchanged, since)
        try:
            change = self._write(lambda cursor, terms: maintenance.erase(cursor, terms, ids, batch))
        finally:
            self.announce(None)
        self._database.rewrite()
        return change

    def append(self, changes: Sequence[Change]) -> None:
        prepared = [replica.prepare(change) for change in changes]
        try:
            self._write(lambda cursor, terms: replica.append(cursor, terms, prepared), again=False)
        finally:
            self._vocabulary = None
            self.announce(None)

    def adopt(self, adoptions: Sequence[Adoption]) -> None:
        prepared = []
        for batch, past in adoptions:
            self._check(as_batch(batch.id, past))
            prepared.append((prepare(batch, self._check(batch)), replica.past_rows(past)))
        try:
            self._write(lambda cursor, terms: replica.adopt(cursor, terms, prepared))
        finally:
            self._vocabulary = None
            self.announce(None)

    def numbers(self, batches: Sequence[str]) -> dict[str, int]:
        with self._read(None) as reader:
            sql = f"SELECT batch, number FROM change WHERE {reader.dialect.among('batch')}"
            return dict(reader.cursor.execute(sql, (reader.dialect.some(batches),)).fetchall())

    def edge_revisions(self, ref: EdgeRef) -> tuple[EdgeRevision, ...]:
        with self._read(None) as reader:
            return replica.edge_revisions(reader, ref)

    def ever_linked(self, node: str) -> tuple[EdgeRef, ...]:
        with self._read(None) as reader:
            return replica.ever_linked(reader, node)

    def query(
        self,
        sql: str,
        parameters: Sequence[Any] = (),
        limit: int = 1_000,
        timeout: float = QUERY_SECONDS,
    ) -> Rows:
        check_page(limit)
        return self._database.query(check_query(sql, timeout), parameters, limit, timeout)

    def explain(
        self, sql: str, parameters: Sequence[Any] = (), timeout: float = QUERY_SECONDS
    ) -> tuple[str, ...]:
        return self._database.explain(check_query(sql, timeout), parameters, timeout)


class SQLiteStore(SQLStore, Backup):
    """A store in one SQLite file: ``sqlite:///runs.db``, ``sqlite:////absolute/runs.db``.

    Options: ``?durability=relaxed`` (a power cut may lose the last moments, never the file) and
    ``?journal=delete`` (for network file systems).
    """

    def __init__(self, url: str) -> None:
        database = SQLite(url)
        super().__init__(database)
        try:
            migrate.ensure_schema(database)
        except BaseException:
            self.close()
            raise

    def backup(self, path: Path, progress: backups.Progress | None = None) -> None:
        with self._read(None) as reader:
            reading.head(reader.cursor, None)  # now the transaction has begun to read: nothing moves any more
            backups.copy_pages(reader.cursor.connection, path, progress)

    @staticmethod
    def inspection(url: str) -> Inspection:
        """Return what looks at the file of an address from outside."""
        from arangopipe.store.sql.inspection import FileInspection

        return FileInspection(url)


class PostgresStore(SQLStore):
    """A store in a schema of a PostgreSQL database: ``postgresql://user@host/database?schema=runs``.

    Options beside those of libpq: ``schema`` (default ``arangopipe``), ``isolation`` of what is written
    (``read committed``, ``repeatable read``, ``serializable``; default: the database's) and ``connections``,
    how many one process opens at most (default 20).
    """

    def __init__(self, url: str) -> None:
        from arangopipe.store.sql import founding
        from arangopipe.store.sql.postgres import Postgres

        self._postgres = database = Postgres(url)
        self._taken, self._enough = 0, MANY_CHANGES
        super().__init__(database)
        try:
            founding.ensure_schema(database)
        except BaseException:
            self.close()
            raise

    def append(self, changes: Sequence[Change]) -> None:
        super().append(changes)
        self._taken += len(changes)
        if self._taken >= self._enough:
            self._enough = 2 * self._taken
            self._postgres.analyze()

    @staticmethod
    def inspection(url: str) -> Inspection:
        """Return what looks at the schema of an address from outside."""
        from arangopipe.store.sql.server_inspection import ServerInspection

        return ServerInspection(url)
