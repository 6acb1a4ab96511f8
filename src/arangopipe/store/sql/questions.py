"""Counts and columns: what questions over many nodes are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from arangopipe.model.filters import Path, sort_key
from arangopipe.store.sql.search import Search

CHUNK = 10_000


def scalar(values: Any) -> Any:
    """Return the one comparable scalar among the values at a path, else None."""
    missing, *_, value = sort_key(values)
    return None if missing else value


def count(search: Search, by: Path | None) -> dict[Any, int]:
    """Return how many nodes match, by the value at a path if there is one."""
    if by is None:
        return {None: search.count()}
    matching, values = search.ids(), search.values(by)
    if matching is None or values is None:
        return _keyed(Counter(_typed(scalar(record.read(by))) for record in search.matching([by])))
    ids = {id for id, _ in matching}
    found = Counter(_typed(value) for id, value in values if id in ids)
    if rest := len(ids) - found.total():
        found[_typed(None)] = rest
    return _keyed(found)


def _typed(value: Any) -> tuple[type, Any]:
    # True and 1 are equal to Python, and not the same value here.
    return (bool if isinstance(value, bool) else type(None) if value is None else object), value


def _keyed(found: Counter[tuple[type, Any]]) -> dict[Any, int]:
    result: dict[Any, int] = {}
    for (kind, value), number in found.items():
        name = str(value).lower() if kind is bool and (object, int(value)) in found else value
        result[name] = result.get(name, 0) + number
    return result


def columns(search: Search, paths: Mapping[str, Path]) -> Iterator[dict[str, list[Any]]]:
    """Yield equal-length columns of what matches: ``id`` and one for each path."""
    matching = search.ids()
    indexed = {name: search.values(path) for name, path in paths.items()}
    if matching is None or any(values is None for values in indexed.values()):
        yield from _from_records(search, paths)
        return
    known = {name: dict(values) for name, values in indexed.items() if values is not None}
    while chunk := list(islice(matching, CHUNK)):
        found: dict[str, list[Any]] = {"id": [node_id for _, node_id in chunk]}
        for name, values in known.items():
            found[name] = [values.get(id) for id, _ in chunk]
        yield found


def _from_records(search: Search, paths: Mapping[str, Path]) -> Iterator[dict[str, list[Any]]]:
    matching = search.matching(paths.values())
    while chunk := list(islice(matching, CHUNK)):
        found: dict[str, list[Any]] = {"id": [record.node.id for record in chunk]}
        for name, path in paths.items():
            found[name] = [scalar(record.read(path)) for record in chunk]
        yield found
