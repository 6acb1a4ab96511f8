"""Which changes touched something that a scope shows, found by the indexes on their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from arangopipe.model.vocabulary import OWNED_BY_RUN
from arangopipe.store.scope import PERSONAL, Scope
from arangopipe.store.sql.dialect import Cursor
from arangopipe.store.sql.reading import Reader
from arangopipe.store.sql.terms import Terms

_WRITTEN, _ENDED = "revision", "closed"
_NODES = (("node", _WRITTEN), ("node_past", _WRITTEN), ("node_past", _ENDED), ("node_past", "erased"))
_EDGES = {_WRITTEN: ("edge", "edge_past"), _ENDED: ("edge_past",)}
_FOLLOWING = {_WRITTEN: ("node", "node_past"), _ENDED: ("node_past",)}


def touched(cursor: Cursor, terms: Terms, scope: Scope, numbers: Sequence[int]) -> set[int]:
    """Return which of some changes wrote, closed or erased what a scope shows, as it was then."""
    found = _by_own_words(Reader(cursor, terms, None, scope), numbers)
    return found | {
        number for number in numbers if number not in found and _by_owner(cursor, terms, scope, number)
    }


def _by_own_words(reader: Reader, numbers: Sequence[int]) -> set[int]:
    """Return the changes of things whose own words say that they are shown."""
    judged = [reader.term(kind) for kind in (*OWNED_BY_RUN, "servingperf", *PERSONAL, "project", "kinds")]
    others = ", ".join(str(term) for term in judged if term is not None) or "-1"
    project, kinds = reader.term("project"), reader.term("kinds")
    dialect, scope = reader.dialect, reader.shown.scope if reader.shown else Scope(frozenset())
    own, all_own = dialect.some(sorted(scope.projects)), dialect.some(["", *sorted(scope.projects)])
    test = (
        f"(kind NOT IN ({others}) AND {dialect.among('project')} OR kind = ? "
        f"OR kind = ? AND {dialect.among('name')})"
    )
    found: set[int] = set()
    for table, column in _NODES:
        left = dialect.some([number for number in numbers if number not in found])
        some = dialect.exists(f"SELECT 1 FROM {table} WHERE {column} = each AND {test}")
        sql = f"SELECT each FROM {dialect.each_number} WHERE {some}"
        found.update(number for (number,) in reader.rows(sql, [left, all_own, kinds, project, own]))
    return found


def _by_owner(cursor: Cursor, terms: Terms, scope: Scope, number: int) -> bool:
    """Whether a change touched an edge between things that are shown, or what hangs on one that is."""
    for column, at in ((_WRITTEN, number), (_ENDED, number - 1)):
        reader = Reader(cursor, terms, at, scope)
        ends = set(_rows(reader, _EDGES[column], "source, target", f"{column} = ?", number))
        alone = {id for (id,) in _rows(reader, ("point",), "run", f"{column} = ?", number)}
        owned = [term for kind in (*OWNED_BY_RUN, "servingperf") if (term := reader.term(kind)) is not None]
        if owned:
            where = f"{column} = ? AND kind IN ({', '.join(map(str, owned))})"
            alone.update(id for (id,) in _rows(reader, _FOLLOWING[column], "id", where, number))
        shown = (reader.shown or reader).names({*alone, *(id for pair in ends for id in pair)})
        if not alone.isdisjoint(shown) or any(a in shown and b in shown for a, b in ends):
            return True
    return False


def _rows(reader: Reader, tables: Sequence[str], columns: str, where: str, number: int) -> Iterator[Any]:
    for table in tables:
        yield from reader.rows(f"SELECT {columns} FROM {table} WHERE {where}", [number])
