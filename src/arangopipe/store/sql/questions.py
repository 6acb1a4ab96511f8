"""Counts and columns: what questions over many nodes are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from arangopipe.model.expressions import Path
from arangopipe.store.records import scalar, tally
from arangopipe.store.sql.search import Search

CHUNK = 10_000


def count(search: Search, by: Path | None) -> dict[Any, int]:
    """Return how many nodes match, by the value at a path if there is one."""
    if by is None:
        return {None: search.count()}
    matching, values = search.ids(), search.values(by)
    if matching is None or values is None:
        return tally(scalar(record.read(by)) for record in search.matching([by]))
    known = dict(values)
    return tally(known.get(id) for id, _ in matching)


def columns(search: Search, paths: Mapping[str, Path]) -> Iterator[dict[str, list[Any]]]:
    """Yield equal-length columns of what matches: ``id`` and one for each path."""
    matching = search.ids()
    indexed = {name: search.values(path) for name, path in paths.items()}
    if matching is None or any(values is None for values in indexed.values()):
        yield from _from_records(search, paths)
        return
    known = {name: dict(values) for name, values in indexed.items() if values is not None}
    while chunk := list(islice(matching, CHUNK)):
        ids, node_ids = zip(*chunk, strict=True)
        found: dict[str, list[Any]] = {"id": list(node_ids)}
        for name, values in known.items():
            found[name] = list(map(values.get, ids))
        yield found


def _from_records(search: Search, paths: Mapping[str, Path]) -> Iterator[dict[str, list[Any]]]:
    matching = search.matching(paths.values())
    while chunk := list(islice(matching, CHUNK)):
        found: dict[str, list[Any]] = {"id": [record.node.id for record in chunk]}
        for name, path in paths.items():
            found[name] = [scalar(record.read(path)) for record in chunk]
        yield found
