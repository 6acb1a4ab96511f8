"""The value index: which rows of ``value`` stand for the searchable values of a node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter

from arangopipe.model import attributes, documents
from arangopipe.model.attributes import Value
from arangopipe.model.expressions import path_text
from arangopipe.model.vocabulary import OWNED_BY_RUN
from arangopipe.store.records import Summary
from arangopipe.store.sql.dialect import Cursor, Dialect, Row, sql_value
from arangopipe.store.sql.terms import NewTerms

Found = tuple[str, list[Value], bool]
"""A kind, the searchable values of a document of that kind, and whether they are all of them."""


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
    dialect: Dialect,
    name: Callable[[str], int],
    paths: Mapping[str, Mapping[str, int]],
    owner: int,
    found: Found,
) -> list[Row]:
    """Return the rows that stand for the values of a document under the node that owns it.

    `name` knows the integer of every path; `paths`, of most, by kind and the path alone.
    """
    kind, values, complete = found
    if dialect.limited and not all(dialect.holds(value) for _, value in values):
        values = [(path, value) for path, value in values if dialect.holds(value)]
        complete = False
    prefix = "run" if kind in OWNED_BY_RUN else kind
    known = paths[prefix].get
    rows: list[Row] = [
        (
            known(path) or name(f"{prefix}:{path}"),
            value if type(value) is not bool else sql_value(value),
            owner,
        )
        for path, value in values
    ]
    if not complete:
        rows.append((name(f"{prefix}:"), kind, owner))
    return rows


class ValueRows:
    """The rows that one transaction adds and removes."""

    def __init__(self, terms: NewTerms) -> None:
        self._terms = terms
        self._new: list[Row] = []
        self._added: dict[Row, None] = {}
        self._removed: dict[Row, None] = {}

    def add_new(self, owner: int, found: Found) -> None:
        """Note the values of a document that was not there: none of them is removed as well."""
        self._new += value_rows(self._terms.dialect, self._terms.id, self._terms.paths, owner, found)

    def add(self, owner: int, found: Found) -> None:
        """Note the values of a document that is written."""
        self._note(self._removed, self._added, owner, found)

    def remove(self, owner: int, found: Found) -> None:
        """Note the values of a document that is superseded or closed."""
        self._note(self._added, self._removed, owner, found)

    def _note(self, undone: dict[Row, None], done: dict[Row, None], owner: int, found: Found) -> None:
        terms = self._terms
        rows = dict.fromkeys(value_rows(terms.dialect, terms.name, terms.paths, owner, found))
        if undone:
            for row in undone.keys() & rows.keys():
                del undone[row], rows[row]
        done.update(rows)

    def write(self, cursor: Cursor) -> None:
        """Bring the table up to date."""
        if self._removed:
            self._terms.dialect.remove_values(cursor, list(self._removed))
        # Path by path, as the tree is sorted, large batches touch each of its pages once.
        rows = sorted([*self._new, *self._added], key=itemgetter(0))
        self._terms.dialect.insert(cursor, "value", rows)
