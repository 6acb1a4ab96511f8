"""What a search finds as a file: CSV or JSON, written while it is read."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

from arangopipe.details import cells
from arangopipe.results import Page
from arangopipe.server.pages.asking import Ask
from arangopipe.server.pages.finding import default_columns

_AT_ONCE = 500

Lines = tuple[Iterator[str], str]


def as_csv(ask: Ask, kind: str, q: str, order: str, columns: Sequence[str]) -> Lines:
    """Return lines of CSV, and what they are called. The columns are those chosen, or of the first page."""
    first = _first(ask, kind, q, order)
    paths = list(columns) or default_columns(kind, first)
    # Columns that cannot be read are said before the file begins.
    cells(ask.store, kind, (), paths)

    def lines() -> Iterator[str]:
        yield _line(["id", "name", *paths])
        for found in _pages(first):
            values = cells(ask.store, kind, found.items, paths, ask.as_of)
            yield "".join(
                _line([item.id, item.name, *(values[path][place] for path in paths)])
                for place, item in enumerate(found)
            )

    return lines(), "text/csv; charset=utf-8"


def as_json(ask: Ask, kind: str, q: str, order: str, columns: Sequence[str]) -> Lines:
    """Return a JSON list in pieces, and what it is called: whole things, or their chosen columns."""
    first = _first(ask, kind, q, order)
    cells(ask.store, kind, (), columns)

    def lines() -> Iterator[str]:
        start = "["
        for found in _pages(first):
            for item in _values(ask, kind, found, columns):
                yield f"{start}\n{json.dumps(item, ensure_ascii=False)}"
                start = ","
        yield "[]\n" if start == "[" else "\n]\n"

    return lines(), "application/json"


def _values(ask: Ask, kind: str, found: Page[Any], columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    if not columns:
        yield from (item.to_dict() for item in found)
        return
    values = cells(ask.store, kind, found.items, columns, ask.as_of)
    for place, item in enumerate(found):
        yield {"id": item.id, **{path: values[path][place] for path in columns}}


def _first(ask: Ask, kind: str, q: str, order: str) -> Page[Any]:
    return ask.pipe.search(kind, q, order_by=order or None, limit=_AT_ONCE, as_of=ask.as_of)


def _pages(first: Page[Any]) -> Iterator[Page[Any]]:
    found: Page[Any] | None = first
    while found is not None:
        yield found
        found = found.next()


def _line(values: Sequence[Any]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(["" if value is None else value for value in values])
    return out.getvalue()
