"""The interned texts of a database: kinds, searchable paths, names of metrics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from arangopipe.errors import StoreError
from arangopipe.store.sql.dialect import Cursor, Dialect

MAX_ABSENT = 10_000


class Terms:
    """Texts and their integers as committed; the table only grows, so the cache is never wrong."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._ids: dict[str, int] = {}
        self._texts: dict[int, str] = {}
        self.known: Callable[[str], int | None] = self._ids.get
        self.paths: defaultdict[str, dict[str, int]] = defaultdict(dict)
        """By kind, the integers of its searchable paths, known by the path alone."""
        self.sides: dict[Any, Any] = {}
        """What walks along which edges; see `walking`."""
        self._absent: dict[str, int | None] = {}

    def look_up(self, cursor: Cursor, text: str, last: int | None) -> int | None:
        """Return the integer of a text that is not `known`, None where the database does not have it.

        `last` is its last term: what was absent when that was the last is absent still.
        """
        if text in self._absent and self._absent[text] == last:
            return None
        row = cursor.execute("SELECT id FROM term WHERE text = ?", (text,)).fetchone()
        if row is None:
            if len(self._absent) >= MAX_ABSENT:
                self._absent.clear()
            self._absent[text] = last
            return None
        self.keep({text: row[0]})
        return int(row[0])

    def texts(self, cursor: Cursor, *ids: int) -> Mapping[int, str]:
        """Return texts by their integers; all of `ids` are there."""
        if not self._texts.keys() >= set(ids):
            self.keep({text: id for id, text in cursor.execute("SELECT id, text FROM term")})
            for id in ids:
                if id not in self._texts:
                    raise StoreError(f"the store is damaged: a row names term {id}, which is not there")
        return self._texts

    def keep(self, ids: Mapping[str, int]) -> None:
        """Remember committed terms."""
        self._ids.update(ids)
        self._texts.update({id: text for text, id in ids.items()})
        for text, id in ids.items():
            kind, _, path = text.partition(":")
            self.paths[kind][path] = id


class NewTerms:
    """Terms as one write transaction sees them; `Terms.keep(found)` once it has committed."""

    def __init__(self, terms: Terms, cursor: Cursor) -> None:
        self.dialect = terms.dialect
        self._known = terms.known
        self.paths: Mapping[str, Mapping[str, int]] = terms.paths
        self._cursor = cursor
        self.found: dict[str, int] = {}

    def id(self, text: str) -> int:
        """Return the integer of a text, adding it if need be."""
        known = self._known(text) or self.found.get(text)
        if known is None:
            row = self._cursor.execute("SELECT id FROM term WHERE text = ?", (text,)).fetchone()
            if row is None:
                row = self._cursor.execute(
                    "INSERT INTO term(id, text) SELECT coalesce(max(id), 0) + 1, ? FROM term RETURNING id",
                    (text,),
                ).fetchone()
            known = self.found[text] = row[0]
        return known

    def text(self, id: int) -> str:
        """Return the text of an integer."""
        row = self._cursor.execute("SELECT text FROM term WHERE id = ?", (id,)).fetchone()
        if row is None:
            raise StoreError(f"the store is damaged: a row names term {id}, which is not there")
        return row[0]  # type: ignore[no-any-return]
