"""What nodes are linked to, as columns: what joins of whole kinds are made of.

SQLite hands over one row faster than ten: the edges of one far end come as one text of integers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from operator import itemgetter
from typing import Any

from arangopipe.model import documents
from arangopipe.model.vocabulary import EdgeKind, Vocabulary
from arangopipe.store.records import Links
from arangopipe.store.sql.reading import Reader, states

Group = tuple[str, str | None, Iterable[int]]
"""The id of a far end, a document, and the integers of the near ends whose edge to it has this document."""


def column(
    reader: Reader, vocabulary: Vocabulary, kind: str, name: str, among: Sequence[int] | None
) -> Mapping[int, Links]:
    """Return by integer id what nodes of a kind are linked to by edges of one kind.

    Those that have no such edge are not there; of `among` no others need be.
    """
    edge, term = vocabulary.edges.get(name), reader.term(name)
    found: dict[int, Links] = {}
    if edge is None or term is None:
        return found
    joined: dict[tuple[Links, Links], Links] = {}
    for far, document, near in _groups(reader, vocabulary, kind, edge, term, among):
        links: Links = ((far, document or documents.EMPTY),)
        if found.keys().isdisjoint(near):
            found.update(zip(near, repeat(links)))
            continue
        for id in near:
            known = found.get(id, ())
            both = joined.get((known, links))
            if both is None:
                both = joined[known, links] = tuple(sorted(known + links))
            found[id] = both
    return found


def _groups(
    reader: Reader,
    vocabulary: Vocabulary,
    kind: str,
    edge: EdgeKind,
    term: int,
    among: Sequence[int] | None,
) -> Iterator[Group]:
    ends = [("source", "target", edge.target)] if edge.source in (None, kind) else []
    ends += [("target", "source", edge.source)] if edge.target in (None, kind) else []
    for near, far, far_kind in ends:
        # Things with a name are few; what has none may be linked to once.
        named = far_kind is not None and vocabulary.nodes[far_kind].identity == "name"
        if far_kind is not None and named and among is None and reader.at is None:
            yield from _by_far_end(reader, near, far, far_kind, term)
        else:
            yield from _by_edge(reader, near, far, term, among)


def _by_far_end(reader: Reader, near: str, far: str, far_kind: str, term: int) -> Iterator[Group]:
    sql = (
        f"SELECT n.key, e.document, {reader.dialect.listed(f'e.{near}')} FROM node n {reader.dialect.join} "
        f"edge e ON e.{far} = n.id AND e.kind = ? WHERE n.kind = ?{{}} GROUP BY n.id, e.document"
    )
    shown, values = ("", []) if reader.shown is None else reader.shown.condition(far_kind, "n")
    sql = sql.format(f" AND {shown}" if shown else "")
    for key, document, ids in reader.rows(sql, (term, reader.term(far_kind), *values)):
        yield f"{far_kind}/{key}", document, json.loads(f"[{ids}]")


def _by_edge(reader: Reader, near: str, far: str, term: int, among: Sequence[int] | None) -> Iterator[Group]:
    dialect = reader.dialect
    where, each = "kind = ?", None
    params: list[Any] = [term]
    if among is not None:
        where, each = f"{near} = each AND kind = ?", dialect.of_each
        params = [dialect.some(among), term]
    sql = states("edge", f"{near}, {far}, document", where, reader.at, each)
    rows = list(reader.rows(sql, params if reader.at is None else params * 2))
    names = (reader.shown or reader).names(set(map(itemgetter(1), rows)))
    for id, other, document in rows:
        if other in names:
            yield names[other], document, (id,)
