"""One batch written inside a transaction that is already open."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import compress, count
from typing import Any, NamedTuple

from arangopipe.errors import AlreadyExists, Conflict, NotFound
from arangopipe.model import chain, documents, times
from arangopipe.model.graph import Change, Edge, EdgeRef, Node
from arangopipe.model.ids import split_id
from arangopipe.model.vocabulary import OWNED_BY_RUN, Vocabulary
from arangopipe.store.checks import changed_since
from arangopipe.store.records import Summary, summarise
from arangopipe.store.sql import ahead
from arangopipe.store.sql.dialect import Cursor
from arangopipe.store.sql.prepare import NodeRow, Prepared, node_text
from arangopipe.store.sql.statements import (
    CHANGE,
    CHANGED_ID,
    CHANGED_KIND,
    DELETE_EDGE,
    EDGE_PAST,
    HEAD,
    INSERT_CHANGE,
    INSERT_POINT,
    NO_HEAD,
    NODE_PAST,
    PUT_SERIES,
    UPDATE_NODE,
)
from arangopipe.store.sql.terms import NewTerms
from arangopipe.store.sql.values import ValueRows, run_values, values_of

EdgeKey = tuple[int, int, int]


class Stored(NamedTuple):
    """A node as it stands in the table."""

    id: int
    node: Node
    salt: bytes


class Writer:
    """Writes one prepared batch; `careful` looks at what is there before it inserts.

    Nearly every batch only adds. So a first try inserts at once and lets the unique indexes object; the
    careful second one finds out what they objected to.
    """

    def __init__(self, cursor: Cursor, terms: NewTerms, prepared: Prepared, careful: bool) -> None:
        self._cursor = cursor
        self._terms = terms
        self._prepared = prepared
        self._careful = careful
        self._number = 0
        self._ids: dict[str, int] = {}
        self._new_runs: set[str] = set()
        self._closed: set[str] = set()
        self._metrics: dict[str, tuple[str | None, str | None]] = {}
        self._values = ValueRows(terms)
        self._digests: list[bytes] = []
        self._ahead: dict[str, tuple[Any, ...] | None] = {}

    def run(self, more: Callable[[int], list[bytes]] | None = None) -> Change | None:
        """Write the batch; return its change, or None where there was nothing to change.

        `more` does what else belongs to the change of that number and returns the digests to add.
        """
        batch = self._prepared.batch
        found = self._cursor.execute(HEAD, (batch.id,)).fetchone() or NO_HEAD
        forgotten, seen, last_id, last_past_id, number, time, link = found
        if seen is not None:
            return read_change(self._cursor, seen)
        self._number = number + 1
        self._terms.trust(forgotten)
        self._ids.update(ahead.ids_of(self._cursor, self._terms, self._prepared))
        if self._terms.dialect.batched:
            self._ahead = ahead.stored_nodes(self._cursor, self._terms, self._prepared, self._careful)
        if batch.unchanged and number > batch.since:
            self._check_unchanged()
        self._put_nodes(max(last_id or 0, last_past_id or 0) + 1)
        self._put_edges()
        self._put_points()
        self._put_metrics()
        # A node takes its edges along, so those that are named come first.
        for item in dict.fromkeys(batch.closes):
            if isinstance(item, EdgeRef):
                self._close_edge(item)
        for item in batch.closes:
            if not isinstance(item, EdgeRef):
                self._close_node(item)
        if self._own_kinds_change():
            self._check_own_kinds()
        self._values.write(self._cursor)
        if more is not None:
            self._digests += more(self._number)
        return self._finish(time, link) if self._digests or more else None

    def _finish(self, last_time: int, last_link: bytes) -> Change:
        batch = self._prepared.batch
        time = max(times.to_microseconds(times.now()), last_time)
        origin = None
        if batch.origin is not None:
            # Whoever has seen a change writes later than it was written, whatever the clocks say.
            time = max(time, times.to_microseconds(batch.origin.time) + 1)
            origin = chain.origin_text(batch.origin)
        digest = chain.change_digest([self._prepared.digest, *self._digests])
        link = chain.link(last_link, self._number, times.from_microseconds(time), batch.actor, digest)
        said = (batch.actor, batch.action, batch.reason)
        self._cursor.execute(
            INSERT_CHANGE, (self._number, batch.id, time, *said, self._prepared.salt, digest, link, origin)
        )
        return change_of((self._number, time, *said, batch.id, digest, link, origin))

    def _check_unchanged(self) -> None:
        batch = self._prepared.batch
        for name in batch.unchanged:
            kind, slash, key = name.partition("/")
            term, since = self._terms.id(kind), batch.since
            sql, values = (CHANGED_ID, (term, key, since) * 2) if slash else (CHANGED_KIND, (term, since) * 4)
            if self._cursor.execute(sql, values).fetchone():
                raise changed_since(name, batch.since)

    def _own_kinds_change(self) -> bool:
        batch = self._prepared.batch
        return any(put.node.kind == "kinds" for put in batch.puts) or any(
            isinstance(item, str) and item.startswith("kinds/") for item in batch.closes
        )

    def _check_own_kinds(self) -> None:
        """Check that the own kinds still make a vocabulary, else no one could use the store any more."""
        rows = self._cursor.execute(
            "SELECT name, document FROM node WHERE kind = ?", (self._terms.id("kinds"),)
        ).fetchall()
        Vocabulary.of_store((name, documents.load(text)) for name, text in rows)

    # Nodes

    def _put_nodes(self, next_id: int) -> None:
        added = [row for row in self._prepared.nodes if self._is_new(row)]
        nodes = [row.put.node for row in added]
        self._ids.update(zip([row.id for row in added], count(next_id)))
        self._new_runs.update([node.key for node in nodes if node.kind == "run"])
        if self._careful:
            self._check_names(nodes)
        term, number = self._terms.id, self._number
        rows = [
            (id, term(kind), key, name or None, version or None, project, number, text, row.salt)
            for id, row, (kind, key, name, version, project, _, text) in zip(count(next_id), added, nodes)
        ]
        self._terms.dialect.insert(self._cursor, "node", rows)
        self._digests += [row.digest for row in added]
        for row in added:
            self._add_values(row)

    def _is_new(self, row: NodeRow) -> bool:
        """Return whether a node is to be added; one that is there is revised, where it differs."""
        expect = row.put.expect
        if expect == "absent" and not self._careful:
            return True
        stored = self.stored(row.id)
        if stored is None:
            if isinstance(expect, int):
                raise NotFound(f"{row.id} is not there (any more): it cannot be revised")
            return True
        if self._differs(stored, row):
            self._revise(stored, row)
        return False

    def stored(self, node_id: str) -> Stored | None:
        """Return a current node, None where there is none."""
        kind, key = split_id(node_id)
        if node_id in self._ahead:
            row = self._ahead.pop(node_id)
        else:
            sql = f"SELECT {ahead.STORED} FROM node WHERE kind = ? AND key = ?"
            row = self._cursor.execute(sql, (self._terms.id(kind), key)).fetchone()
        if row is None:
            return None
        self._ids[node_id] = row[0]
        return Stored(row[0], Node(kind, key, *row[1:6]), row[6])

    def _differs(self, stored: Stored, row: NodeRow) -> bool:
        """Return whether a put of something that is there changes it; raise where it may not."""
        node, expect = row.put
        if isinstance(expect, int) and stored.node.revision != expect:
            raise Conflict(
                f"{node.id} was changed meanwhile: it is at revision {stored.node.revision}, "
                f"not {expect}; look it up again and repeat"
            )
        if stored.node._replace(revision=0) == node._replace(revision=0):
            return False
        if expect == "absent":
            raise AlreadyExists(f"{node.kind} {node.label!r} ({node.id}) is already there with other content")
        return True

    def _revise(self, stored: Stored, row: NodeRow) -> None:
        node = row.put.node
        if node[2:5] != stored.node[2:5]:  # name, version and project
            self._check_names([node])
        self._retire_node(stored)
        columns = (node.name or None, node.version or None, node.project, self._number, node.text, row.salt)
        self._cursor.execute(UPDATE_NODE, (*columns, stored.id))
        self._digests.append(row.digest)
        self._revise_values(stored.node, row)

    def _retire_node(self, stored: Stored) -> None:
        self._cursor.execute(NODE_PAST, (self._number, stored.id))
        digest = chain.row_digest(stored.salt, node_text(stored.node))
        self._digests.append(chain.close_digest(digest))

    def _check_names(self, nodes: Iterable[Node]) -> None:
        """Raise `AlreadyExists` where a name and version is taken, by another node or among these."""
        taken: set[tuple[str, ...]] = set()
        for node in nodes:
            if not (node.name and node.version):
                continue
            named = (node.kind, node.name, node.project, node.version)
            if named in taken:
                raise AlreadyExists("two nodes of the batch have the same kind, name and version")
            taken.add(named)
            test = self._terms.dialect.named
            row = self._cursor.execute(
                f"SELECT key FROM node WHERE kind = ? AND {test} AND project = ? AND version = ?",
                (self._terms.id(node.kind), *[node.name] * test.count("?"), node.project, node.version),
            ).fetchone()
            if row is not None and row[0] != node.key:
                raise AlreadyExists(f"{node.kind} {node.label!r} is already there, as {node.kind}/{row[0]}")

    def _add_values(self, row: NodeRow) -> None:
        """Note the values of a node that was not there."""
        node = row.put.node
        owner = self._owner(node) if node.kind in OWNED_BY_RUN else self._ids[row.id]
        if node.kind == "devperf" and (self._prepared.points or node.key not in self._new_runs):
            self._metrics[node.key] = (None, node.text)
        else:
            self._values.add_new(owner, row.values)

    def _revise_values(self, before: Node, row: NodeRow) -> None:
        """Note which values take the place of those that a node had before."""
        owner = self._owner(before) if before.kind in OWNED_BY_RUN else self._ids[row.id]
        if before.kind == "devperf":
            self._metrics[before.key] = (before.text, row.put.node.text)
        else:
            self._values.remove(owner, values_of(before.kind, before.text))
            self._values.add(owner, row.values)

    def _owner(self, node: Node) -> int:
        run = self._id(f"run/{node.key}")
        if run is None:
            raise NotFound(f"{node.id} belongs to run/{node.key}, which is not there")
        return run

    # Edges

    def _put_edges(self) -> None:
        number, known, term = self._number, self._ids.get, self._terms.id
        rows = [
            (
                known(source) or self._end(source, edge),
                term(kind),
                known(target) or self._end(target, edge),
                number,
                None if text == documents.EMPTY else text,
                salt,
            )
            for edge, salt, _ in self._prepared.edges
            for kind, source, target, _, text in (edge,)
        ]
        digests = [row.digest for row in self._prepared.edges]
        if self._careful:
            changed = self._changed(rows)
            rows, digests = list(compress(rows, changed)), list(compress(digests, changed))
        self._terms.dialect.insert(self._cursor, "edge", rows)
        self._digests += digests

    def _changed(self, rows: Sequence[tuple[Any, ...]]) -> list[bool]:
        """Return which rows say something new; what is there and differs from them is retired."""
        keys: list[EdgeKey] = [row[:3] for row in rows]
        if self._terms.dialect.batched:
            there = ahead.stored_edges(self._cursor, keys)
        else:
            there = {key: self._stored_edge(key) for key in keys}
        changed = []
        for row, key, (edge, *_) in zip(rows, keys, self._prepared.edges, strict=True):
            stored = there[key]
            changed.append(stored is None or stored[0] != row[4])
            if stored is not None and changed[-1]:
                self._retire_edge(edge.ref, key, *stored)
        return changed

    def _stored_edge(self, key: EdgeKey) -> tuple[str | None, bytes] | None:
        sql = "SELECT document, salt FROM edge WHERE source = ? AND kind = ? AND target = ?"
        return self._cursor.execute(sql, key).fetchone()  # type: ignore[no-any-return]

    def _retire_edge(self, ref: EdgeRef, key: EdgeKey, text: str | None, salt: bytes) -> None:
        self._cursor.execute(EDGE_PAST, (self._number, *key))
        self._cursor.execute(DELETE_EDGE, key)
        digest = chain.row_digest(salt, chain.edge_text(*ref, text or documents.EMPTY))
        self._digests.append(chain.close_digest(digest))

    def _end(self, node_id: str, edge: Edge) -> int:
        id = self._id(node_id)
        if id is None:
            raise NotFound(
                f"{node_id} is not there: edge {edge.kind!r} {edge.source} -> {edge.target} cannot be made"
            )
        return id

    def _id(self, node_id: str) -> int | None:
        known = self._ids.get(node_id)
        if known is None:
            kind, key = split_id(node_id)
            row = self._cursor.execute(
                "SELECT id FROM node WHERE kind = ? AND key = ?", (self._terms.id(kind), key)
            ).fetchone()
            if row is not None:
                known = self._ids[node_id] = row[0]
        return known

    # Points, and the metrics they speak for

    def _put_points(self) -> None:
        for points in self._prepared.batch.points:
            if self._id(points.run) is None:
                raise NotFound(f"{points.run} is not there: its points of {points.name!r} cannot be kept")
        for points, document, salt, digest in self._prepared.points:
            run = self._ids[points.run]
            name = self._terms.name(f"={points.name}")
            self._cursor.execute(INSERT_POINT, (run, name, self._number, document, salt))
            self._digests.append(digest)
            self._metrics.setdefault(split_id(points.run)[1], (None, None))

    def _put_metrics(self) -> None:
        """Bring the metrics of each run up to date, from its devperf and its points."""
        for key, (before, after) in self._metrics.items():
            run = self._ids[f"run/{key}"]
            known: dict[str, Summary] = {}
            if key not in self._new_runs:
                known = self._series(run)
                if before is None and after is None:
                    stored = self.stored(f"devperf/{key}")
                    before = after = stored and stored.node.text
            series = dict(known)
            for points, *_ in self._prepared.points:
                if points.run == f"run/{key}":
                    series[points.name] = summarise(points.points, series.get(points.name))
            fresh = [
                (run, self._terms.name(f"={n}"), *s[:3], *map(self._terms.dialect.any_value, s[3:]))
                for n, s in series.items()
                if known.get(n) is not s
            ]
            if fresh:
                self._cursor.executemany(PUT_SERIES, fresh)
            if key not in self._new_runs:
                self._values.remove(run, run_values(before, known))
            self._values.add(run, run_values(after, series))

    def _series(self, run: int) -> dict[str, Summary]:
        rows = self._cursor.execute(
            "SELECT name, count, step, time, last, low, high FROM series WHERE run = ?", (run,)
        ).fetchall()
        return {self._terms.text(name)[1:]: Summary(*rest) for name, *rest in rows}

    # Closing

    def _close_node(self, node_id: str) -> None:
        if node_id in self._closed:
            return
        self._closed.add(node_id)
        stored = self.stored(node_id)
        if stored is None:
            raise NotFound(f"{node_id} is not there (any more): it cannot be deleted")
        if stored.node.kind == "run":
            for kind in OWNED_BY_RUN:
                if self.stored(f"{kind}/{stored.node.key}") is not None:
                    self._close_node(f"{kind}/{stored.node.key}")
            self._close_points(stored)
        self._close_edges(stored.id)
        self._retire_node(stored)
        self._cursor.execute("DELETE FROM node WHERE id = ?", (stored.id,))
        self._close_values(stored)

    def _close_values(self, stored: Stored) -> None:
        kind, text = stored.node.kind, stored.node.text
        if kind == "devperf":
            run = self._owner(stored.node)
            series = self._series(run)
            self._values.remove(run, run_values(text, series))
            self._values.add(run, run_values(None, series))
        else:
            owner = self._owner(stored.node) if kind in OWNED_BY_RUN else stored.id
            self._values.remove(owner, values_of(kind, text))

    def _close_points(self, run: Stored) -> None:
        rows = self._cursor.execute(
            "SELECT name, document, salt FROM point WHERE run = ? AND closed IS NULL", (run.id,)
        ).fetchall()
        for name, document, salt in rows:
            text = chain.points_text(run.node.id, self._terms.text(name)[1:], document)
            self._digests.append(chain.close_digest(chain.row_digest(salt, text)))
        self._cursor.execute(
            "UPDATE point SET closed = ? WHERE run = ? AND closed IS NULL", (self._number, run.id)
        )
        self._values.remove(run.id, run_values(None, self._series(run.id)))
        self._cursor.execute("DELETE FROM series WHERE run = ?", (run.id,))

    def _close_edges(self, id: int) -> None:
        rows = self._cursor.execute(
            "SELECT source, kind, target, document, salt FROM edge WHERE source = ? UNION "
            "SELECT source, kind, target, document, salt FROM edge WHERE target = ?",
            (id, id),
        ).fetchall()
        for source, kind, target, document, salt in rows:
            ref = EdgeRef(self._terms.text(kind), self._id_text(source), self._id_text(target))
            self._retire_edge(ref, (source, kind, target), document, salt)

    def _id_text(self, id: int) -> str:
        kind, key = self._cursor.execute("SELECT kind, key FROM node WHERE id = ?", (id,)).fetchone()
        return f"{self._terms.text(kind)}/{key}"

    def _close_edge(self, ref: EdgeRef) -> None:
        source, target = self._id(ref.source), self._id(ref.target)
        if source is not None and target is not None:
            key = (source, self._terms.id(ref.kind), target)
            if (stored := self._stored_edge(key)) is not None:
                self._retire_edge(ref, key, *stored)
                return
        raise NotFound(f"edge {ref.kind!r} {ref.source} -> {ref.target} is not there (any more)")


def read_change(cursor: Cursor, number: int) -> Change:
    """Return a recorded change, without its rows."""
    return change_of(cursor.execute(f"{CHANGE} WHERE number = ?", (number,)).fetchone())


def change_of(row: tuple[Any, ...]) -> Change:
    """Return the change of a row of `CHANGE`."""
    number, time, actor, action, reason, batch, digest, link, origin = row
    return Change(
        number,
        times.from_microseconds(time),
        actor,
        action,
        reason,
        batch,
        digest.hex(),
        link.hex(),
        origin=None if origin is None else chain.read_origin(origin),
    )
