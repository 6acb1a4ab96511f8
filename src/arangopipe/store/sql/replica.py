"""Changes of another store recorded as they were there, row by row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from arangopipe.errors import NotFound, StoreError
from arangopipe.model import chain, documents, times
from arangopipe.model.graph import Batch, Change, Edge, EdgeRef, EdgeRevision, Node, Put
from arangopipe.model.ids import split_id
from arangopipe.store.replica import Erased, Row, Rows, Value, check_follows, read_rows
from arangopipe.store.sql.dialect import Cursor
from arangopipe.store.sql.prepare import EdgeRow, NodeRow, PointRow, Prepared
from arangopipe.store.sql.reading import KIND, NAME, Reader
from arangopipe.store.sql.statements import CHANGE, INSERT_CHANGE
from arangopipe.store.sql.terms import NewTerms
from arangopipe.store.sql.values import values_of
from arangopipe.store.sql.writing import Writer, change_of, read_change

PAST_NODE = (
    "INSERT INTO node_past(id, kind, key, name, version, project, revision, document, salt, digest, "
    "erased, closed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
PAST_EDGE = (
    "INSERT INTO edge_past(source, kind, target, revision, document, salt, closed) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)
PAST_POINT = (
    "INSERT INTO point(run, name, revision, document, salt, digest, erased, closed) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
NEXT_ID = """
SELECT 1 + coalesce(max(last), 0)
FROM (SELECT max(id) AS last FROM node UNION ALL SELECT max(id) FROM node_past) AS ids
"""


def append(cursor: Cursor, terms: NewTerms, changes: Sequence[tuple[Change, Rows, Prepared]]) -> None:
    """Record the next changes, inside a transaction that is already open."""
    row = cursor.execute(f"{CHANGE} ORDER BY number DESC LIMIT 1").fetchone()
    last = None if row is None else change_of(row)
    for change, rows, prepared in changes:
        check_follows(change, last)
        Replayer(cursor, terms, change, rows, prepared).replay()
        last = change


def prepare(change: Change) -> tuple[Change, Rows, Prepared]:
    """Return a change with its rows, ready to be written."""
    rows = read_rows(change)
    nodes, edges, points = [], [], []
    for value, salt, digest in rows.written:
        if isinstance(value, Node):
            found = values_of(value.kind, value.text)
            nodes.append(NodeRow(Put(value, "any"), value.id, salt, digest, found))
        elif isinstance(value, Edge):
            edges.append(EdgeRow(value, salt, digest))
        else:
            points.append(PointRow(value, chain.points_document(value), salt, digest))
    batch = Batch(
        change.batch,
        tuple(row.put for row in nodes),
        tuple(row.edge for row in edges),
        rows.closes(),
        tuple(row.points for row in points),
        change.actor,
        change.action,
        change.reason,
        origin=change.origin,
    )
    note = chain.note_text(change.batch, change.action, change.reason, change.origin)
    digest = chain.row_digest(rows.salt, note)
    return change, rows, Prepared(batch, tuple(nodes), tuple(edges), tuple(points), rows.salt, digest)


def past_rows(values: Iterable[Value]) -> list[Row]:
    """Return states with a salt and digest each."""
    found = list(values)
    return [
        Row(value, salt, chain.row_digest(salt, chain.row_text(value)))
        for value, salt in zip(found, chain.salts(len(found)), strict=True)
    ]


def adopt(cursor: Cursor, terms: NewTerms, adoptions: Iterable[tuple[Prepared, list[Row]]]) -> None:
    """Record batches of another store, inside a transaction that is already open."""
    for prepared, past in adoptions:
        recorder = Recorder(cursor, terms, prepared, careful=True)
        recorder.run(partial(recorder.put_past, past))


def edge_revisions(reader: Reader, ref: EdgeRef) -> tuple[EdgeRevision, ...]:
    """Return every state an edge had, the oldest first and the current one last."""
    kind = reader.term(ref.kind)
    ends = [reader.dialect.some(_every_id(reader, end)) for end in (ref.source, ref.target)]
    where = f"kind = ? AND {reader.dialect.among('source')} AND {reader.dialect.among('target')}"
    rows = reader.cursor.execute(
        f"SELECT revision, coalesce(document, '{{}}'), closed FROM edge_past WHERE {where} UNION ALL "
        f"SELECT revision, coalesce(document, '{{}}'), NULL FROM edge WHERE {where}",
        (kind, *ends) * 2,
    ).fetchall()
    rows.sort(key=lambda row: (row[2] is None, row[0]))
    return tuple(
        EdgeRevision(
            Edge(*ref, revision, text),
            read_change(reader.cursor, revision),
            None if closed is None else read_change(reader.cursor, closed),
        )
        for revision, text, closed in rows
    )


def ever_linked(reader: Reader, node_id: str) -> tuple[EdgeRef, ...]:
    """Return every edge that a node ever had."""
    ids = reader.dialect.some(_every_id(reader, node_id))
    touches = f"{reader.dialect.among('source')} OR {reader.dialect.among('target')}"
    found: dict[EdgeRef, None] = {}
    for table in ("edge", "edge_past"):
        sql = f"SELECT {KIND}, {NAME.format('source')}, {NAME.format('target')} FROM {table} WHERE {touches}"
        found.update({EdgeRef(*row): None for row in reader.cursor.execute(sql, (ids, ids))})
    return tuple(found)


def _every_id(reader: Reader, node_id: str) -> list[int]:
    """Return the integers that a node has and had: a new one each time it was made anew."""
    kind, key = split_id(node_id)
    term = reader.term(kind)
    rows = reader.cursor.execute(
        "SELECT id FROM node WHERE kind = ? AND key = ? UNION "
        "SELECT id FROM node_past WHERE kind = ? AND key = ?",
        (term, key, term, key),
    )
    return [id for (id,) in rows]


class Recorder(Writer):
    """Writes a batch of another store, and states that are not current though it wrote them."""

    def put_past(self, rows: Iterable[Row], number: int) -> list[bytes]:
        """Record states as superseded by the very change that writes them; return their digests."""
        digests: list[bytes] = []
        for value, salt, digest in rows:
            if isinstance(value, Node):
                self._put_past_node(value, salt)
            elif isinstance(value, Edge):
                ends = (self._any_id(value.source), self._terms.id(value.kind), self._any_id(value.target))
                text = None if value.text == documents.EMPTY else value.text
                self._cursor.execute(PAST_EDGE, (*ends, number, text, salt, number))
            else:
                ref = (self._any_id(value.run), self._terms.name(f"={value.name}"))
                row = (*ref, number, chain.points_document(value), salt, None, None, number)
                self._cursor.execute(PAST_POINT, row)
            digests += [digest, chain.close_digest(digest)]
        return digests

    def _put_past_node(self, node: Node, salt: bytes) -> None:
        id = self._id(node.id) or self._past_id(node.id, "closed = ?", self._number) or self._next_id()
        kind, words = self._terms.id(node.kind), (node.name or None, node.version or None, node.project)
        number = self._number
        row = (id, kind, node.key, *words, number, node.text, salt, None, None, number)
        self._cursor.execute(PAST_NODE, row)

    def _any_id(self, node_id: str) -> int:
        """Return the integer of a node that is or was here."""
        id = self._id(node_id) or self._past_id(node_id, "true ORDER BY revision DESC LIMIT 1")
        if id is None:
            raise NotFound(f"{node_id} was never here")
        return id

    def _past_id(self, node_id: str, where: str, *numbers: int) -> int | None:
        kind, key = split_id(node_id)
        row = self._cursor.execute(
            f"SELECT id FROM node_past WHERE kind = ? AND key = ? AND {where}",
            (self._terms.id(kind), key, *numbers),
        ).fetchone()
        return None if row is None else row[0]

    def _next_id(self) -> int:
        return self._cursor.execute(NEXT_ID).fetchone()[0]  # type: ignore[no-any-return]


class Replayer(Recorder):
    """Writes a change with the number, time, salts and link that another store gave it."""

    def __init__(
        self, cursor: Cursor, terms: NewTerms, change: Change, rows: Rows, prepared: Prepared
    ) -> None:
        super().__init__(cursor, terms, prepared, careful=True)
        self._change = change
        self._rows = rows

    def replay(self) -> None:
        """Record the change."""
        self.run(lambda number: [*self.put_past(self._rows.past, number), *self._rows.unwritten])

    def _put_nodes(self, next_id: int) -> None:
        super()._put_nodes(next_id)
        for erased in self._rows.erased:
            self._bury(erased)

    def _bury(self, erased: Erased) -> None:
        (what, node_id, project, since, until, number), digest = erased
        if what == "points":
            ref = (self._any_id(node_id), self._terms.name("="))
            self._cursor.execute(PAST_POINT, (*ref, since, None, None, digest, number, until))
            return
        kind, key = split_id(node_id)
        id = self._past_id(node_id, "closed = ?", since) or self._next_id()
        row = (id, self._terms.id(kind), key, None, None, project, since, None, None, digest, number, until)
        self._cursor.execute(PAST_NODE, row)

    def _id(self, node_id: str) -> int | None:
        # A node that was erased since is not in the table of current ones, though it was then.
        now = self._number
        return super()._id(node_id) or self._past_id(node_id, "revision <= ? AND closed >= ?", now, now)

    def _finish(self, last_time: int, last_link: bytes) -> Change:
        change = self._change
        digest = chain.change_digest([self._prepared.digest, *self._digests])
        if digest.hex() != change.digest:
            raise StoreError(
                f"change {change.number} does not fit what this store holds: it was not recorded"
            )
        origin = None if change.origin is None else chain.origin_text(change.origin)
        time = times.to_microseconds(change.time)
        said = (change.actor, change.action, change.reason, self._rows.salt)
        row = (change.number, change.batch, time, *said, digest, bytes.fromhex(change.chain), origin)
        self._cursor.execute(INSERT_CHANGE, row)
        return change
