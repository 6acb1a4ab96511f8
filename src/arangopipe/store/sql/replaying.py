"""Changes recorded anew in another store, as far as each can be."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from sqlite3 import Connection
from typing import Any

from arangopipe.errors import ArangopipeError, StoreError, StoreUnavailable
from arangopipe.model import chain, documents
from arangopipe.model.graph import Batch, Change, Edge, EdgeRef, Node, Origin, Point, Points, Put
from arangopipe.model.ids import uuid7
from arangopipe.store.base import Store
from arangopipe.store.replica import check_follows
from arangopipe.store.sql import reading
from arangopipe.store.sql.store import SQLiteStore

UNKNOWN = "lost"
"""Origin of the changes of a store whose first link, by which stores are known, is lost."""


@dataclass
class Replayed:
    """How many changes were taken over as they are, which are not whole, and what could not be recorded."""

    verbatim: int = 0
    broken: list[int] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def replay(
    scratch: Connection, target: SQLiteStore, told: Callable[[str, int, int | None], object]
) -> Replayed:
    """Record each change of a scratch database in a new store, in order.

    Up to the first that is not whole they are taken over with their links of the chain; from there on
    each is a new change, which says whence it comes.
    """
    replayed = Replayed()
    total = scratch.execute("SELECT count(*) FROM change").fetchone()[0]
    unbroken = _is_unbroken(_changes(scratch))
    source = UNKNOWN
    for place, change in enumerate(_changes(scratch), 1):
        told("recording changes", place, total)
        if change.number == 1:
            source = change.chain[:16] or UNKNOWN
        if not _is_whole(change):
            replayed.broken.append(change.number)
        elif (
            replayed.verbatim == place - 1
            and (unbroken or not _forgets(change))
            and _taken_over(change, target)
        ):
            replayed.verbatim += 1
            continue
        batch = _present(target, batch_of(change, source))
        replayed.lost += [f"change {change.number}: {words}" for words in _record(target, batch)]
    return replayed


def _changes(scratch: Connection) -> Iterator[Change]:
    last = scratch.execute("SELECT max(number) FROM change").fetchone()[0]
    return reading.changes_with_entries(scratch.cursor(), 0, last or 0)


def _is_unbroken(changes: Iterable[Change]) -> bool:
    """Whether all changes are whole, and each follows on the one before."""
    last = None
    for change in changes:
        try:
            check_follows(change, last)
        except StoreError:
            return False
        if not _is_whole(change):
            return False
        last = change
    return True


def _forgets(change: Change) -> bool:
    """Whether rows of a change were erased since: what is left of them names that later change."""
    return any(entry.digest is not None for entry in change.entries)


def _is_whole(change: Change) -> bool:
    return chain.change_digest(map(chain.entry_digest, change.entries)).hex() == change.digest


def _taken_over(change: Change, target: SQLiteStore) -> bool:
    try:
        target.append([change])
    except StoreUnavailable:
        raise
    except ArangopipeError:
        return False
    return True


def batch_of(change: Change, source: str) -> Batch:
    """Return the batch that makes a change of a store again; what was erased since is left out."""
    puts, edges, points = [], [], []
    closed_nodes: dict[str, None] = {}
    closed_edges: dict[EdgeRef, None] = {}
    for entry in change.entries[1:]:
        match json.loads(entry.text or "null"):
            case ["node", kind, key, _, _, _, _] if entry.closed:
                closed_nodes[f"{kind}/{key}"] = None
            case ["node", kind, key, name, version, project, document]:
                puts.append(Put(Node(kind, key, name, version, project, 0, documents.dump(document)), "any"))
            case ["edge", *ref, _] if entry.closed:
                closed_edges[EdgeRef(*ref)] = None
            case ["edge", *ref, document]:
                edges.append(Edge(*EdgeRef(*ref), 0, documents.dump(document)))
            case ["points", run, name, values] if not entry.closed:
                points.append(Points(run, name, tuple(Point(*value) for value in values)))
            case ["erased", "node", id, *_]:
                closed_nodes[id] = None
    ended = closed_nodes.keys() - {put.node.id for put in puts}
    revised = {edge.ref for edge in edges}
    closes: list[str | EdgeRef] = [id for id in closed_nodes if id in ended]
    closes += [ref for ref in closed_edges if ref not in revised and ended.isdisjoint(ref[1:])]
    puts.sort(key=lambda put: put.node.kind != "kinds")  # what others are of comes first
    return Batch(
        change.batch,
        tuple(puts),
        tuple(edges),
        tuple(closes),
        tuple(points),
        change.actor,
        change.action,
        change.reason,
        origin=change.origin or Origin(source, change.number, change.time, change.actor),
    )


def _present(target: Store, batch: Batch) -> Batch:
    """Return a batch without what needs a node that is not there: it was erased, or is lost."""
    ends = {end for edge in batch.edges for end in edge[1:3]} | {points.run for points in batch.points}
    for item in batch.closes:
        ends.update(_nodes_of(item))
    asked = sorted(ends - {put.node.id for put in batch.puts})
    here = ends - {id for id, node in zip(asked, target.get(asked), strict=True) if node is None}
    return replace(
        batch,
        edges=tuple(edge for edge in batch.edges if here.issuperset(edge[1:3])),
        closes=tuple(item for item in batch.closes if here.issuperset(_nodes_of(item))),
        points=tuple(points for points in batch.points if points.run in here),
    )


def _nodes_of(item: str | EdgeRef) -> tuple[str, ...]:
    return item[1:] if isinstance(item, EdgeRef) else (item,)


def _record(target: Store, batch: Batch) -> Iterator[str]:
    """Write a batch; of one that is refused, each half. Yield in words what cannot be written at all."""
    items = [(name, item) for name in _PARTS for item in getattr(batch, name)]
    if not items:
        return
    try:
        target.write(batch)
    except StoreUnavailable:
        raise
    except ArangopipeError as error:
        if len(items) == 1:
            yield str(error)
            return
        middle = len(items) // 2
        yield from _record(target, _with(batch, items[:middle]))
        yield from _record(target, _with(replace(batch, id=uuid7()), items[middle:]))


_PARTS = ("puts", "edges", "points", "closes")


def _with(batch: Batch, items: Sequence[tuple[str, Any]]) -> Batch:
    parts: dict[str, Any] = {name: tuple(item for part, item in items if part == name) for name in _PARTS}
    return replace(batch, **parts)
