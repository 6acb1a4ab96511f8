"""The interned texts of a database: kinds, and names of searchable paths and of metrics.

Kinds stay for ever. Names that nothing uses any more are forgotten when something is erased, and the row of a
text that is neither, `MARK`, then gets an integer beyond all others. So no integer is used twice, and that of
the mark tells whether names that are known are still good: they are as long as it is the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import Any

from arangopipe.errors import StoreError
from arangopipe.store.sql.dialect import Cursor, Dialect

MAX_ABSENT = 10_000

MARK = "::"
FORGOTTEN = f"(SELECT id FROM term WHERE text = '{MARK}')"
"""When names were last forgotten, as SQL: null where they never were."""

FORGET_PATHS = f"""
DELETE FROM term WHERE text LIKE '%:%' AND text NOT LIKE '=%' AND text <> '{MARK}'
AND NOT EXISTS (SELECT 1 FROM value WHERE path = term.id) RETURNING id
"""
FORGET_METRICS = "DELETE FROM term WHERE {} AND id NOT IN (SELECT DISTINCT name FROM point) RETURNING id"


def is_name(text: str) -> bool:
    """Whether a text is a name, which may be forgotten, and no kind."""
    return ":" in text or "=" in text


class Names:
    """Committed names and their integers, good until others are forgotten than were by `since`."""

    def __init__(self, since: int) -> None:
        self.since = since
        self.ids: dict[str, int] = {}
        self.paths: defaultdict[str, dict[str, int]] = defaultdict(dict)
        """By kind, the integers of its searchable paths, known by the path alone."""

    def keep(self, ids: Mapping[str, int]) -> None:
        """Remember committed names."""
        self.ids.update(ids)
        for text, id in ids.items():
            kind, _, path = text.partition(":")
            self.paths[kind][path] = id


class Terms:
    """Texts and their integers as committed."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._ids: dict[str, int] = {}
        self._texts: dict[int, str] = {}
        self._names = Names(0)
        self.known: Callable[[str], int | None] = self._ids.get
        """The integer of a kind, if it is known."""
        self.sides: dict[Any, Any] = {}
        """What walks along which edges; see `walking`."""
        self._absent: dict[str, int | None] = {}

    def names(self, since: int | None) -> Names:
        """Return what is known of names, for a transaction that finds them last forgotten then."""
        names = self._names
        if names.since != (since or 0):
            names = Names(since or 0)
            if names.since > self._names.since:
                self._names, self._texts = names, {}
        return names

    def look_up(self, cursor: Cursor, text: str, last: int | None) -> int | None:
        """Return the integer of a text that is not known, None where the database does not have it.

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
        self._texts[row[0]] = text
        if not is_name(text):
            self._ids[text] = row[0]
        return int(row[0])

    def texts(self, cursor: Cursor, *ids: int) -> Mapping[int, str]:
        """Return texts by their integers; all of `ids` are there."""
        texts = self._texts
        if not texts.keys() >= set(ids):
            texts = dict(cursor.execute("SELECT id, text FROM term").fetchall())
            found = {text: id for id, text in texts.items()}
            self.keep(self.names(found.get(MARK)), found)
            for id in ids:
                if id not in texts:
                    raise StoreError(f"the store is damaged: a row names term {id}, which is not there")
        return texts

    def keep(self, names: Names, ids: Mapping[str, int]) -> None:
        """Remember committed terms; `names` are those of the transaction that found them."""
        names.keep({text: id for text, id in ids.items() if is_name(text)})
        self._ids.update({text: id for text, id in ids.items() if not is_name(text)})
        self._texts.update({id: text for text, id in ids.items()})


class NewTerms:
    """Terms as one write transaction sees them; `keep` is called once it has committed."""

    def __init__(self, terms: Terms, cursor: Cursor) -> None:
        self.dialect = terms.dialect
        self._terms = terms
        self._known = terms.known
        self._cursor = cursor
        self._found: dict[str, int] = {}
        self.trust(-1)

    def trust(self, since: int | None) -> None:
        """Take names as known, where the transaction finds that they were last forgotten then."""
        self._names = self._terms.names(since)
        self.paths: Mapping[str, Mapping[str, int]] = self._names.paths

    def id(self, kind: str) -> int:
        """Return the integer of a kind, adding it if need be."""
        return self._known(kind) or self._found.get(kind) or self._added(kind)

    def name(self, text: str) -> int:
        """Return the integer of a path (``run:params.alpha``) or metric (``=loss``), adding it if need be."""
        return self._names.ids.get(text) or self._found.get(text) or self._added(text)

    def _added(self, text: str) -> int:
        row = self._cursor.execute("SELECT id FROM term WHERE text = ?", (text,)).fetchone()
        if row is None:
            row = self._cursor.execute(
                "INSERT INTO term(id, text) SELECT coalesce(max(id), 0) + 1, ? FROM term RETURNING id",
                (text,),
            ).fetchone()
        id: int = row[0]
        self._found[text] = id
        return id

    def text(self, id: int) -> str:
        """Return the text of an integer."""
        row = self._cursor.execute("SELECT text FROM term WHERE id = ?", (id,)).fetchone()
        if row is None:
            raise StoreError(f"the store is damaged: a row names term {id}, which is not there")
        return row[0]  # type: ignore[no-any-return]

    def forget(self, metrics: Collection[int]) -> None:
        """Remove paths, and some names of metrics, that nothing uses; those who know them find out."""
        (last,) = self._cursor.execute("SELECT max(id) FROM term").fetchone()
        forgotten = self._cursor.execute(FORGET_PATHS).fetchall()
        if metrics:
            sql = FORGET_METRICS.format(self.dialect.among("id"))
            forgotten += self._cursor.execute(sql, (self.dialect.some(metrics),)).fetchall()
        if forgotten:
            self._cursor.execute("DELETE FROM term WHERE text = ?", (MARK,))
            self._cursor.execute("INSERT INTO term(id, text) VALUES (?, ?)", (last + 1, MARK))

    def keep(self) -> None:
        """Have later transactions know what this one found."""
        self._terms.keep(self._names, self._found)
