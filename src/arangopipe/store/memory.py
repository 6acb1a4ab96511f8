"""The reference store: the contract made to run, in plain Python over every state there ever was.

A read at any moment is a filter over rows (`history`); nothing but the rows is kept.
"""

from __future__ import annotations

import os
import threading
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from arangopipe.errors import InvalidInput, NotFound, StoreError, StoreUnavailable
from arangopipe.model import chain, documents, times
from arangopipe.model.filters import Expression, OrderKey, Path, matches, parse_path, paths
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
    Points,
    Revision,
)
from arangopipe.model.ids import split_id
from arangopipe.model.vocabulary import Direction, Vocabulary
from arangopipe.store import base, cursors
from arangopipe.store.abilities import Adoption, Announcing, Maintenance, Replica, Scoped
from arangopipe.store.base import AsOf, Store, check_bound, check_page, check_whole
from arangopipe.store.checks import check_batch, erasing
from arangopipe.store.effects import check_unchanged, effects_of, has_kinds, rows_to_close
from arangopipe.store.history import History, Row, Shown, Value, owned
from arangopipe.store.records import Links, Record, Summary, needs, scalar, summarise, tally
from arangopipe.store.replica import Erased, Rows, as_batch, check_all_follow, read_rows
from arangopipe.store.scope import Scope

CHUNK = 10_000

# One lock for all stores, so that a fork can wait for whoever holds it.
_lock = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


class MemoryStore(Store, Maintenance, Replica, Announcing, Scoped):
    """A store that forgets when it is closed: ``memory://``."""

    def __init__(self, url: str = "memory://") -> None:
        if url != "memory://":
            raise InvalidInput(f"{url!r}: a store in memory has no name; write memory://")
        self.url = url
        self._closed = False
        self._scope: Scope | None = None
        self._changes: list[Change] = []
        self._batches: dict[str, Change] = {}
        self._history = History()

    def close(self) -> None:
        self._closed = True

    @contextmanager
    def _at(self, as_of: AsOf) -> Iterator[int]:
        """Hold the lock and give the number of the change that `as_of` means."""
        with _lock:
            if self._closed:
                raise StoreUnavailable(f"the store {self.url} is closed: connect again")
            yield self._resolve(as_of)

    def _resolve(self, as_of: AsOf) -> int:
        if as_of is None:
            return len(self._changes)
        if isinstance(as_of, datetime):
            if as_of.utcoffset() is None:
                raise InvalidInput(f"as_of {as_of} has no time zone")
            return bisect_right(self._changes, as_of, key=lambda change: change.time)
        if isinstance(as_of, bool) or not isinstance(as_of, int) or as_of < 0:
            raise InvalidInput(f"as_of is a change number or a time, not {as_of!r}")
        return as_of

    def within(self, scope: Scope) -> Store:
        part = copy(self)
        part._scope, part.restricted = scope, True
        part._history = Shown(self._history, scope)
        return part

    def touched(self, scope: Scope, numbers: Sequence[int]) -> set[int]:
        with self._at(None):
            shown = Shown(self._history, scope)
            return {number for number in numbers if shown.touched(number)}

    def vocabulary(self, reload: bool = False) -> Vocabulary:
        with self._at(None):
            return super().vocabulary(reload)

    def _own_kinds(self) -> Iterable[Node]:
        return [row.value for row in self._history.of_kind("kinds", len(self._changes))]

    # Writing

    def write(self, batch: Batch, patience: float | None = None) -> Change:
        check_whole(self, "write")
        with self._at(None):
            if batch.id in self._batches:
                return self._batches[batch.id]
            fresh, ended = effects_of(batch, self._history, self.vocabulary())
            if not (fresh or ended):
                if not self._changes:
                    raise InvalidInput("the batch is empty: there is nothing to record")
                return self._changes[-1]
            return self._record(batch, fresh, ended)

    def _record(
        self,
        batch: Batch,
        fresh: Sequence[Value],
        ended: Sequence[Row],
        erased: Sequence[Row] = (),
        past: Sequence[Value] = (),
    ) -> Change:
        """Record as the next change what has been checked."""
        number = len(self._changes) + 1
        texts = [chain.note_text(batch.id, batch.action, batch.reason, batch.origin)]
        texts += map(chain.row_text, (*fresh, *past))
        note, *rows = [
            Row(value, number, text, salt, chain.row_digest(salt, text))
            for value, text, salt in zip((None, *fresh, *past), texts, chain.salts(len(texts)), strict=True)
        ]
        rows, buried = rows[: len(fresh)], rows[len(fresh) :]
        digests = [row.digest for row in (note, *rows, *buried)]
        digests += [chain.close_digest(row.digest) for row in (*ended, *buried)]
        digests += [chain.row_digest(chain.OPEN_SALT, row.left()) for row in erased]
        change = self._next_change(batch, chain.change_digest(digests))
        self._history.note(note)
        for row in ended:
            self._history.end(row, number)
        for row in rows:
            self._history.begin(row)
        for row in buried:
            row.until = number
            self._history.bury(row)
        if has_kinds([row.value for row in (*rows, *ended)]):
            self._vocabulary = None
        self._changes.append(change)
        self._batches[batch.id] = change
        self.announce(batch)
        return change

    def _next_change(self, batch: Batch, digest: bytes) -> Change:
        number, time, before = 1, times.now(), chain.GENESIS
        if self._changes:
            last = self._changes[-1]
            number, time, before = last.number + 1, max(time, last.time), bytes.fromhex(last.chain)
        if batch.origin is not None:
            # Whoever has seen a change writes later than it was written, whatever the clocks say.
            time = max(time, batch.origin.time + timedelta(microseconds=1))
        link = chain.link(before, number, time, batch.actor, digest).hex()
        words = (batch.actor, batch.action, batch.reason, batch.id)
        return Change(number, time, *words, digest.hex(), link, origin=batch.origin)

    # Reading

    def head(self, as_of: AsOf = None) -> Change | None:
        with self._at(as_of) as at:
            return self._changes[:at][-1] if self._changes[:at] else None

    def get(self, ids: Sequence[str], as_of: AsOf = None) -> tuple[Node | None, ...]:
        with self._at(as_of) as at:
            return tuple(self._history.node("/".join(split_id(node_id)), at) for node_id in ids)

    def last_written(self, runs: Sequence[str], as_of: AsOf = None) -> dict[str, datetime]:
        with self._at(as_of) as at:
            found = {key: self._history.last_written(f"run/{key}", at) for key in runs}
            return {key: self._changes[last - 1].time for key, last in found.items() if last is not None}

    def find(self, kind: str, name: str, project: str | None = None, as_of: AsOf = None) -> tuple[Node, ...]:
        with self._at(as_of) as at:
            nodes = [row.value for row in reversed(self._history.of_kind(kind, at))]
            found = [node for node in nodes if node.name and node.name == name]
            return tuple(node for node in found if project in (None, node.project))

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
        with self._at(as_of) as at:
            mark = cursors.query_mark(kind, where, order, None if as_of is None else at, self._scope)
            by_name = self.vocabulary().node_kind(kind).identity == "name"

            def place(values: Sequence[Any], sequence: int, key: str, name: str) -> cursors.Position:
                if order:
                    return cursors.position(order, values, sequence)
                return (name, -sequence) if by_name else (cursors.Reversed(key),)

            found = []
            for record in self._matching(kind, where, [key.path for key in order], at):
                values, node = cursors.sort_values(order, record.read), record.node
                found.append((place(values, record.sequence, node.key, node.name), values, record))
            found.sort(key=lambda item: item[0])
            if cursor is not None:
                after = place(*cursors.decode(mark, cursor))
                found = [item for item in found if item[0] > after]
            more = None
            if len(found) > limit:
                _, values, last = found[limit - 1]
                more = cursors.encode(mark, [values, last.sequence, last.node.key, last.node.name])
            return Page(tuple(record.node for _, _, record in found[:limit]), more)

    def _matching(
        self, kind: str, where: Expression | None, read: Iterable[Path], at: int
    ) -> Iterator[Record]:
        """Yield the record of each node that matches, with what `read` needs, as they were created."""
        known = self.vocabulary()
        kind = known.node_kind(kind).name
        wanted = needs(known, kind, [*read, *(paths(where) if where else ())])
        for row in self._history.of_kind(kind, at):
            node: Node = row.value
            record = Record(
                node,
                row.sequence,
                self._text_of(f"modelparams/{node.key}", at) if wanted.params else documents.EMPTY,
                self._text_of(f"devperf/{node.key}", at) if wanted.metrics else documents.EMPTY,
                self._series(node.id, at) if wanted.metrics else {},
                {hop: self._history.neighbours(node.id, known.hops(kind)[hop], at) for hop in wanted.hops},
            )
            if where is None or matches(where, record.read):
                yield record

    def _text_of(self, node_id: str, at: int) -> str:
        node = self._history.node(node_id, at)
        return documents.EMPTY if node is None else node.text

    def _series(self, run: str, at: int) -> dict[str, Summary]:
        points = self._history.points(run, at)
        return {name: summary for name, known in points.items() if (summary := summarise(known))}

    def columns(
        self,
        kind: str,
        paths: Sequence[str],
        where: Expression | None = None,
        as_of: AsOf = None,
        links: Sequence[str] = (),
        documents: bool = False,
    ) -> Iterator[dict[str, list[Any]]]:
        wanted, linked = {path: parse_path(path) for path in paths}, dict.fromkeys(links)
        with self._at(as_of) as at:
            rows = [
                (
                    record.node.id,
                    *(scalar(record.read(path)) for path in wanted.values()),
                    *(self._links(record.node.id, name, at) for name in linked),
                    *([record.node.text] if documents else []),
                )
                for record in self._matching(kind, where, wanted.values(), at)
            ]
        return _chunks(("id", *wanted, *linked, *(["document"] if documents else [])), rows)

    def _links(self, node_id: str, kind: str, at: int) -> Links:
        edges = [edge for edge in self._history.edges(node_id, at) if edge.kind == kind]
        found = [(edge.target if edge.source == node_id else edge.source, edge.text) for edge in edges]
        return tuple(sorted(found))

    def count(
        self, kind: str, where: Expression | None = None, by: str | None = None, as_of: AsOf = None
    ) -> dict[Any, int]:
        path = None if by is None else parse_path(by)
        with self._at(as_of) as at:
            found = list(self._matching(kind, where, [path] if path else [], at))
            if path is None:
                return {None: len(found)}
            return tally(scalar(record.read(path)) for record in found)

    def edges(
        self,
        ids: Sequence[str],
        kinds: Sequence[str] = (),
        limit: int = base.MAX_PAGE,
        as_of: AsOf = None,
    ) -> tuple[Edge, ...]:
        check_bound("limit", limit, 1)
        with self._at(as_of) as at:
            found = dict.fromkeys(edge for node_id in ids for edge in self._history.edges(node_id, at))
            wanted = [edge for edge in found if not kinds or edge.kind in kinds]
            return tuple(wanted[:limit])

    def degree(
        self, node: str, kind: str, outward: bool, most: int = base.MAX_PAGE, as_of: AsOf = None
    ) -> int:
        check_bound("most", most, 1)
        with self._at(as_of) as at:
            edges = [edge for edge in self._history.edges(node, at) if edge.kind == kind]
            return min(sum(node == (edge.source if outward else edge.target) for edge in edges), most)

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
        with self._at(as_of) as at:
            return self._history.walk(start, self.vocabulary(), direction, depth, limit, at)

    def points(self, run: str, name: str | None = None, as_of: AsOf = None) -> dict[str, list[Point]]:
        with self._at(as_of) as at:
            found = self._history.points(run, at)
            return {metric: found[metric] for metric in found if name in (None, metric)}

    def revisions(self, node: str) -> tuple[Revision, ...]:
        with self._at(None):
            split_id(node)
            return tuple(
                Revision(
                    row.value,
                    self._changes[row.since - 1],
                    self._changes[row.until - 1] if row.until else None,
                )
                for row in self._history.states(node)
            )

    def changes(self, after: int = 0, limit: int | None = None, entries: bool = False) -> Iterator[Change]:
        check_bound("after", after, 0)
        with self._at(None):
            found = self._changes[after:][:limit]
            if entries:
                rows = self._history.entries()
                found = [change._replace(entries=tuple(rows[change.number])) for change in found]
        return iter(found)

    # Maintenance

    def check(self) -> Iterator[str]:
        with self._at(None):
            return iter(())

    def erase(
        self, ids: Sequence[str], actor: str, reason: str, unchanged: Sequence[str] = (), since: int = 0
    ) -> Change:
        if not ids:
            raise InvalidInput("erase needs the ids of what is to be erased")
        with self._at(None):
            for node_id in ids:
                if node_id not in self._history.nodes:
                    raise NotFound(f"nothing to erase: {node_id} was never there")
            closes = tuple(node_id for node_id in ids if self._history.current(node_id))
            batch = replace(erasing(actor, reason, unchanged, since), closes=closes)
            check_unchanged(batch, self._history)
            nodes = dict.fromkeys(each for node_id in ids for each in (node_id, *owned(node_id)))
            rows = [row for each in nodes for row in self._history.whole(each)]
            change = self._record(batch, (), rows_to_close(closes, self._history), erased=rows)
            for row in rows:
                self._history.erase(row, change.number)
            return change

    # Replica

    def append(self, changes: Sequence[Change]) -> None:
        with self._at(None):
            check_all_follow(changes, self._changes[-1] if self._changes else None)
            for change, rows in [(change, read_rows(change)) for change in changes]:
                self._append(change._replace(entries=()), rows)
            self.announce(None)

    def adopt(self, adoptions: Sequence[Adoption]) -> None:
        with self._at(None):
            for batch, past in adoptions:
                if batch.id not in self._batches:
                    check_batch(as_batch(batch.id, past), self.vocabulary())
                    fresh, ended = effects_of(batch, self._history, self.vocabulary())
                    self._record(batch, fresh, ended, past=past)

    def numbers(self, batches: Sequence[str]) -> dict[str, int]:
        with self._at(None):
            return {batch: self._batches[batch].number for batch in batches if batch in self._batches}

    def edge_revisions(self, ref: EdgeRef) -> tuple[EdgeRevision, ...]:
        with self._at(None):
            return tuple(
                EdgeRevision(
                    row.value,
                    self._changes[row.since - 1],
                    self._changes[row.until - 1] if row.until else None,
                )
                for row in self._history.states(ref)
            )

    def ever_linked(self, node: str) -> tuple[EdgeRef, ...]:
        with self._at(None):
            return self._history.ever_linked(node)

    def _append(self, change: Change, rows: Rows) -> None:
        number = change.number
        note = chain.note_text(change.batch, change.action, change.reason, change.origin)
        self._history.note(Row(None, number, note, rows.salt, chain.row_digest(rows.salt, note)))
        for value, *_ in rows.closed:
            if isinstance(value, Points):
                row = self._history.standing_points(value)
            else:
                row = self._history.current(value)
            if row is None:
                raise StoreError(f"change {number} closes what is not there: {value!r:.80}")
            self._history.end(row, number)
        for value, salt, digest in rows.past:
            text = chain.row_text(value)
            self._history.bury(Row(value, number, text, salt, digest, until=number))
        for value, salt, digest in rows.written:
            self._history.begin(Row(value, number, chain.row_text(value), salt, digest))
        for erased in rows.erased:
            self._history.bury(_erased_row(erased))
        if has_kinds([row.value for row in (*rows.written, *rows.closed)]):
            self._vocabulary = None
        self._changes.append(change)
        self._batches[change.batch] = change


def _erased_row(erased: Erased) -> Row:
    (what, id, project, since, until, number), digest = erased
    value = Node(*split_id(id), project=project) if what == "node" else Points(id, "", ())
    return Row(value, since, None, None, digest, until, erased=number)


def _chunks(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[dict[str, list[Any]]]:
    """Yield rows as columns of these names, in chunks."""
    parts = (rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK))
    return (dict(zip(names, map(list, zip(*part, strict=True)), strict=True)) for part in parts)
