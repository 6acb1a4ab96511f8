"""Nodes with all that a search may read of them, fetched by the chunk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from arangopipe.model import documents
from arangopipe.model.graph import Node
from arangopipe.model.vocabulary import OWNED_BY_RUN, Vocabulary
from arangopipe.store.records import Needs, Record, Summary, summarise
from arangopipe.store.sql.reading import Reader

FIRST_CHUNK = 64
LAST_CHUNK = 4_096


def chunks(rows: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield rows in chunks that grow: the first page is near, a whole store is long."""
    rows, size = iter(rows), FIRST_CHUNK
    while chunk := list(islice(rows, size)):
        yield chunk
        size = min(size * 2, LAST_CHUNK)


def records(
    reader: Reader, vocabulary: Vocabulary, kind: str, rows: Iterable[Any], wanted: Needs
) -> Iterator[tuple[Any, Record]]:
    """Yield each row (that begins with `reading.NODE`) with its record."""
    for chunk in chunks(rows):
        ids = [row[0] for row in chunk]
        keys = [row[2] for row in chunk]
        params = _owned(reader, "modelparams", keys) if wanted.params else {}
        metrics = _owned(reader, "devperf", keys) if wanted.metrics else {}
        series = _series(reader, ids) if wanted.metrics else {}
        neighbours = {hop: _neighbours(reader, vocabulary, kind, hop, ids) for hop in wanted.hops}
        for row, node in zip(chunk, reader.nodes(chunk), strict=True):
            id, key = row[0], row[2]
            yield (
                row,
                Record(
                    node,
                    id,
                    params.get(key, documents.EMPTY),
                    metrics.get(key, documents.EMPTY),
                    series.get(id, {}),
                    {hop: found.get(id, ()) for hop, found in neighbours.items()},
                ),
            )


def _owned(reader: Reader, kind: str, keys: Sequence[str]) -> dict[str, str]:
    if reader.brought and reader.brought.keys() >= set(keys):
        place = OWNED_BY_RUN.index(kind)
        return {key: reader.brought[key][place] for key in keys}
    where, some = f"kind = ? AND {reader.dialect.among('key')}", reader.dialect.some(keys)
    return dict(reader.select("node", "key, coalesce(document, '{}')", where, reader.term(kind), some))


def _series(reader: Reader, ids: Sequence[int]) -> dict[int, dict[str, Summary]]:
    found: dict[int, dict[str, Summary]] = {}
    if reader.at is not None:
        for id in ids:
            points = reader.points(id, None)
            found[id] = {name: summarise(series) for name, series in points.items()}
        return found
    runs = reader.dialect.among("run")
    sql = f"SELECT run, name, count, step, time, last, low, high FROM series WHERE {runs}"
    for run, name, *rest in reader.cursor.execute(sql, (reader.dialect.some(ids),)).fetchall():
        text = reader.terms.texts(reader.cursor, name)[name]
        found.setdefault(run, {})[text[1:]] = Summary(*rest)
    return found


def _neighbours(
    reader: Reader, vocabulary: Vocabulary, kind: str, hop: str, ids: Sequence[int]
) -> dict[int, list[Node]]:
    """Return, for each integer id, the nodes one edge away along a hop that are shown."""
    pairs: list[tuple[int, int]] = []
    for edge, forward, _ in vocabulary.hops(kind)[hop]:
        term = reader.term(edge.name)
        near, far = ("source", "target") if forward else ("target", "source")
        where = f"{reader.dialect.among(near)} AND kind = ?"
        pairs += reader.select("edge", f"{near}, {far}", where, reader.dialect.some(ids), term)
    rows = reader.by_ids({far for _, far in pairs})
    nodes = {row[0]: node for row, node in zip(rows, reader.nodes(rows), strict=True)}
    found: dict[int, list[Node]] = {}
    for near_id, far_id in pairs:
        if far_id in nodes:
            found.setdefault(near_id, []).append(nodes[far_id])
    return found
