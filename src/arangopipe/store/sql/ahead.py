"""What a write will look up, asked for at once: each question costs, on a server even a round trip."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from arangopipe.model.ids import split_id
from arangopipe.model.vocabulary import OWNED_BY_RUN
from arangopipe.store.sql.arrays import array
from arangopipe.store.sql.dialect import Cursor
from arangopipe.store.sql.prepare import Prepared
from arangopipe.store.sql.terms import NewTerms

STORED = "id, coalesce(name, ''), coalesce(version, ''), project, revision, document, salt"
NODES = "unnest(?::integer[], ?::text[]) AS asked(kind, key) JOIN node USING (kind, key)"
EDGES = """
SELECT source, kind, target, document, salt
FROM unnest(?::bigint[], ?::integer[], ?::bigint[]) AS asked(source, kind, target)
JOIN edge USING (source, kind, target)
"""

LOOK_UPS = 50
"""Nodes that one statement looks up: in SQLite a fifth of the time of as many statements."""

EdgeKey = tuple[int, int, int]


def ids_of(cursor: Cursor, terms: NewTerms, prepared: Prepared) -> dict[str, int]:
    """Return the integers of what a batch refers to without writing it."""
    wanted = {end for row in prepared.edges for end in row.edge[1:3]}  # source and target
    wanted.update(points.run for points, *_ in prepared.points)
    wanted.update(f"run/{row.put.node.key}" for row in prepared.nodes if row.put.node.kind in OWNED_BY_RUN)
    wanted.difference_update(row.id for row in prepared.nodes)
    if not wanted:
        return {}
    if terms.dialect.batched:
        return {id: row[0] for id, row in _nodes(cursor, terms, wanted, "id").items()}
    found: dict[str, int] = {}
    rest = iter(wanted)
    while part := list(islice(rest, LOOK_UPS)):
        asked = [value for kind, key in map(split_id, part) for value in (terms.id(kind), key)]
        row = cursor.execute(_look_up(len(part)), asked).fetchone()
        found.update((id, number) for id, number in zip(part, row, strict=True) if number is not None)
    return found


@lru_cache(maxsize=LOOK_UPS)
def _look_up(count: int) -> str:
    """Return the statement whose one row has the integers of so many nodes, null for what is not there."""
    return f"SELECT {', '.join(['(SELECT id FROM node WHERE kind = ? AND key = ?)'] * count)}"


def stored_nodes(
    cursor: Cursor, terms: NewTerms, prepared: Prepared, careful: bool
) -> dict[str, tuple[Any, ...] | None]:
    """Return the rows of `STORED` of what a batch may revise, None where it is not there."""
    wanted = [row.id for row in prepared.nodes if careful or row.put.expect != "absent"]
    wanted += [item for item in prepared.batch.closes if isinstance(item, str)]
    if len(wanted) < 2:
        return {}
    found: dict[str, tuple[Any, ...] | None] = dict.fromkeys(wanted)
    found.update(_nodes(cursor, terms, found, STORED))
    return found


def stored_edges(cursor: Cursor, keys: Sequence[EdgeKey]) -> dict[EdgeKey, tuple[str | None, bytes] | None]:
    """Return document and salt of edges, None where there is none."""
    found: dict[EdgeKey, tuple[str | None, bytes] | None] = dict.fromkeys(keys)
    if found:
        for row in cursor.execute(EDGES, [array(column) for column in zip(*found, strict=True)]):
            found[row[:3]] = row[3:]
    return found


def _nodes(cursor: Cursor, terms: NewTerms, ids: Iterable[str], columns: str) -> dict[str, tuple[Any, ...]]:
    asked = {(terms.id(kind), key): f"{kind}/{key}" for kind, key in map(split_id, ids)}
    kinds, keys = zip(*asked, strict=True)
    rows = cursor.execute(f"SELECT kind, key, {columns} FROM {NODES}", [array(kinds), array(keys)])
    return {asked[row[:2]]: row[2:] for row in rows}
