"""All edges of some kinds as columns: what joins of whole kinds are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from arangopipe.model import documents
from arangopipe.model.vocabulary import EdgeKind, Vocabulary
from arangopipe.store.sql.reading import SOME, Reader, some

CHUNK = 10_000


def links(reader: Reader, vocabulary: Vocabulary, kinds: Sequence[str]) -> Iterator[dict[str, list[str]]]:
    """Yield the edges of kinds in chunks of columns: kind, source, target and document."""
    names = _Names(reader)
    for name in dict.fromkeys(kinds):
        kind = vocabulary.edges.get(name)
        term = reader.term(name)
        if kind is None or term is None:
            continue
        rows = iter(_rows(reader, vocabulary, kind, term))
        while chunk := list(islice(rows, CHUNK)):
            sources, targets, texts = zip(*chunk, strict=True)
            from_ids, to_ids = names.of(kind.source, sources), names.of(kind.target, targets)
            yield {
                "kind": [name] * len(chunk),
                "source": [from_ids[id] for id in sources],
                "target": [to_ids[id] for id in targets],
                "document": [text or documents.EMPTY for text in texts],
            }


def _rows(reader: Reader, vocabulary: Vocabulary, kind: EdgeKind, term: int) -> Iterator[Any]:
    """Yield (source, target, document) by way of the end of which there are fewer, where one is known."""
    columns = "e.source, e.target, e.document"
    for end, ends in (("target", kind.target), ("source", kind.source)):
        if reader.at is None and ends is not None and vocabulary.nodes[ends].identity == "name":
            sql = (
                f"SELECT {columns} FROM node n CROSS JOIN edge e ON e.{end} = n.id AND e.kind = ? "
                "WHERE n.kind = ?"
            )
            return reader.rows(sql, (term, reader.term(ends)))
    return reader.stream("edge", "source, target, document", "kind = ?", term)


class _Names:
    """The ids of nodes by their integers, read a kind at a time where the kind is known."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._known: dict[str, Mapping[int, str]] = {}

    def of(self, kind: str | None, ids: Iterable[int]) -> Mapping[int, str]:
        """Return a mapping that has these integers."""
        if kind is None:
            return self._mixed(set(ids))
        if kind not in self._known:
            term = self._reader.term(kind)
            rows = self._reader.stream("node", "id, key", "kind = ?", term)
            self._known[kind] = {id: f"{kind}/{key}" for id, key in rows}
        return self._known[kind]

    def _mixed(self, ids: Iterable[int]) -> Mapping[int, str]:
        rows = self._reader.select("node", "id, kind, key", f"id IN {SOME}", some(ids))
        texts = self._reader.terms.texts(self._reader.cursor, *{row[1] for row in rows})
        return {id: f"{texts[kind]}/{key}" for id, kind, key in rows}
