"""The value index: which rows of ``value`` stand for the searchable values of a node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from sqlite3 import Cursor
from typing import Any

from arangopipe.model import attributes, documents
from arangopipe.model.attributes import Value
from arangopipe.model.expressions import path_text
from arangopipe.model.vocabulary import OWNED_BY_RUN
from arangopipe.store.records import Summary
from arangopipe.store.sql.inserting import insert
from arangopipe.store.sql.terms import NewTerms

INSERT = "INSERT OR IGNORE INTO value(path, value, node)"
DELETE = "DELETE FROM value WHERE path = ? AND value = ? AND node = ?"

Row = tuple[int, Any, int]
Found = tuple[str, list[Value], bool]
"""A kind, the searchable values of a document of that kind, and whether they are all of them."""


def sql_value(value: object) -> object:
    """Return a searchable value as the column keeps it: booleans as one-byte blobs."""
    return (b"\x01" if value else b"\x00") if isinstance(value, bool) else value


def python_value(value: Any) -> Any:
    """Return a value of the column as Python has it."""
    return value == b"\x01" if isinstance(value, bytes) else value


def values_in(kind: str, document: Mapping[str, Any]) -> Found:
    """Return the searchable values of a document."""
    return kind, *attributes.indexed(kind, document)


def values_of(kind: str, text: str) -> Found:
    """Return the searchable values of a stored document."""
    return kind, *attributes.indexed(kind, documents.load(text))


def run_values(document: str | None, series: Mapping[str, Summary]) -> Found:
    """Return the searchable values of a run's metrics: those of its points, else of its devperf."""
    values: list[Value] = []
    complete = True
    if document is not None:
        metrics = documents.load(document)
        for name in series:
            metrics.pop(name, None)
        values, complete = attributes.indexed("devperf", metrics)
    for name, summary in series.items():
        numbers = {(): summary.last, ("last",): summary.last, ("min",): summary.low, ("max",): summary.high}
        values += [
            (path_text(("metrics", name, *words)), number)
            for words, number in numbers.items()
            if number is not None and not isinstance(number, str)
        ]
    return "devperf", values, complete


def value_rows(
    term: Callable[[str], int], paths: Mapping[str, Mapping[str, int]], owner: int, found: Found
) -> list[Row]:
    """Return the rows that stand for the values of a document under the node that owns it.

    `term` knows the integer of every text; `paths`, for most, that of a kind's path.
    """
    kind, values, complete = found
    prefix = "run" if kind in OWNED_BY_RUN else kind
    known = paths[prefix].get
    rows: list[Row] = [
        (
            known(path) or term(f"{prefix}:{path}"),
            value if type(value) is not bool else sql_value(value),
            owner,
        )
        for path, value in values
    ]
    if not complete:
        rows.append((term(f"{prefix}:"), kind, owner))
    return rows


class ValueRows:
    """The rows that one transaction adds and removes."""

    def __init__(self, terms: NewTerms) -> None:
        self._terms = terms
        self._added: list[Row] = []
        self._removed: list[Row] = []

    def add(self, owner: int, found: Found) -> None:
        """Note the values of a document that is written."""
        self._added += value_rows(self._terms.id, self._terms.paths, owner, found)

    def remove(self, owner: int, found: Found) -> None:
        """Note the values of a document that is superseded or closed."""
        self._removed += value_rows(self._terms.id, self._terms.paths, owner, found)

    def forget(self, owner: int) -> None:
        """Drop what was to be added for a node that is being closed."""
        self._added = [row for row in self._added if row[2] != owner]

    def write(self, cursor: Cursor) -> None:
        """Bring the table up to date."""
        if self._removed:
            added = set(self._added)
            cursor.executemany(DELETE, [row for row in self._removed if row not in added])
        # Path by path, as the tree is sorted, large batches touch each of its pages once.
        self._added.sort(key=itemgetter(0))
        insert(cursor, INSERT, self._added)
